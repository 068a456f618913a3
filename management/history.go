package management

import (
	"math"
	"strconv"
	"time"
)

// sampled is a number of an object, by its name in the API.
type sampled struct {
	name  string
	value int64
}

// point is what an object had at one time.
type point struct {
	at     time.Time
	values []sampled
}

func (p *point) value(name string) int64 {
	for i := range p.values {
		if p.values[i].name == name {
			return p.values[i].value
		}
	}
	return 0 // nothing was counted yet
}

// historyKey names an object with a history.
type historyKey struct{ kind, vhost, name string }

// history is what an object had over the last hour: the last minute in steps of 5
// seconds, the last ten in steps of 30, and the hour in steps of two minutes. It holds
// about 20 KB.
type history struct {
	asked time.Time
	take  func(at time.Time) (point, bool) // false: the object has gone
	rings [3]ring
}

// ring has points in steps of a certain time, oldest first.
type ring struct{ points []point }

var ringSteps = [...]struct {
	step time.Duration
	keep int
}{{5 * time.Second, 14}, {30 * time.Second, 22}, {2 * time.Minute, 32}}

// maxHistories bounds how many objects have a history.
const maxHistories = 50

func (h *history) add(p point) {
	for i, r := range ringSteps {
		points := h.rings[i].points
		// The timer is not exact to the millisecond.
		if n := len(points); n > 0 && p.at.Sub(points[n-1].at) < r.step-time.Second {
			continue
		}
		if len(points) == r.keep {
			copy(points, points[1:])
			points = points[:r.keep-1]
		}
		h.rings[i].points = append(points, p)
	}
}

// points returns the points that reach back an age, as finely as there are any.
func (h *history) points(age time.Duration) []point {
	i := 0
	for i < len(ringSteps)-1 && age > ringSteps[i].step*time.Duration(ringSteps[i].keep-1) {
		i++
	}
	return append([]point(nil), h.rings[i].points...)
}

// open attaches the history of an object to a look, and makes sure that there is one. The
// function describes the object; it returns false when the object has gone.
func (s *sampler) open(l *look, key historyKey, describe func(*fields) bool) {
	take := func(at time.Time) (point, bool) {
		p := point{at: at}
		ok := describe(&fields{collect: &p.values})
		return p, ok
	}
	s.mu.Lock()
	h := s.histories[key]
	s.mu.Unlock()
	if h == nil {
		h = &history{take: take}
		p, ok := take(l.now)
		if !ok {
			return
		}
		h.add(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwatch == nil {
		return // it has just gone to rest
	}
	if known := s.histories[key]; known != nil {
		h = known
	} else {
		s.makeRoom()
		s.histories[key] = h
	}
	h.asked = l.now
	age := time.Duration(0)
	for _, s := range l.spans {
		age = max(age, s.age)
	}
	l.points = h.points(age)
}

// makeRoom forgets the history that nobody has asked for for the longest time, if there
// are too many.
func (s *sampler) makeRoom() {
	if s.histories == nil {
		s.histories = make(map[historyKey]*history)
	}
	if len(s.histories) < maxHistories {
		return
	}
	var oldest historyKey
	var at time.Time
	for key, h := range s.histories {
		if at.IsZero() || h.asked.Before(at) {
			oldest, at = key, h.asked
		}
	}
	delete(s.histories, oldest)
}

// samples writes samples of a number, the newest first, as RabbitMQ does. Between two
// points they are interpolated. There are none of times before the first point.
func (f *fields) samples(s span, l *look, name string, now, was int64) {
	points := l.points
	if len(points) == 0 { // a list, whose objects have no history
		points = []point{{l.now, []sampled{{name, now}}}}
		if l.base != nil && l.base.at.Before(l.now) {
			points = append([]point{{l.base.at, []sampled{{name, was}}}}, points...)
		}
	}
	type sample struct {
		at    time.Time
		value float64
	}
	newer := sample{l.now, float64(now)}
	i := len(points) - 1
	older := sample{points[i].at, float64(points[i].value(name))}
	var first, last sample
	var sum float64
	count := 0
	if !f.beginList("samples") {
		return
	}
	for at := l.now; l.now.Sub(at) <= s.age; at = at.Add(-s.step) {
		for at.Before(older.at) && i > 0 {
			i--
			newer, older = older, sample{points[i].at, float64(points[i].value(name))}
		}
		if at.Before(older.at) {
			break
		}
		value := newer.value
		if gap := newer.at.Sub(older.at); gap > 0 {
			value = older.value + (newer.value-older.value)*float64(at.Sub(older.at))/float64(gap)
		}
		f.open()
		f.out = append(f.out, `"sample":`...)
		f.out = strconv.AppendInt(f.out, int64(math.Round(value)), 10)
		f.out = append(f.out, `,"timestamp":`...)
		f.out = strconv.AppendInt(f.out, at.UnixMilli(), 10)
		f.close()
		last = sample{at, value}
		if count == 0 {
			first = last
		}
		sum += value
		count++
	}
	f.endList()
	rate, mean := 0.0, 0.0
	if span := first.at.Sub(last.at).Seconds(); span > 0 {
		rate = (first.value - last.value) / span
	}
	if count > 0 {
		mean = sum / float64(count)
	}
	f.float("avg_rate", round2(rate))
	f.float("avg", round2(mean))
}
