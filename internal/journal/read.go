package journal

import (
	"fmt"
	"slices"
)

// Scan gives all records of a sealed file to fn, in order; fn keeps nothing of record,
// and its error ends the scan. A record that cannot be read as it was written gives a
// *[DamagedError], after those before it.
func (j *Journal) Scan(number uint32, fn func(seq Seq, kind byte, record []byte) error) error {
	j.mu.Lock()
	f, err := j.sealedFile(number)
	j.mu.Unlock()
	if err != nil {
		return err
	}
	r, err := newReader(f.f, f.name, newSalt(j.id, number))
	if err != nil {
		return err
	}
	end := f.end
	if r.size < end {
		return &DamagedError{File: f.name, Offset: r.size, Bytes: end - r.size, Reason: "it ends too early"}
	}
	var damaged error
	err = r.walk(fileHeader, end, f.skip, func(off int64, rec []byte) error {
		if damaged != nil || rec[8] > MaxKind {
			return damaged
		}
		return fn(f.seq(off), rec[8], rec[recordHeader:])
	}, func(g gap) {
		damaged = &DamagedError{File: f.name, Offset: g.From, Bytes: g.To - g.From, Reason: notWritten}
	})
	if err == nil {
		err = damaged
	}
	return err
}

const notWritten = "the records there are not what was written"

// Read reads a record that is in a file: it is appended to buf. See [ErrNotWritten]
// and [ErrRemoved].
func (j *Journal) Read(seq Seq, buf []byte) (kind byte, record []byte, err error) {
	j.mu.Lock()
	f, off := j.place(seq)
	if f == nil {
		defer j.mu.Unlock()
		return 0, nil, j.missing(seq)
	}
	end := f.end
	j.mu.Unlock()
	head := make([]byte, recordHeader)
	if _, err := f.f.ReadAt(head, off); err != nil {
		return 0, nil, j.readFailed(f, seq, err)
	}
	s := newSalt(j.id, f.number)
	n, ok := s.plausible(head, off)
	if !ok || off+n > end {
		return 0, nil, badRecord(f, off)
	}
	at := len(buf)
	buf = append(buf, make([]byte, n)...)
	rec := buf[at:]
	if _, err := f.f.ReadAt(rec, off); err != nil {
		return 0, nil, j.readFailed(f, seq, err)
	}
	if !s.good(rec, off) || rec[8] > MaxKind {
		return 0, nil, badRecord(f, off)
	}
	kind = rec[8]
	copy(rec, rec[recordHeader:])
	return kind, buf[:len(buf)-recordHeader], nil
}

// readFailed is why a record could not be read from a file, which may have been removed
// meanwhile.
func (j *Journal) readFailed(f *file, seq Seq, err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.Contains(j.files, f) {
		return readError(f.name, err)
	}
	return j.missing(seq)
}

// missing is why a record is in no file. mu is held.
func (j *Journal) missing(seq Seq) error {
	if seq >= j.stored && seq < j.next {
		return ErrNotWritten
	}
	return ErrRemoved
}

func badRecord(f *file, off int64) error {
	return &DamagedError{File: f.name, Offset: off, Reason: "there is no whole record"}
}

func readError(name string, err error) error {
	return fmt.Errorf("journal: read of %s: %w", name, err)
}
