package queue

// View describes a queue at one moment, in more detail than Stats.
type View struct {
	Stats
	ReadyBytes int64  // of the bodies of ready messages
	OnDisk     int    // ready messages that are on disk only
	Active     string // tag of the single active consumer; empty: there is none
	Exclusive  string // tag of a consumer that has the queue for itself; empty: there is none
	LastUsed   int64  // on the clock, if the queue expires and has no consumer; else zero

	// Of a stream.
	Segments int
	First    uint64 // offset of the oldest message; if there is none, Next
	Next     uint64 // offset of the next message
}

// View returns a view of the queue now.
func (q *Queue) View() View {
	q.mu.Lock()
	defer q.mu.Unlock()
	v := View{Stats: q.stats()}
	if q.single && q.rare.active != nil {
		v.Active = q.rare.active.Tag
	}
	if c := q.consumers.first; c != nil && c.exclusive {
		v.Exclusive = c.Tag
	} else if c == nil && q.rules != nil && q.rules.Expires > 0 {
		v.LastUsed = q.seldom().lastUsed
	}
	if s := q.stream; s != nil {
		v.ReadyBytes, v.Segments, v.First, v.Next = s.bytes, len(s.segments), s.next, s.next
		for i, g := range s.segments {
			if i == 0 {
				v.First = g.first
			}
			if g.records == nil {
				v.OnDisk += g.len
			}
		}
		return v
	}
	v.ReadyBytes = q.store.bytes
	if q.paged {
		q.onShelves(func(s *shelf) bool {
			if s.out != nil {
				v.OnDisk += s.out.Len
			}
			return false
		})
	}
	return v
}
