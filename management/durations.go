package management

import (
	"time"

	"github.com/warrenmq/warren"
)

// durationsHistory has what handlers had needed at some times of the last minute, so
// that the times of the last minute can be told. It is kept while somebody asks for
// them.
type durationsHistory struct {
	asked  time.Time
	points []durationsPoint // oldest first
}

type durationsPoint struct {
	at time.Time
	of map[vhostHandler]warren.Durations
}

type vhostHandler struct {
	vhost string
	handlerKey
}

const (
	durationsStep = 15 * time.Second
	durationsKeep = 5 // points, which reach back a minute
	// maxTimedHandlers bounds the room: a handler needs about 2 KB in each point.
	maxTimedHandlers = 500
)

// sampleDurations adds a point, if it is time.
func (s *sampler) sampleDurations(now time.Time) {
	s.mu.Lock()
	d := &s.durations
	n := len(d.points)
	due := !d.asked.IsZero() && (n == 0 || now.Sub(d.points[n-1].at) >= durationsStep-time.Second)
	if now.Sub(d.asked) > sampleFor {
		*d, due = durationsHistory{}, false
	}
	s.mu.Unlock()
	if !due {
		return
	}
	p := durationsPoint{now, make(map[vhostHandler]warren.Durations)}
	for _, v := range s.broker.VirtualHosts() {
		for _, h := range v.Handlers() {
			if len(p.of) < maxTimedHandlers {
				p.of[vhostHandler{v.Name(), handlerKey{h.Queue, h.Tag}}] = h.Durations
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.asked.IsZero() {
		return // it has just gone to rest
	}
	if len(d.points) == durationsKeep {
		d.points = append(d.points[:0:0], d.points[1:]...)
	}
	d.points = append(d.points, p)
}

// lastMinute returns what handlers had needed a minute ago, or since when it is known.
func (s *sampler) lastMinute(now time.Time) map[vhostHandler]warren.Durations {
	s.mu.Lock()
	first := s.durations.asked.IsZero()
	s.durations.asked = now
	s.mu.Unlock()
	if first {
		s.sampleDurations(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.durations.points) == 0 || first {
		return nil
	}
	return s.durations.points[0].of
}
