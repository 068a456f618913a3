package route

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The first numbers of SplitMix64 with the seeds 0 and 1234567: the hash of a
// text is made of such steps and of nothing that differs between processes.
func TestConsistentHashIsTheSameInEveryProcess(t *testing.T) {
	require.Equal(t, uint64(0xe220a8397b1dcdaf), mixHash(0))
	require.Equal(t, uint64(6457827717110365317), mixHash(1234567))
}
