package metrics

// steady keeps counters from going back: a virtual host that is deleted takes its counts
// with it, and Prometheus would take a smaller value for a counter that began anew, and
// show all of it as if it had come at once.
type steady map[string]*steadyCounter

type steadyCounter struct{ last, lost float64 }

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
		now := f.Samples[0].Value
		c.lost += max(0, c.last-now)
		c.last = now
		f.Samples[0].Value = now + c.lost
	}
}
