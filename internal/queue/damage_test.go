package queue

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
)

// damagePage flips a bit in the middle of the largest page file.
func (q *diskQueue) damagePage() {
	page, size := "", 0
	for _, name := range q.dir.Names() {
		if n := len(q.dir.Bytes(name)); strings.HasPrefix(name, "page") && n > size {
			page, size = name, n
		}
	}
	require.NotEmpty(q.t, page)
	require.NoError(q.t, q.dir.Flip(page, int64(size)*8/2))
}

// lost wants got to be all but for a few in a row, and returns how many these are.
func lost[T any](t *testing.T, all, got []T) int {
	missing := len(all) - len(got)
	require.Positive(t, missing)
	require.LessOrEqual(t, missing, 256, "a block")
	for i := range got {
		if any(got[i]) != any(all[i]) {
			require.Equal(t, all[i+missing:], got[i:], "the others are there, in order")
			break
		}
	}
	return missing
}

func TestConsumersGoOnBehindMessagesThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{})
		list, bodies := numbered(20_000)
		q.push(list...)
		q.pageOut()
		q.damagePage()
		got := q.drain()
		require.EqualValues(t, lost(t, bodies, got), q.all.Stats().Unreadable)
		require.Zero(t, q.Stats().Ready)
		require.Zero(t, q.Stats().Bytes)
		q.push(persistent("0 new"))
		require.Equal(t, []string{"0 new"}, q.drain())
		require.Empty(t, q.reopen(Options{}).drain())
	})
}

func TestReadersOfAStreamGoOnBehindMessagesThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Stream: true}
		q := openOnDisk(t, filestest.New(), o)
		const n = 20_000
		for i := range n {
			q.push(inGroup(i))
		}
		q.pageOut()
		q.damagePage()
		first := NewReader(Start{From: FromFirst}, nil)
		missing := lost(t, offsets(0, n), q.readAll(first))
		require.Equal(t, n-missing, q.Stats().Ready)
		require.EqualValues(t, missing, q.Stats().Dropped)
		q.push(inGroup(n))
		require.Equal(t, offsets(n-5, n+1), q.readAll(NewReader(Start{From: FromOffset, N: n - 5}, nil)))
		q = q.reopen(o)
		require.Equal(t, n+1-missing, len(q.readAll(NewReader(Start{From: FromFirst}, nil))))
	})
}
