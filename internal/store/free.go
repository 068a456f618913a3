package store

// Free returns how many bytes of the disk are left for this process.
func (s *Store) Free() (int64, error) { return s.dir.Free() }
