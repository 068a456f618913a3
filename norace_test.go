//go:build !race

package warren_test

const withRace = false
