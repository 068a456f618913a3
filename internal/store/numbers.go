package store

// Stored is the number below which all records are stored.
func (s *Store) Stored() Seq { return s.log.Stored() }

// Last is a number below those of all records from now on, and not below that of any so
// far. It is zero if there is none.
func (s *Store) Last() Seq { return s.log.Last() }

// Has reports whether there is a queue of a number.
func (s *Store) Has(id uint32) bool { return s.queue(id) != nil }
