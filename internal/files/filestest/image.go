package filestest

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Image is what the disk may hold if the power is cut now (or was cut before). All
// that was synced is there. Of what was not, each sector of a file is there or is not,
// in no order; a sector that is not reads as zeros, and the file may be longer or
// shorter than what arrived. Each change of names that was not synced is made or is
// not. The image is a directory of its own, with all synced, no lock and no faults.
func (d *Dir) Image(rnd *rand.Rand) *Dir {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := d.diskNames(rnd)
	image := &Dir{names: make(map[string]*inode), holds: d.holds}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		data := names[name].image(rnd, d.stale)
		image.names[name] = &inode{data: data, clean: len(data), sized: len(data)}
	}
	image.disk = maps.Clone(image.names)
	return image
}

// diskNames makes some of the changes that are pending.
func (d *Dir) diskNames(rnd *rand.Rand) map[string]*inode {
	likely := chance(rnd)
	made := make([]bool, len(d.pending))
	for k := range made {
		made[k] = rnd.Float64() < likely
	}
	// Who takes a name that a file has given up by a rename cannot come before that
	// rename: else the file would have neither its old name nor its new one.
	for k, later := range slices.Backward(d.pending) {
		if !made[k] || later.to == "" {
			continue
		}
		for j, c := range d.pending[:k] {
			if c.from == later.to && c.to != "" {
				made[j] = true
			}
		}
	}
	names := maps.Clone(d.disk)
	if names == nil {
		names = make(map[string]*inode)
	}
	for k, c := range d.pending {
		if made[k] {
			c.apply(names)
		}
	}
	return names
}

// Clone is the directory as another process finds it after this one was killed: all
// that was written is there, but what was not synced still is not. It has no lock and
// no faults.
func (d *Dir) Clone() *Dir {
	d.mu.Lock()
	defer d.mu.Unlock()
	copies := make(map[*inode]*inode)
	clone := func(i *inode) *inode {
		if copies[i] == nil {
			copies[i] = i.clone()
		}
		return copies[i]
	}
	all := func(names map[string]*inode) map[string]*inode {
		to := make(map[string]*inode)
		for name, i := range names {
			to[name] = clone(i)
		}
		return to
	}
	c := &Dir{names: all(d.names), disk: all(d.disk), stale: slices.Clone(d.stale), holds: d.holds}
	for _, p := range d.pending {
		c.pending = append(c.pending, change{p.from, p.to, clone(p.inode)})
	}
	return c
}

// HoldStale lets images have pieces of files that were removed where a sector has
// not arrived, as some file systems do, in place of zeros only.
func (d *Dir) HoldStale() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds = true
}
