package journal

import (
	"io"

	"github.com/warrenmq/warren/internal/files"
)

const window = 256 << 10

// reader reads a file from front to back through a window in memory.
type reader struct {
	f    io.ReaderAt
	name string
	salt salt
	size int64
	at   int64 // of buf[0]
	buf  []byte
}

// newReader reads what a file has now.
func newReader(f files.File, name string, s salt) (*reader, error) {
	n, err := f.Size()
	if err != nil {
		return nil, readError(name, err)
	}
	return &reader{f: f, name: name, salt: s, size: n}, nil
}

// bytes gives n bytes that are in the file, until the next call.
func (r *reader) bytes(off int64, n int) ([]byte, error) {
	if i := off - r.at; i >= 0 && i+int64(n) <= int64(len(r.buf)) {
		return r.buf[i : i+int64(n)], nil
	}
	want := int(min(int64(max(n, window)), r.size-off))
	if want < n {
		return nil, readError(r.name, io.ErrUnexpectedEOF)
	}
	if cap(r.buf) < want {
		r.buf = make([]byte, want)
	}
	r.buf, r.at = r.buf[:want], off
	if got, err := r.f.ReadAt(r.buf, off); got < want {
		r.buf = r.buf[:0]
		return nil, readError(r.name, err)
	}
	return r.buf[:n], nil
}

// record is the record at an offset of a file of which end bytes count, with its header;
// nil if there is none.
func (r *reader) record(off, end int64) ([]byte, error) {
	if off+recordHeader > end {
		return nil, nil
	}
	head, err := r.bytes(off, recordHeader)
	if err != nil {
		return nil, err
	}
	n, ok := r.salt.plausible(head, off)
	if !ok || off+n > end {
		return nil, nil
	}
	rec, err := r.bytes(off, int(n))
	if err != nil || !r.salt.good(rec, off) {
		return nil, err
	}
	return rec, nil
}

// walk gives the records between two offsets to record, in order, and what is between
// them to bad. What is in skip is passed over.
func (r *reader) walk(from, to int64, skip []gap, record func(off int64, rec []byte) error, bad func(gap)) error {
	end := min(to, r.size)
	for off := from; off < end; {
		if i := find(skip, off); i >= 0 {
			off = skip[i].To
			continue
		}
		rec, err := r.record(off, end)
		if err != nil {
			return err
		}
		if rec == nil {
			next, err := r.next(off+1, end)
			if err != nil {
				return err
			}
			bad(gap{off, next})
			off = next
			continue
		}
		n := int64(len(rec))
		if err := record(off, rec); err != nil {
			return err
		}
		off += n
	}
	return nil
}

func find(skip []gap, off int64) int {
	for i, g := range skip {
		if g.From <= off && off < g.To {
			return i
		}
	}
	return -1
}

// next is the offset of the first record from off on, or end.
func (r *reader) next(off, end int64) (int64, error) {
	for ; off < end; off++ {
		rec, err := r.record(off, end)
		if err != nil {
			return 0, err
		}
		if rec != nil {
			return off, nil
		}
	}
	return end, nil
}

// markOf is what a mark says; ok is false for other records.
func markOf(rec []byte, off int64) (synced int64, ok bool) {
	if rec[8] != kindMark || len(rec) != markSize {
		return 0, false
	}
	synced = int64(order.Uint64(rec[recordHeader:]))
	return synced, synced >= fileHeader && synced <= off
}
