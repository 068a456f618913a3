//go:build !race

package warren_test

// mbDefaultSeeds is how many histories the model test plays.
const mbDefaultSeeds = 1000

// bigBacklog is how many messages are many for a queue.
const bigBacklog = 1_000_000
