package store

import "github.com/warrenmq/warren/internal/message"

// Barrier appends a record and returns its number: all that was noted before has lower
// ones.
func (s *Store) Barrier() Seq { return s.appendTime() }

// LoseLog removes all files of the log but the last one, although there are messages in
// them.
func (s *Store) LoseLog() error {
	for _, f := range s.log.Files() {
		if f.Sealed {
			if err := s.log.Remove(f.Number); err != nil {
				return err
			}
		}
	}
	return nil
}

// Generations is how many generations of the log have files.
func (s *Store) Generations() int { return s.lag() + 1 }

// Encode and Decode are the two ways of a message's content.
func Encode(e *message.Entry) []byte { return append(appendContent(nil, e), e.Body...) }

func Decode(b []byte) (e message.Entry, err error) {
	p := parser{names: new(interner)}
	return e, p.parse(b, &e)
}
