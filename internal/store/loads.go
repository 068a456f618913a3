package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/message"
)

// loads are the goroutines that read what Load asks for, in the order in which it was
// asked. They are there only while there is something to read.
type loads struct {
	store *Store
	quit  chan struct{} // closed by stop
	group sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	waiting []*plan
	running int
	stopped bool
}

// mostLoads is how many blocks are read at the same time, for all queues.
const mostLoads = 4

func (l *loads) init(s *Store) { l.store, l.quit = s, make(chan struct{}) }

// add lets a plan be read.
func (l *loads) add(p *plan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		p.release()
		return
	}
	l.waiting = append(l.waiting, p)
	if l.running < mostLoads {
		l.running++
		l.group.Go(l.run)
	}
}

// stop ends all loads; the takers of those that were not read are told nothing. It waits
// for those that are being read, until ctx ends.
func (l *loads) stop(ctx context.Context) {
	l.mu.Lock()
	if !l.stopped {
		l.stopped = true
		close(l.quit)
	}
	for _, p := range l.waiting {
		p.release()
	}
	l.waiting = nil
	l.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		l.group.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done(): // they only read
	}
}

func (l *loads) next() *plan {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running--
		l.waiting = nil
		return nil
	}
	p := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	return p
}

func (l *loads) run() {
	r := loader{s: l.store, parser: parser{names: &l.store.names}}
	for {
		p := l.next()
		if p == nil {
			return
		}
		if b := r.load(p); b != nil {
			p.k.taker.Loaded(b)
		}
	}
}

// loader reads blocks, one after the other.
type loader struct {
	s      *Store
	parser parser
	buf    []byte
}

// errMoved says that a message is not in the log any more.
var errMoved = errors.New("store: moved")

// load reads what a plan says. It is nil if the store is closed.
func (r *loader) load(p *plan) *Block {
	failed := false
	pause := time.Duration(0)
	for {
		b, err := r.read(p)
		p.release()
		if err != nil && !errors.Is(err, errMoved) { // the disk cannot be read, perhaps only now
			r.s.cannotRead(err, !failed)
			failed = true
			pause = max(pause, firstPause)
		}
		if err != nil {
			if !r.rest(pause) {
				return nil
			}
			pause = min(max(2*pause, firstPause), longPause) // what has moved is found at once as a rule
			b, p = r.again(p)
		}
		if b != nil {
			if failed {
				r.s.readAgain()
			}
			return b
		}
	}
}

// again makes a new plan for what could not be read; or the block, if nothing of it lives.
func (r *loader) again(p *plan) (*Block, *plan) {
	p.k.mu.Lock()
	next := p.k.plan(p.first, p.asked)
	p.k.mu.Unlock()
	if next == nil {
		return &Block{First: p.first, Last: p.asked}, nil
	}
	return nil, next
}

// rest waits before the next attempt, if the pause is not zero. It reports false if the
// store is closed.
func (r *loader) rest(pause time.Duration) bool {
	if pause == 0 {
		return true
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.s.loads.quit:
		return false
	}
}

// read reads the messages of a plan.
func (r *loader) read(p *plan) (*Block, error) {
	b := &Block{First: p.first, Last: p.last}
	var lost []planBlock
	for i := range p.blocks {
		err := r.readBlock(b, p, &p.blocks[i])
		if isDamage(err) {
			err = r.readBlock(b, p, &p.blocks[i]) // it may have been the way to the disk
		}
		if isDamage(err) {
			b.Damage = err
			lost = append(lost, p.blocks[i])
		} else if err != nil {
			return nil, err
		}
	}
	b.grow(len(p.records))
	for _, rec := range p.records {
		err := r.readRecord(b, p, rec)
		if isDamage(err) {
			b.Damage = err
			b.Count.Len++
			r.s.giveUpRecord(p.k, rec, err)
		} else if err != nil {
			return nil, err
		}
	}
	for _, l := range lost {
		b.Count.sum(r.s.giveUp(l.run, l.block, p.first, p.last, b.Damage))
	}
	b.sort()
	return b, nil
}

func isDamage(err error) bool {
	var damage *journal.DamagedError
	return errors.As(err, &damage)
}

// readBlock reads the living messages of a block that the plan asks for.
func (r *loader) readBlock(b *Block, p *plan, from *planBlock) error {
	page := from.run.page
	data, err := page.read(r.s.id, from.block, r.buf)
	if err != nil {
		return err
	}
	if cap(data) <= blockBytes+1<<10 {
		r.buf = data
	}
	n := len(b.Items)
	b.grow(from.living.count())
	err = eachRecord(data[blockHeader:], int(from.block.len), func(i int, pl *place, content []byte) error {
		if pl.pos != from.block.pos(i) || pl.queue != p.k.id {
			return errShort
		}
		if !from.living.has(i) || pl.pos < p.first || pl.pos > p.last {
			return nil
		}
		return r.add(b, p, pl, content)
	})
	if err != nil {
		b.Items, b.Times = b.Items[:n], b.Times[:n]
		return page.damaged(from.block, err.Error())
	}
	return nil
}

// grow makes room for n more items.
func (b *Block) grow(n int) {
	b.Items, b.Times = slices.Grow(b.Items, n), slices.Grow(b.Times, n)
}

// readRecord reads a message from the log.
func (r *loader) readRecord(b *Block, p *plan, from planRecord) error {
	kind, rec, err := r.readLog(from.seq)
	if err != nil {
		return err
	}
	rd := reader{b: rec}
	var pl, of place
	pl.read(&rd)
	if kind == kindCopy {
		r.s.mu.Lock()
		origin := r.s.origins[from.seq]
		r.s.mu.Unlock()
		if _, rec, err = r.readLog(origin); err != nil {
			return err
		}
		rd = reader{b: rec}
		of.read(&rd)
	}
	if rd.bad {
		return errShort
	}
	if pl.pos != from.pos || pl.queue != p.k.id {
		return errMoved
	}
	return r.add(b, p, &pl, rd.b)
}

// readLog reads a record of the log.
func (r *loader) readLog(seq Seq) (kind byte, rec []byte, err error) {
	kind, rec, err = r.s.log.Read(seq, nil)
	if errors.Is(err, journal.ErrNotWritten) {
		w := make(stored, 1)
		if done, err := r.s.log.Notify(seq, w); err == nil && !done {
			select {
			case <-w:
			case <-r.s.loads.quit:
			}
		}
		kind, rec, err = r.s.log.Read(seq, nil)
	}
	if errors.Is(err, journal.ErrRemoved) {
		err = errMoved
	}
	return kind, rec, err
}

// add adds a message to the block.
func (r *loader) add(b *Block, p *plan, pl *place, content []byte) error {
	it := message.Item{Pos: pl.pos, Deadline: r.s.clockOf(pl.deadline), Returns: pl.returns}
	it.Redelivered = pl.flags&isRedelivered != 0 || pl.pos < p.seen
	if err := r.parser.parse(content, &it.Entry); err != nil {
		return err
	}
	b.Items = append(b.Items, it)
	b.Times = append(b.Times, r.s.clockOf(pl.at))
	b.Count.add(newSize(len(it.Body), pl.timed()))
	return nil
}
