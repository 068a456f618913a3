//go:build !race

package brokertest

// Race tells whether the race detector is on.
const Race = false
