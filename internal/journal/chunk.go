package journal

const (
	chunkSize   = 64 << 10
	writeChunks = 4 // that are written at once, without a wait for more
)

// chunk is a piece of memory with records one behind the other. Until the writer takes
// it, it is guarded by the journal's lock, and then it is the writer's.
type chunk struct {
	base  Seq    // of the first record that was put in
	buf   []byte // records; there is always room for a mark behind them
	voids bool   // some are to be dropped
	fresh bool   // begins a new file
	mark  bool   // numbers for a mark are kept free behind it
	runs  []run  // where records are in buf, once it is tidy
}

// run is a stretch of records whose numbers grow as their places do.
type run struct {
	seq Seq
	at  int64 // in a chunk, or in a file
}

func newChunk(n int) *chunk {
	return &chunk{buf: make([]byte, 0, max(n, chunkSize)+markSize)}
}

// fits says whether n more bytes have room.
func (c *chunk) fits(n int) bool { return len(c.buf)+n <= cap(c.buf)-markSize }

// tidy closes up what was dropped, and sets runs. It is called once, before the first
// write.
func (c *chunk) tidy() {
	c.runs = c.runs[:0]
	if !c.voids {
		if len(c.buf) > 0 {
			c.runs = append(c.runs, run{c.base, 0})
		}
		return
	}
	to, gap := 0, true
	for from := 0; from < len(c.buf); {
		n := size(c.buf[from:])
		if c.buf[from+8] == kindVoid {
			from, gap = from+n, true
			continue
		}
		if gap {
			c.runs = append(c.runs, run{c.base + Seq(from), int64(to)})
			gap = false
		}
		copy(c.buf[to:], c.buf[from:from+n])
		from, to = from+n, to+n
	}
	c.buf, c.voids = c.buf[:to], false
}

// seal makes the records those of a file, from an offset on.
func (c *chunk) seal(s salt, off int64) {
	for at := 0; at < len(c.buf); {
		n := size(c.buf[at:])
		s.seal(c.buf[at:at+n], off+int64(at))
		at += n
	}
}

// merge takes over the records of o, which are the next ones, if they fit.
func (c *chunk) merge(o *chunk) bool {
	if !c.fits(len(o.buf)) {
		return false
	}
	at := int64(len(c.buf))
	c.buf = append(c.buf, o.buf...)
	for _, r := range o.runs {
		c.runs = join(c.runs, run{r.seq, r.at + at})
	}
	return true
}

// join appends a run, unless it goes on where the last one is.
func join(runs []run, r run) []run {
	if n := len(runs); n > 0 && r.at-runs[n-1].at == int64(r.seq-runs[n-1].seq) {
		return runs
	}
	return append(runs, r)
}

// pool has chunks of the usual size to be used again. The journal's lock guards it.
type pool struct{ chunks []*chunk }

const (
	// mostFree is how many chunks are kept while there is something to write.
	mostFree = 64
	// mostIdle is how many are kept otherwise.
	mostIdle = 4
)

// get gives an empty chunk with room for n bytes.
func (p *pool) get(n int) *chunk {
	if last := len(p.chunks) - 1; n <= chunkSize && last >= 0 {
		c := p.chunks[last]
		p.chunks[last] = nil
		p.chunks = p.chunks[:last]
		return c
	}
	return newChunk(n)
}

func (p *pool) put(c *chunk) {
	if cap(c.buf) == chunkSize+markSize && len(p.chunks) < mostFree {
		*c = chunk{buf: c.buf[:0], runs: c.runs[:0]}
		p.chunks = append(p.chunks, c)
	}
}

// idle gives up what is not needed while there is nothing to write.
func (p *pool) idle() {
	if len(p.chunks) > mostIdle {
		p.chunks = append([]*chunk(nil), p.chunks[:mostIdle]...)
	}
}
