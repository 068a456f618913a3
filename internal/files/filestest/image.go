package filestest

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes as a whole.
const sector = 512

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
		image.names[name] = &inode{data: data, clean: len(data)}
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
	for k := len(made) - 1; k >= 0; k-- {
		if !made[k] || d.pending[k].to == "" {
			continue
		}
		for j := k - 1; j >= 0; j-- {
			if d.pending[j].to == d.pending[k].to {
				break
			}
			if d.pending[j].from == d.pending[k].to {
				made[j] = made[j] || d.pending[j].to != ""
				break
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

// image is what the disk may hold of a file.
func (i *inode) image(rnd *rand.Rand, stale []byte) []byte {
	data := slices.Clone(i.data)
	likely := chance(rnd)
	for _, s := range i.lost {
		i.tear(data, s, likely, rnd, stale)
	}
	tail := span{i.clean, len(data)}
	i.tear(data, tail, likely, rnd, stale)
	// The length is written by itself, too.
	switch rnd.IntN(4) {
	case 0:
		data = data[:tail.from+rnd.IntN(tail.to-tail.from+1)]
	case 1:
		if ends := append([]int{tail.from}, i.ends...); len(ends) > 1 {
			data = data[:ends[rnd.IntN(len(ends))]]
		}
	}
	return data
}

// tear takes some sectors of a part away from data.
func (i *inode) tear(data []byte, s span, likely float64, rnd *rand.Rand, stale []byte) {
	for from := s.from; from < s.to; {
		to := min((from/sector+1)*sector, s.to)
		if rnd.Float64() >= likely {
			// Perhaps it arrived before a later write added to it.
			keep := from
			for _, end := range i.ends {
				if from < end && end < to && rnd.IntN(2) == 0 {
					keep = end
				}
			}
			clear(data[keep:to])
			if len(stale) > 0 && rnd.IntN(2) == 0 {
				copy(data[keep:to], stale[rnd.IntN(len(stale)):])
			}
		}
		from = to
	}
}

// chance is how likely it is that something arrived: never, always or between.
func chance(rnd *rand.Rand) float64 {
	switch rnd.IntN(6) {
	case 0:
		return 0
	case 1:
		return 1
	}
	return rnd.Float64()
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
			copies[i] = &inode{data: slices.Clone(i.data), clean: i.clean, ends: slices.Clone(i.ends), lost: slices.Clone(i.lost), gone: i.gone}
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
