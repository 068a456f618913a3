package warren

import "sync/atomic"

// MessageSizes count messages by the length of their bodies.
type MessageSizes struct {
	// Counts are the numbers of messages of at most the lengths that [SizeLimits]
	// returns, each without those of the one before, and last the number of longer ones.
	Counts [sizeClasses]uint64
	Bytes  uint64 // length of all bodies together
}

const sizeClasses = 9

// SizeLimits returns the lengths, in bytes, by which [MessageSizes] tells messages
// apart. RabbitMQ's histogram has the same.
func SizeLimits() [sizeClasses - 1]int {
	return [...]int{1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 5e7, 1e8}
}

// total returns how many messages there are.
func (m *MessageSizes) total() (n uint64) {
	for _, c := range m.Counts {
		n += c
	}
	return n
}

// sizeCounts are MessageSizes that many may add to.
type sizeCounts struct {
	counts [sizeClasses]atomic.Uint64
	bytes  atomic.Uint64
}

// add counts a message with a body of n bytes.
func (s *sizeCounts) add(n int) {
	s.counts[sizeClass(n)].Add(1)
	s.bytes.Add(uint64(n))
}

// sizeClass returns which of the limits n does not exceed. Most messages are small.
func sizeClass(n int) int {
	switch {
	case n <= 1e2:
		return 0
	case n <= 1e3:
		return 1
	case n <= 1e4:
		return 2
	case n <= 1e5:
		return 3
	case n <= 1e6:
		return 4
	case n <= 1e7:
		return 5
	case n <= 5e7:
		return 6
	case n <= 1e8:
		return 7
	}
	return 8
}

// total returns how many messages were counted.
func (s *sizeCounts) total() (n uint64) {
	for i := range s.counts {
		n += s.counts[i].Load()
	}
	return n
}

// addTo adds what was counted to m.
func (s *sizeCounts) addTo(m *MessageSizes) {
	for i := range s.counts {
		m.Counts[i] += s.counts[i].Load()
	}
	m.Bytes += s.bytes.Load()
}

// move adds what s has counted to other, and sets it to zero. It returns how many
// messages that were.
func (s *sizeCounts) move(other *sizeCounts) (n uint64) {
	for i := range s.counts {
		c := s.counts[i].Swap(0)
		other.counts[i].Add(c)
		n += c
	}
	other.bytes.Add(s.bytes.Swap(0))
	return n
}
