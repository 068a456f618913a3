package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/warrenmq/warren/internal/files"
)

// recoverer finds out what of a journal's files counts.
type recoverer struct {
	j       *Journal
	logs    map[uint32]string // names of log files
	lines   []fileLine        // of the manifest
	damages []damage
	tail    *file // the file that was being written, if there was no Close
	whole   int64 // where its whole records end
}

// damage is a part of a file that had been synced.
type damage struct {
	DamagedError
	f   *file // nil for a manifest, and for what is missing
	gap gap
}

func (r *recoverer) error() error {
	var all []error
	for i := range r.damages {
		all = append(all, &r.damages[i].DamagedError)
	}
	return errors.Join(all...)
}

func (r *recoverer) damage(f *file, g gap, reason string) {
	r.damages = append(r.damages, damage{
		DamagedError: DamagedError{File: f.name, Offset: g.From, Bytes: g.To - g.From, Reason: reason}, f: f, gap: g,
	})
}

// open reads the manifest and all files that it names.
func (r *recoverer) open() error {
	j := r.j
	if err := r.readManifest(); err != nil {
		return err
	}
	for _, line := range r.lines {
		if err := r.openFile(line); err != nil {
			return err
		}
		delete(r.logs, line.Number)
	}
	for number, name := range r.logs { // they do not count: see stale
		j.discard = append(j.discard, name)
		j.number = max(j.number, number+1)
	}
	return nil
}

// openFile opens a file of the manifest and looks at all that is in it.
func (r *recoverer) openFile(line fileLine) error {
	j := r.j
	f := &file{number: line.Number, name: j.opt.fileName(line.Number), end: line.End, synced: line.Synced, skip: line.Skip, named: true}
	h, err := j.dir.Open(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		lost := max(line.End, line.Synced)
		if lost == math.MaxInt64 {
			lost = 0
		}
		r.damages = append(r.damages, damage{DamagedError: DamagedError{File: f.name, Bytes: lost, Reason: "it is missing"}})
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f.f = h
	j.files = append(j.files, f)
	rd, err := newReader(h, f.name, newSalt(j.id, f.number))
	if err != nil {
		return err
	}
	if err := r.checkHeader(f, rd); err != nil {
		return err
	}
	return r.checkRecords(f, rd)
}

func (r *recoverer) checkHeader(f *file, rd *reader) error {
	if find(f.skip, 0) >= 0 {
		return nil
	}
	if rd.size >= fileHeader {
		head, err := rd.bytes(0, fileHeader)
		if err != nil {
			return err
		}
		if string(head) == string(header(r.j.id, f.number)) {
			return nil
		}
	}
	r.damage(f, gap{0, fileHeader}, "its beginning is not what was written")
	return nil
}

// checkRecords finds what is damaged in a file, and where it ends.
func (r *recoverer) checkRecords(f *file, rd *reader) error {
	written := f.end == 0 // was being
	synced := max(f.synced, fileHeader)
	to := f.end
	if written {
		to = rd.size
	}
	var gaps []gap
	err := rd.walk(fileHeader, to, f.skip, func(off int64, rec []byte) error {
		if s, ok := markOf(rec, off); ok {
			synced = max(synced, s)
		}
		return nil
	}, func(g gap) { gaps = append(gaps, g) })
	if err != nil {
		return err
	}
	if written {
		r.tail, r.whole = f, rd.size
	} else {
		f.sealed = true
		synced = f.end
	}
	if f.end == math.MaxInt64 { // the manifest is lost
		if n := len(gaps); n > 0 && gaps[n-1].To == rd.size {
			gaps = gaps[:n-1]
		}
		synced = rd.size
	}
	f.end, f.synced, f.marked = synced, synced, synced
	if rd.size < f.end && find(f.skip, f.end-1) < 0 {
		gaps = append(gaps, gap{max(rd.size, fileHeader), f.end})
	}
	r.judge(f, gaps, rd.size)
	return nil
}

// judge says what bad parts of a file are: damage, if they had been synced, or torn.
func (r *recoverer) judge(f *file, gaps []gap, size int64) {
	var lost gap
	for _, g := range gaps {
		if g.From < f.end {
			if lost.To != g.From {
				r.judged(f, lost)
				lost = g
			}
			lost.To = min(g.To, f.end)
		}
		if g.To > f.end {
			r.whole = max(g.From, f.end)
			r.j.recovery.Torn = &DamagedError{File: f.name, Offset: r.whole, Bytes: size - r.whole, Reason: "it was being written, and not synced"}
			break
		}
	}
	r.judged(f, lost)
}

func (r *recoverer) judged(f *file, lost gap) {
	if lost.To > lost.From {
		r.damage(f, lost, notWritten)
	}
}

// takeTail appends the records that the last file has behind its last mark: they are
// written again, because nobody knows if they are on the disk.
func (r *recoverer) takeTail(replay func(seq Seq, kind byte, record []byte) error) error {
	j, f := r.j, r.tail
	if f == nil {
		return nil
	}
	rd, err := newReader(f.f, f.name, newSalt(j.id, f.number))
	if err != nil {
		return err
	}
	err = rd.walk(f.end, r.whole, nil, func(_ int64, rec []byte) error {
		if rec[8] > MaxKind {
			return nil
		}
		j.recovery.Records++
		kind, record := rec[8], rec[recordHeader:]
		return replay(j.Append(kind, record, nil), kind, record)
	}, func(gap) {})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.taken = j.next // Void is too late: they are in the old file
	return err
}

// stale says that the manifest is not the one that belongs to the files: one that it
// does not know has records that were synced. Files without these may be there: the
// removal or the creation was not on the disk yet.
func (r *recoverer) stale() (by string, err error) {
	for number, name := range r.logs {
		if number < r.j.number {
			continue
		}
		f, err := r.j.dir.Open(name)
		if err != nil {
			return "", fmt.Errorf("journal: %w", err)
		}
		marks, err := hasMarks(f, name, newSalt(r.j.id, number))
		_ = f.Close()
		if marks || err != nil {
			return name, err
		}
	}
	return "", nil
}

func hasMarks(f files.File, name string, s salt) (marks bool, err error) {
	rd, err := newReader(f, name, s)
	if err != nil {
		return false, err
	}
	return marks, rd.walk(fileHeader, rd.size, nil, func(off int64, rec []byte) error {
		_, ok := markOf(rec, off)
		marks = marks || ok
		return nil
	}, func(gap) {})
}
