package filestest

import (
	"io/fs"
	"maps"
	"slices"
)

// Names are the names of all files, sorted.
func (d *Dir) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names))
}

// Bytes is a copy of what a file has, synced or not; nil if there is no such file.
func (d *Dir) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.names[name]
	if i == nil {
		return nil
	}
	return append([]byte{}, i.data...)
}

// Put sets what a file has, and makes it if there is none; all of it is synced, and
// so are the names. It is not counted as an operation. Who has the file open sees what
// it had before.
func (d *Dir) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.change(change{to: name, inode: &inode{data: slices.Clone(data), clean: len(data), sized: len(data)}})
	d.space -= int64(len(data))
	d.disk, d.pending = maps.Clone(d.names), nil
}

// Flip flips a bit of a file, in what was synced, too: the disk has gone bad. Bit 0
// is the lowest of the first byte. It fails if there is no such file or bit.
func (d *Dir) Flip(name string, bit int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.names[name]
	if i == nil {
		return &fs.PathError{Op: "flip", Path: name, Err: fs.ErrNotExist}
	}
	if bit < 0 || bit/8 >= int64(len(i.data)) {
		return &fs.PathError{Op: "flip", Path: name, Err: fs.ErrInvalid}
	}
	i.data[bit/8] ^= 1 << (bit % 8)
	return nil
}
