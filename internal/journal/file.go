package journal

import (
	"fmt"
	"slices"
	"sort"

	"github.com/warrenmq/warren/internal/files"
)

// file is one of a journal's. Its number, name and handle never change.
type file struct {
	number uint32
	name   string
	f      files.File

	offered bool // a manifest may name it; the writer's

	// Guarded by the journal's mu; the writer alone changes those of its file.
	first  Seq   // of its first record
	end    int64 // of what counts in it
	synced int64 // all before is on the disk, and the file in the manifest
	marked int64 // the highest offset that a mark in it has told
	named  bool  // it is in the manifest
	sealed bool  // and so is a later one, or the journal was closed
	runs   []run // ascending
	skip   []gap // damaged, and known to be
}

// FileInfo tells of a file of a journal.
type FileInfo struct {
	Number     uint32
	Size       int64 // bytes
	First, End Seq   // its records' numbers are from First to below End
	Sealed     bool  // nothing will be added any more: it can be scanned and removed
}

func (o *Options) fileName(number uint32) string {
	return fmt.Sprintf("%s%08d.log", o.Prefix, number)
}

// place is where a record begins; the file is nil if it is in none. mu is held.
func (j *Journal) place(seq Seq) (f *file, off int64) {
	i := sort.Search(len(j.files), func(i int) bool { return j.files[i].first > seq }) - 1
	if i < 0 {
		return nil, 0
	}
	f = j.files[i]
	k := sort.Search(len(f.runs), func(k int) bool { return f.runs[k].seq > seq }) - 1
	if k < 0 {
		return nil, 0
	}
	r, end := f.runs[k], f.end
	if k+1 < len(f.runs) {
		end = f.runs[k+1].at
	}
	if off = r.at + int64(seq-r.seq); off >= end {
		return nil, 0
	}
	return f, off
}

// seq is the number of the record at an offset of f. mu is held.
func (f *file) seq(off int64) Seq {
	k := sort.Search(len(f.runs), func(k int) bool { return f.runs[k].at > off }) - 1
	if k < 0 {
		return 0
	}
	return f.runs[k].seq + Seq(off-f.runs[k].at)
}

// last is the number behind the last record of f. mu is held.
func (f *file) last() Seq {
	if len(f.runs) == 0 {
		return f.first
	}
	r := f.runs[len(f.runs)-1]
	return r.seq + Seq(f.end-r.at)
}

// cut forgets what is behind an offset. mu is held.
func (f *file) cut(end int64) {
	f.end = end
	for len(f.runs) > 0 && f.runs[len(f.runs)-1].at >= end {
		f.runs = f.runs[:len(f.runs)-1]
	}
}

// Files tells of all files, in order.
func (j *Journal) Files() []FileInfo {
	j.mu.Lock()
	defer j.mu.Unlock()
	infos := make([]FileInfo, 0, len(j.files))
	for _, f := range j.files {
		infos = append(infos, FileInfo{Number: f.number, Size: f.end, First: f.first, End: f.last(), Sealed: f.sealed})
	}
	return infos
}

// File is the number of the file that a record was written to, or 0.
func (j *Journal) File(seq Seq) uint32 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if f, _ := j.place(seq); f != nil {
		return f.number
	}
	return 0
}

// create makes the next file the one that is written to. It does not count before a
// manifest names it: see sync.
func (j *Journal) create() error {
	number := j.nextNumber()
	f := &file{number: number, name: j.opt.fileName(number), end: fileHeader, synced: fileHeader, marked: fileHeader}
	h, err := j.dir.Create(f.name)
	if err != nil {
		return &FailedError{"creation", f.name, err}
	}
	f.f = h
	if _, err := h.Write(header(j.id, number)); err != nil {
		j.drop(f)
		return &FailedError{"write", f.name, err}
	}
	j.cur = f
	j.mu.Lock()
	defer j.mu.Unlock()
	f.first = j.taken // until it has a record
	j.files = append(j.files, f)
	return nil
}

func (j *Journal) nextNumber() uint32 {
	j.manifest.Lock()
	defer j.manifest.Unlock()
	j.number++
	return j.number - 1
}

// drop removes a file: at once if no manifest can name it, so that what did not fit
// on a full disk takes no room there, or when a manifest without it is on the disk.
func (j *Journal) drop(f *file) {
	_ = f.f.Close()
	if !f.offered && j.dir.Remove(f.name) == nil {
		return
	}
	j.manifest.Lock()
	defer j.manifest.Unlock()
	j.discard = append(j.discard, f.name)
}

// name puts the file that is written to, all of which is synced, into the manifest.
// That ends the files before it.
func (j *Journal) name(f *file) error {
	j.manifest.Lock()
	defer j.manifest.Unlock()
	// The file's own name first: a manifest must not outlive what it names.
	if err := j.dir.Sync(); err != nil {
		return &FailedError{"sync of the directory", f.name, err}
	}
	f.offered = true
	j.mu.Lock()
	all := slices.Clone(j.files)
	j.mu.Unlock()
	if err := j.writeManifest(all, false); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	f.named = true
	for _, o := range j.files {
		if o != f && !o.sealed {
			o.sealed = true
			j.sealed = append(j.sealed, o.number)
		}
	}
	return nil
}

// Remove removes a sealed file, and with it its records. When it returns nil they will
// not be replayed any more. After an error it may be called again.
func (j *Journal) Remove(number uint32) error {
	j.manifest.Lock()
	defer j.manifest.Unlock()
	j.mu.Lock()
	f, err := j.sealedFile(number)
	rest := slices.DeleteFunc(slices.Clone(j.files), func(o *file) bool { return o == f || !o.named })
	j.mu.Unlock()
	if err != nil {
		return err
	}
	j.discard = append(j.discard, f.name)
	if err := j.writeManifest(rest, j.clean); err != nil {
		j.discard = slices.DeleteFunc(j.discard, func(name string) bool { return name == f.name })
		return err
	}
	j.mu.Lock()
	j.files = slices.DeleteFunc(j.files, func(o *file) bool { return o == f })
	j.mu.Unlock()
	return f.f.Close()
}

// sealedFile is the file with a number, if it is sealed. mu is held.
func (j *Journal) sealedFile(number uint32) (*file, error) {
	i := slices.IndexFunc(j.files, func(f *file) bool { return f.number == number })
	switch {
	case j.finished || j.gone:
		return nil, ErrClosed
	case i < 0:
		return nil, ErrRemoved
	case !j.files[i].sealed:
		return nil, ErrInUse
	}
	return j.files[i], nil
}
