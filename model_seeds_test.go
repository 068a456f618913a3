//go:build !race

package warren_test

// mbDefaultSeeds is how many histories the model test plays.
const mbDefaultSeeds = 1000
