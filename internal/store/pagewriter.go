package store

import (
	"encoding/binary"
	"slices"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/message"
)

// pageWriter writes a page file: messages of one queue after the other, of each first
// those of one kind, in order of their positions.
type pageWriter struct {
	page   *page
	id     [16]byte
	salt   salt
	f      files.File
	off    int64  // of buf[0] in the file
	buf    []byte // that is not written yet
	footer []byte
	parser parser

	// The run that is being written.
	queue     uint32
	transient bool
	from      int // its first block
	sizes     []byte
	at        int // in buf: where the block begins
	open      bool
	block     block
}

// flushAt is how many bytes are written at once.
const flushAt = 1 << 20

// newPage begins a page file. Who calls it removes the file if finish is not reached.
func (s *Store) newPage(number uint32) (*pageWriter, error) {
	name := pageName(number)
	f, err := s.dir.Create(name)
	if err != nil {
		return nil, &WriteError{"creation", name, err}
	}
	w := &pageWriter{
		page: &page{number: number, name: name, tender: &s.tender}, id: s.id, salt: newSalt(s.id, number),
		f: f, parser: parser{names: &s.names}, buf: s.tender.buf[:0],
	}
	w.buf = append(w.buf, w.salt.header(s.id, number)...)
	return w, nil
}

// begin begins a run.
func (w *pageWriter) begin(queue uint32, transient bool) {
	w.queue, w.transient, w.from, w.sizes = queue, transient, len(w.page.blocks), w.sizes[:0]
}

// add adds a message: its place, and its content with the body. Its position is behind
// those of the run before it.
func (w *pageWriter) add(p *place, content []byte) error {
	body, err := bodyLen(content)
	if err != nil {
		return err
	}
	var room [96]byte
	p.flags &^= isShared
	head := p.append(room[:0])
	n := len(head) + len(content)
	b := &w.block
	if w.open && (b.len == blockLen || len(w.buf)-w.at+n > blockBytes || p.pos-b.first > 1<<32-1) {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	if !w.open {
		w.open, w.at = true, len(w.buf)
		w.buf = append(w.buf, make([]byte, blockHeader)...)
		*b = block{first: p.pos, off: w.off + int64(w.at)}
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(n))
	w.buf = append(append(w.buf, head...), content...)
	b.add(p.pos)
	b.bytes += uint32(body)
	b.timed += uint16(p.timed())
	if p.at != 0 {
		if b.times == nil {
			b.times = new(times)
		}
		mark, err := w.mark(content)
		if err != nil {
			return err
		}
		b.times.add(p.at, mark)
	}
	w.sizes = binary.AppendUvarint(w.sizes, uint64(newSize(body, p.timed())))
	return nil
}

// mark is the mark of a message's filter value.
func (w *pageWriter) mark(content []byte) (uint64, error) {
	var e message.Entry
	if err := w.parser.parse(content, &e); err != nil {
		return 0, err
	}
	return Mark(message.FilterValue(e.Content)), nil
}

// add notes one more position.
func (b *block) add(pos uint64) {
	d := uint32(pos - b.first)
	if b.deltas == nil && d != uint32(b.len) {
		b.deltas = make([]uint32, b.len, blockLen)
		for i := range b.deltas {
			b.deltas[i] = uint32(i)
		}
	}
	if b.deltas != nil {
		b.deltas = append(b.deltas, d)
	}
	b.span = d
	b.len++
}

// endBlock ends a block.
func (w *pageWriter) endBlock() error {
	rec := w.buf[w.at:]
	b := w.block
	b.size = uint32(len(rec))
	b.deltas = slices.Clip(slices.Clone(b.deltas))
	order.PutUint32(rec[4:], b.size-blockHeader)
	order.PutUint32(rec[8:], w.queue)
	order.PutUint16(rec[12:], b.len)
	if w.transient {
		order.PutUint16(rec[14:], blockTransient)
	}
	order.PutUint32(rec, w.salt.sum(rec[4:], b.off))
	w.page.blocks = append(w.page.blocks, b)
	w.page.total += int64(b.len)
	w.open = false
	if len(w.buf) >= flushAt {
		return w.flush()
	}
	return nil
}

func (w *pageWriter) flush() error {
	if _, err := w.f.Write(w.buf); err != nil {
		return &WriteError{"write", w.page.name, err}
	}
	w.off += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// end ends a run.
func (w *pageWriter) end() error {
	if w.open {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	if w.from == len(w.page.blocks) {
		return nil
	}
	part := w.page.blocks[w.from:]
	w.footer = appendPart(w.footer, w.queue, w.transient, part, w.sizes)
	w.page.runs = append(w.page.runs, &run{transient: w.transient, level: uint8(part[0].first >> levelShift), left: len(part)})
	return nil
}

// finish ends the file, which is on the disk then, but its name is not. All messages
// live.
func (w *pageWriter) finish() (*page, error) {
	b := binary.AppendUvarint(nil, uint64(len(w.page.runs)))
	b = append(b, w.footer...)
	at := len(w.buf)
	w.buf = append(w.buf, b...)
	w.buf = order.AppendUint32(w.buf, uint32(len(b)))
	w.page.check = w.salt.sum(w.buf[at:], w.off+int64(at))
	w.buf = order.AppendUint32(w.buf, w.page.check)
	w.buf = append(w.buf, pageEnd...)
	if err := w.flush(); err != nil {
		return nil, err
	}
	if err := w.f.Sync(); err != nil {
		return nil, &WriteError{"sync", w.page.name, err}
	}
	p := w.page
	p.size = w.off
	p.f = w.f
	p.users.Store(1)
	at = 0
	for _, r := range p.runs { // until now left was the number of blocks
		n := r.left
		r.page, r.blocks, r.left = p, p.blocks[at:at+n:at+n], 0
		at += n
	}
	return p, nil
}

// discard ends the writing of a file that is not finished.
func (w *pageWriter) discard(dir files.Dir) {
	_ = w.f.Close()
	_ = dir.Remove(w.page.name) // if it stays, the next Open removes it
}
