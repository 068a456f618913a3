package filestest

import (
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes as a whole, in bytes.
const sector = 512

// inode is a file, whatever its name is. Its directory's lock guards it.
type inode struct {
	data  []byte // as a running system sees it
	clean int    // all before it was synced, or is in lost
	sized int    // the length that was synced
	ends  []int  // where writes ended that are behind clean, ascending
	lost  []span // what failed Syncs dropped: on the disk or not, for ever
	gone  bool   // it has no name any more
}

// span is a part of a file's data.
type span struct{ from, to int }

// sync is what a Sync does.
func (i *inode) sync(to int) {
	i.sized = max(i.sized, to)
	i.clear(to)
}

// drop is what a Sync does that fails.
func (i *inode) drop(to int) {
	if to > i.clean {
		i.lost = append(i.lost, span{i.clean, to})
	}
	i.clear(to)
}

// clear marks all before to as not waiting for a Sync any more.
func (i *inode) clear(to int) {
	i.clean = max(i.clean, to)
	k, _ := slices.BinarySearch(i.ends, i.clean+1)
	i.ends = i.ends[k:]
}

func (i *inode) clone() *inode {
	c := *i
	c.data, c.ends, c.lost = slices.Clone(i.data), slices.Clone(i.ends), slices.Clone(i.lost)
	return &c
}

// image is what the disk may hold of the file.
func (i *inode) image(rnd *rand.Rand, stale []byte) []byte {
	data := slices.Clone(i.data)
	likely := chance(rnd)
	for _, s := range append(slices.Clone(i.lost), span{i.clean, len(data)}) {
		i.tear(data, s, likely, rnd, stale)
	}
	// The length comes to the disk by itself.
	switch rnd.IntN(6) {
	case 0:
		data = data[:i.sized+rnd.IntN(len(data)-i.sized+1)]
	case 1:
		if len(i.ends) > 0 {
			data = data[:max(i.sized, i.ends[rnd.IntN(len(i.ends))])]
		}
	case 2:
		data = data[:min(len(data), (i.sized+rnd.IntN(len(data)-i.sized+1)+sector-1)/sector*sector)]
	case 3:
		data = data[:i.sized]
	}
	return data
}

// tear takes some sectors of a part away from data.
func (i *inode) tear(data []byte, s span, likely float64, rnd *rand.Rand, stale []byte) {
	for from := s.from; from < s.to; {
		to := min((from/sector+1)*sector, s.to)
		if rnd.Float64() >= likely {
			missing := data[from+i.early(from, to, rnd) : to]
			clear(missing)
			if len(stale) > 0 && rnd.IntN(2) == 0 {
				copy(missing, stale[rnd.IntN(len(stale)):])
			}
		}
		from = to
	}
}

// early is how many bytes of a sector arrived that is on the disk as it was before
// later writes added to it.
func (i *inode) early(from, to int, rnd *rand.Rand) int {
	a, _ := slices.BinarySearch(i.ends, from+1)
	b, _ := slices.BinarySearch(i.ends, to)
	if a == b || rnd.IntN(2) == 0 {
		return 0
	}
	return i.ends[a+rnd.IntN(b-a)] - from
}

// chance is how likely it is that a thing arrived: never, always or between.
func chance(rnd *rand.Rand) float64 {
	switch rnd.IntN(6) {
	case 0:
		return 0
	case 1:
		return 1
	}
	return rnd.Float64()
}
