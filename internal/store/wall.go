package store

import (
	"encoding/binary"
	"time"
)

// setWall sets which time it is, in milliseconds of Unix time.
func (s *Store) setWall(now int64) {
	s.wall.Store(now*int64(time.Millisecond) - s.opt.Clock.Now())
}

// now is the time in milliseconds of Unix time. It never goes back while the store is
// open, and not to before it was closed.
func (s *Store) now() int64 { return (s.wall.Load() + s.opt.Clock.Now()) / int64(time.Millisecond) }

// wallOf converts a time on the clock to milliseconds of Unix time; zero stays zero. It
// rounds up, so that nothing expires early.
func (s *Store) wallOf(at int64) int64 {
	if at == 0 {
		return 0
	}
	return (s.wall.Load() + at + int64(time.Millisecond) - 1) / int64(time.Millisecond)
}

// clockOf is the opposite of wallOf. What was before the clock began becomes one.
func (s *Store) clockOf(wall int64) int64 {
	if wall == 0 {
		return 0
	}
	return max(1, wall*int64(time.Millisecond)-s.wall.Load())
}

// appendTime appends the time to the log and returns the number of the record: all
// others that were appended before have lower ones.
func (s *Store) appendTime() Seq {
	return s.log.Append(kindTime, binary.AppendVarint(nil, s.now()), nil)
}

// At returns what the clock shows at a time. If the time of the system has been set back
// since the store was written, that is later than the clock itself would say.
func (s *Store) At(t time.Time) int64 {
	const far = 200 * 365 * 24 * time.Hour // from 1970: more would not fit
	unix := t.Sub(time.Unix(0, 0))
	return max(1, int64(max(-far, min(unix, far)))-s.wall.Load())
}
