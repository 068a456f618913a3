//go:build !(unix || js || wasip1 || windows)

package files

var fullErrors []error // nobody knows
