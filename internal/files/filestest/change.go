package filestest

// staleBytes is how much is kept of what was in removed files.
const staleBytes = 1 << 20

// change is a change of names: a file comes if from is empty, goes if to is, and
// changes its name if neither is.
type change struct {
	from, to string
	inode    *inode
}

// apply makes a change in a directory.
func (c change) apply(names map[string]*inode) {
	if c.from != "" {
		for name, i := range names {
			// Also an older name, if the change that took it away was not made.
			if i == c.inode && (c.to != "" || name == c.from) {
				delete(names, name)
			}
		}
	}
	if c.to != "" {
		names[c.to] = c.inode
	}
}

// change makes a change in the running system. d.mu is held.
func (d *Dir) change(c change) {
	if d.names == nil {
		d.names = make(map[string]*inode)
	}
	before := d.names[c.to]
	if c.to == "" {
		before = c.inode
	}
	if before != nil {
		before.gone = true
		d.space += int64(len(before.data))
		if d.holds {
			d.stale = append(d.stale, before.data...)
			d.stale = d.stale[max(0, len(d.stale)-staleBytes):]
		}
	}
	c.apply(d.names)
	d.pending = append(d.pending, c)
}
