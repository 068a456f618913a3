package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
)

// guessManifest takes all files that there are, and the journal's id from the first
// good header.
func (r *recoverer) guessManifest() error {
	j := r.j
	var ids [][16]byte
	r.lines, j.clean, j.recovery.Clean = nil, false, false
	for _, number := range slices.Sorted(maps.Keys(r.logs)) {
		name := r.logs[number]
		r.lines = append(r.lines, fileLine{Number: number, End: math.MaxInt64})
		j.number = max(j.number, number+1)
		f, err := j.dir.Open(name)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		head := make([]byte, fileHeader)
		_, err = f.ReadAt(head, 0)
		_ = f.Close()
		var id [16]byte
		copy(id[:], head[len(magic):])
		if err == nil && string(head) == string(header(id, number)) {
			ids = append(ids, id)
		}
	}
	switch {
	case len(r.lines) == 0:
		_, _ = rand.Read(j.id[:]) // it never fails
		return nil
	case len(ids) == 0:
		return r.error()
	}
	j.id = ids[0]
	r.lines[len(r.lines)-1].End = 0
	return nil
}

// setAside copies what is damaged to files of its own, and notes in the manifest what
// is to be passed over.
func (r *recoverer) setAside() error {
	j := r.j
	for i := range r.damages {
		d := &r.damages[i]
		if err := r.copyAside(d); err != nil {
			return err
		}
		if d.f != nil {
			d.f.skip = append(d.f.skip, d.gap)
		}
		j.recovery.Damaged = append(j.recovery.Damaged, &d.DamagedError)
	}
	if err := j.dir.Sync(); err != nil {
		return &FailedError{"sync of the directory", j.opt.manifestName(), err}
	}
	j.manifest.Lock()
	defer j.manifest.Unlock()
	return j.writeManifest(j.files, j.clean)
}

// copyAside copies what is damaged, unless it is missing.
func (r *recoverer) copyAside(d *damage) error {
	dir := r.j.dir
	from, err := dir.Open(d.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer func() { _ = from.Close() }()
	size, err := from.Size()
	if err != nil {
		return readError(d.File, err)
	}
	g := gap{0, size}
	if d.f != nil {
		g = gap{d.gap.From, min(d.gap.To, size)}
	}
	aside := fmt.Sprintf("%s.damaged-%d", d.File, g.From)
	if err := dir.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &FailedError{"removal", aside, err}
	}
	to, err := dir.Create(aside)
	if err != nil {
		return &FailedError{"creation", aside, err}
	}
	defer func() { _ = to.Close() }()
	buf := make([]byte, window)
	for off := g.From; off < g.To; {
		n := int(min(int64(len(buf)), g.To-off))
		if got, err := from.ReadAt(buf[:n], off); got < n {
			return readError(d.File, err)
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return &FailedError{"write", aside, err}
		}
		off += int64(n)
	}
	if err := to.Sync(); err != nil {
		return &FailedError{"sync", aside, err}
	}
	d.Aside = aside
	return nil
}
