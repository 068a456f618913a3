package metrics

import (
	"strings"
	"sync"
)

// steadyCounter keeps a counter from going back. Prometheus takes a smaller value for a
// counter that began anew, and would show all of it as if it had come at once. Counts go
// back when a virtual host is deleted, and when a consumer that is cancelled gives back
// what it has not read.
type steadyCounter struct{ last, lost float64 }

// next returns what to show when the count is now.
func (c *steadyCounter) next(now float64) float64 {
	c.lost += max(0, c.last-now)
	c.last = now
	return now + c.lost
}

// steady are counters of the whole broker, by name.
type steady map[string]*steadyCounter

// apply corrects the counters among families, which have one sample each.
func (s steady) apply(families []Family) {
	for i := range families {
		f := &families[i]
		if f.Kind != Counter || len(f.Samples) != 1 {
			continue
		}
		c := s[f.Name]
		if c == nil {
			c = new(steadyCounter)
			s[f.Name] = c
		}
		f.Samples[0].Value = c.next(f.Samples[0].Value)
	}
}

// steadyObjects are counters of objects. They are kept for objects that exist.
type steadyObjects struct {
	mu sync.Mutex
	// Guarded by mu: by the name of a group and the labels of an object, a counter for
	// each metric of the group.
	groups map[string]map[string][]steadyCounter
}

// of returns the counters of objects with these labels. If all objects of the group are
// there, others are forgotten. mu is held.
func (s *steadyObjects) of(group string, metrics int, labels [][]string, all bool) [][]steadyCounter {
	before := s.groups[group]
	now := before
	if all || before == nil {
		now = make(map[string][]steadyCounter, len(labels))
		if s.groups == nil {
			s.groups = make(map[string]map[string][]steadyCounter)
		}
		s.groups[group] = now
	}
	list := make([][]steadyCounter, len(labels))
	for i, l := range labels {
		key := strings.Join(l, "\x00")
		c := before[key]
		if c == nil {
			c = make([]steadyCounter, metrics)
		}
		now[key], list[i] = c, c
	}
	return list
}
