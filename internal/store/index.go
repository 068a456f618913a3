package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/journal"
)

// index is the file that says which page files count, which of their messages live, and
// from where on the log counts. It is replaced as a whole, so that what it says changes
// at once. All that happened later is in the log.
type index struct {
	id         [16]byte
	generation uint64 // of the log: older ones do not count
	head       uint64 // generation that was being written: the index knows of crashes before it
	next       uint32 // no page file has this number or a higher one
	time       int64  // when it was written, in milliseconds of Unix time
	pages      []indexPage
	lanes      []indexLane
	marks      []indexMark

	// It was lost, and Salvage has made another: messages of the log may be in page files,
	// too.
	guessed bool
}

// indexPage is a page file.
type indexPage struct {
	number uint32
	check  uint32
	size   int64
	status []byte // see appendStatus
}

// indexLane is a level of a queue.
type indexLane struct {
	queue      uint32
	next, seen uint64 // next has the level, too
}

// indexMark is what Returned has noted.
type indexMark struct {
	queue uint32
	pos   uint64
	mark
}

const (
	indexName   = "index"
	indexMagic  = "warrenI1"
	indexFormat = 1 // the highest that this program knows
	maxIndex    = 1 << 32
)

func (x *index) encode() []byte {
	b := []byte(indexMagic)
	b = binary.AppendUvarint(b, indexFormat)
	b = append(b, x.id[:]...)
	b = binary.AppendUvarint(b, x.generation)
	b = binary.AppendUvarint(b, x.head)
	b = binary.AppendUvarint(b, uint64(x.next))
	b = binary.AppendVarint(b, x.time)
	if x.guessed {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(x.pages)))
	for i := range x.pages {
		p := &x.pages[i] // number 0: it could not be salvaged
		b = binary.AppendUvarint(b, uint64(p.number))
		b = order.AppendUint32(b, p.check)
		b = binary.AppendUvarint(b, uint64(p.size))
		b = binary.AppendUvarint(b, uint64(len(p.status)))
		b = append(b, p.status...)
	}
	b = binary.AppendUvarint(b, uint64(len(x.lanes)))
	for _, l := range x.lanes {
		b = binary.AppendUvarint(appendName(b, l.queue, l.next), l.seen)
	}
	b = binary.AppendUvarint(b, uint64(len(x.marks)))
	for _, m := range x.marks {
		b = binary.AppendUvarint(appendName(b, m.queue, m.pos), uint64(m.returns))
		if m.redelivered {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return order.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// readIndex reads the index. It is nil if there is none. Its errors are a
// *[journal.DamagedError], a *[journal.FormatError] or that of the file system.
func readIndex(dir files.Dir) (*index, error) {
	data, err := readFile(dir, indexName, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	bad := &journal.DamagedError{File: indexName, Bytes: int64(len(data)), Reason: "its checksum does not fit"}
	if len(data) < len(indexMagic)+4 || string(data[:len(indexMagic)]) != indexMagic {
		bad.Reason = "it does not begin as an index"
		return nil, bad
	}
	body := data[:len(data)-4]
	if order.Uint32(data[len(body):]) != crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) {
		return nil, bad
	}
	r := reader{b: body[len(indexMagic):]}
	if format := r.uvarint(); format > indexFormat {
		return nil, &journal.FormatError{File: indexName, Format: int(format), Known: indexFormat}
	}
	x := new(index)
	x.read(&r)
	if r.end() != nil {
		bad.Reason = errShort.Error()
		return nil, bad
	}
	return x, nil
}

func (x *index) read(r *reader) {
	copy(x.id[:], r.take(uint64(len(x.id))))
	x.generation, x.head, x.next, x.time, x.guessed = r.uvarint(), r.uvarint(), r.number(), r.varint(), r.octet() == 1
	for range r.count() {
		p := indexPage{number: r.number()}
		if c := r.take(4); c != nil {
			p.check = order.Uint32(c)
		}
		p.size = int64(r.uvarint())
		p.status = r.bytes()
		x.pages = append(x.pages, p)
	}
	for range r.count() {
		l := indexLane{}
		l.queue, l.next = r.name()
		l.seen = r.uvarint()
		x.lanes = append(x.lanes, l)
	}
	for range r.count() {
		m := indexMark{}
		m.queue, m.pos = r.name()
		m.returns, m.redelivered = r.number(), r.octet() == 1
		x.marks = append(x.marks, m)
	}
}

// readFile reads a whole file.
func readFile(dir files.Dir, name string, limit int64) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &journal.DamagedError{File: name, Bytes: size, Reason: "it is too long"}
	}
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, err
	}
	return data, nil
}

// write replaces the index. After a power cut there is the old one or the new one.
func (x *index) write(dir files.Dir) error {
	const fresh = indexName + ".new"
	if err := dir.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &WriteError{"removal", fresh, err}
	}
	f, err := dir.Create(fresh)
	if err != nil {
		return &WriteError{"creation", fresh, err}
	}
	_, err = f.Write(x.encode())
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return &WriteError{"write", fresh, err}
	}
	if err := dir.Rename(fresh, indexName); err != nil {
		return &WriteError{"renaming", fresh, err}
	}
	if err := dir.Sync(); err != nil {
		return &WriteError{"sync of the directory", indexName, err}
	}
	return nil
}
