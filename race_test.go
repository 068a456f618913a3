//go:build race

package warren_test

// withRace is for tests of one goroutine, in which the race detector finds
// nothing and which it makes slow: they do less.
const withRace = true
