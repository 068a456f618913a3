//go:build race

package warren_test

// mbDefaultSeeds is lower with the race detector: a history is played by one
// goroutine, so the detector finds nothing there, and makes it slow.
const mbDefaultSeeds = 25

// bigBacklog is smaller for the same reason.
const bigBacklog = 20_000
