package store

import (
	"encoding/binary"
)

// generation is a part of the log: the files from one with a head record up to the next
// such one. It becomes a page file as a whole. As a rule it is one file; each failure of
// the disk adds one.
type generation struct {
	number uint64
	start  Seq // of its head
}

// newGeneration lets the log go on in a new file. crashed says that all messages that
// there are count as redelivered. It returns the number of the head.
func (s *Store) newGeneration(crashed bool) Seq {
	s.fan.Lock()
	s.generation++
	number := s.generation
	head := binary.AppendVarint(binary.AppendUvarint(nil, uint64(number)), s.now())
	if crashed {
		head = append(head, 1)
	} else {
		head = append(head, 0)
	}
	seq := s.log.AppendFirst(kindHead, head)
	s.fan.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generations = append(s.generations, generation{uint64(number), seq})
	return seq
}

// written returns how many bytes the generation that is being written has, or is about to
// have, in files, and the number of a record that is appended now.
func (s *Store) written() (bytes int64, now Seq) {
	s.mu.Lock()
	start := s.generations[len(s.generations)-1].start
	s.mu.Unlock()
	now = s.appendTime()
	end := start
	for _, f := range s.log.Files() {
		if f.First >= start {
			bytes += f.Size
			end = f.End
		}
	}
	return bytes + int64(now-end), now
}

// full returns the oldest generation if it is not the one that is being written, and the
// head of the next one.
func (s *Store) full() (g generation, end Seq, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.generations) < 2 {
		return g, 0, false
	}
	return s.generations[0], s.generations[1].start, true
}

// lag is how many generations wait to become page files.
func (s *Store) lag() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.generations) - 1
}
