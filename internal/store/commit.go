package store

import "slices"

// commit replaces the index: generations before the one with a number do not count any
// more, nor do page files without living messages, which are removed.
func (s *Store) commit(generation uint64) error {
	t := &s.tender
	x := index{id: s.id, generation: generation, next: t.nextPage, time: s.now(), guessed: generation <= t.guessed}
	s.mu.Lock()
	x.head = s.generations[len(s.generations)-1].number
	pages := slices.Clone(s.pages)
	queues := s.allQueues()
	s.mu.Unlock()
	var dead []*page
	for _, p := range pages {
		if p.living.Load() == 0 {
			dead = append(dead, p)
			continue
		}
		x.pages = append(x.pages, indexPage{number: p.number, check: p.check, size: p.size, status: p.appendStatus(nil)})
	}
	for _, k := range queues {
		k.index(&x)
	}
	// What was settled just now is in the index already. It may count only when what came
	// before it is stored: the message that a dead letter became, say.
	if err := s.waitStored(s.appendTime()); err != nil {
		return err
	}
	if err := x.write(s.dir); err != nil {
		return err
	}
	t.indexed = generation
	s.mu.Lock()
	s.pages = slices.DeleteFunc(s.pages, func(p *page) bool { return slices.Contains(dead, p) })
	s.mu.Unlock()
	for _, p := range dead {
		t.discard = append(t.discard, p.name)
		p.release()
	}
	return nil
}

// index adds what the index says of a queue.
func (k *Queue) index(x *index) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.lanes {
		x.lanes = append(x.lanes, indexLane{k.id, l.next, l.seen})
	}
	for pos, m := range k.marks {
		x.marks = append(x.marks, indexMark{k.id, pos, m})
	}
}

// cleanUp removes files that nobody needs.
func (s *Store) cleanUp() error {
	s.mu.Lock()
	dead := slices.ContainsFunc(s.pages, func(p *page) bool { return p.living.Load() == 0 })
	s.mu.Unlock()
	if dead {
		if err := s.commit(s.tender.indexed); err != nil {
			return err
		}
	}
	return s.removeFiles()
}
