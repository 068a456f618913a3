package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/journal"
)

const logPrefix = "log-"

// Owns reports whether a name is that of a file of a store.
func Owns(name string) bool {
	return name == indexName || name == indexName+".new" || strings.HasPrefix(name, pagePart) ||
		strings.HasPrefix(name, logPrefix) || strings.HasPrefix(name, damagedPart)
}

// isMade reports whether a file is one that only a store with an index has.
func isMade(name string) bool {
	return strings.HasPrefix(name, pagePart) || strings.HasPrefix(name, logPrefix)
}

// Open reads what is in a directory, which it locks until Close. known says which
// queues there still are; the messages of others are dropped. It fails with a
// *[files.LockedError] if another process uses the directory, with a
// *[journal.FormatError] if a newer program has written it, and with a
// *[journal.DamagedError], or several joined, if something cannot be read as it was
// written; nothing is changed then. With Options.Salvage it goes on without that.
func Open(dir files.Dir, o Options, known func(id uint32) bool) (*Store, error) {
	lock, err := dir.Lock()
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		c := clock.Start()
		o.Clock = &c
	}
	if o.FileSize <= 0 {
		o.FileSize = defaultFileSize
	}
	s := &Store{opt: o, dir: dir, lock: lock, queues: make(map[uint32]*Queue)}
	s.tender.init()
	s.loads.init(s)
	if err := s.recover(known); err != nil {
		for _, p := range s.pages {
			p.release()
		}
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// recover is Open's work.
func (s *Store) recover(known func(id uint32) bool) error {
	names, err := s.dir.List()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	r := &recoverer{s: s, known: known, names: names, time: time.Now().UnixMilli()}
	if err := r.readIndex(); err != nil {
		return err
	}
	if err := r.openPages(); err != nil {
		return err
	}
	for _, l := range r.index.lanes {
		if k := r.queue(l.queue); k != nil {
			lane := k.laneAt(l.next)
			lane.next, lane.seen = max(lane.next, l.next), l.seen
		}
	}
	for _, m := range r.index.marks {
		if k := r.queue(m.queue); k != nil {
			k.setMark(m.pos, m.mark)
		}
	}
	s.lookAt.Store(never)
	s.log, err = journal.Open(s.dir, journal.Options{
		Prefix: logPrefix, FileSize: 1 << 62, Sync: s.opt.Sync, Salvage: s.opt.Salvage, State: s.tell,
	}, r.replay)
	if err != nil {
		return err
	}
	if err := r.loseContents(); err != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.log.Close(ctx) // nothing is to be written
		return err
	}
	r.finish()
	return nil
}

func newID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// recoverer is what Open needs beyond the store.
type recoverer struct {
	s     *Store
	known func(id uint32) bool
	names []string // of all files
	index *index
	time  int64 // the latest that is known of
	sizes map[*run]*part

	unsure     bool             // the index, which says which messages count as redelivered, was lost
	generation uint64           // of the records that are being replayed
	lost       map[name]name    // messages whose contents are not there, and where these were
	origins    map[name]content // of this generation, that copies may refer to
	dropped    map[uint32]int   // with Salvage: messages of queues that are not known
}

// name names a message.
type name struct {
	queue uint32
	pos   uint64
}

// queue returns a queue that there still is, or nil.
func (r *recoverer) queue(id uint32) *Queue {
	k := r.s.queues[id]
	if k == nil && r.known(id) {
		k = &Queue{store: r.s, id: id}
		r.s.queues[id] = k
	}
	return k
}

// readIndex reads the index, or makes one if there is nothing.
func (r *recoverer) readIndex() error {
	x, err := readIndex(r.s.dir)
	var damage *journal.DamagedError
	switch {
	case err != nil && !errors.As(err, &damage):
		return err
	case x == nil && err == nil && !slices.ContainsFunc(r.names, isMade):
		x = &index{id: newID(), generation: 1, next: 1}
		if err := x.write(r.s.dir); err != nil {
			return err
		}
	case x == nil:
		if damage == nil {
			damage = &journal.DamagedError{File: indexName, Reason: "it says which messages live, and is missing"}
		}
		if !r.s.opt.Salvage {
			return damage
		}
		if x, err = r.guessIndex(damage); err != nil {
			return err
		}
	}
	r.index = x
	r.s.id = x.id
	r.time = max(r.time, x.time)
	return nil
}

// finish makes the store ready when all was read.
func (r *recoverer) finish() {
	s := r.s
	// A part of the log that is lost may have said that messages count as redelivered.
	s.clean = s.log.Recovery().Clean && len(s.log.Recovery().Damaged) == 0 && !r.unsure
	s.setWall(r.time)
	for _, k := range s.queues {
		maps.DeleteFunc(k.marks, func(pos uint64, _ mark) bool { return !k.has(pos) })
		for _, l := range k.lanes {
			l.countOut(r.runSizes)
		}
	}
	s.tender.nextPage = r.index.next
	s.tender.indexed = r.index.generation
	if r.index.guessed {
		s.tender.guessed = max(r.generation, 1)
	}
	s.generation = uint32(max(r.generation, r.index.generation))
	for _, n := range r.names {
		if number, ok := pageNumber(n); ok && !slices.ContainsFunc(s.pages, func(p *page) bool { return p.number == number }) {
			s.tender.discard = append(s.tender.discard, n)
			s.tender.nextPage = max(s.tender.nextPage, number+1)
		}
	}
	for _, d := range s.log.Recovery().Damaged {
		s.report(d)
	}
	if torn := s.log.Recovery().Torn; torn != nil && s.opt.Logger != nil {
		s.opt.Logger.Warn("what was being written when the last broker ended without Close is cut off", "file", torn.File, "offset", torn.Offset, "bytes", torn.Bytes)
	}
	r.tellDropped()
	if !s.clean {
		s.seeAll()
	}
	head := s.newGeneration(!s.clean)
	// From now on a crash is one. If the disk is full the store opens nevertheless, so that
	// there can be less in it.
	_ = s.log.Wait(context.Background(), head)
	if s.unasked = len(s.queues); s.unasked == 0 {
		s.tender.start(s)
	}
}

// runSizes returns the sizes of a run's messages.
func (r *recoverer) runSizes(of *run) []size {
	n := 0
	for i := range of.blocks {
		n += int(of.blocks[i].len)
	}
	return r.sizes[of].readSizes(n)
}
