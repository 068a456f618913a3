//go:build race

package brokertest

// Race is for tests of one goroutine, in which the race detector finds nothing
// and which it makes slow: they do less.
const Race = true
