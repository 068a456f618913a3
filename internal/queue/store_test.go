package queue

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
)

func newTestStore(most uint8) *backlog {
	shared := &Shared{}
	shared.Memory.Init(64<<20, false, nil)
	s := &backlog{shelf: shelf{shared: shared}}
	if most > 0 {
		s.levels = newLevels(most, shared)
	}
	return s
}

// served is the order in which messages leave: the highest level first, and
// within a level in the order of positions.
func served(a, b message.Item) int {
	return cmp.Or(cmp.Compare(b.Pos>>levelShift, a.Pos>>levelShift), cmp.Compare(a.Pos, b.Pos))
}

// TestStoreKeepsOrder does random things with a store and with a sorted list:
// they must agree on what comes next, on deadlines and on bytes.
func TestStoreKeepsOrder(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		most := []uint8{0, 3, 255}[seed%3]
		s := newTestStore(most)
		var ready, out []message.Item
		last := make([]uint64, int(most)+1)
		place := func(priority uint8) uint64 { // that the next message of a priority gets
			level, pos := min(priority, most), s.position(priority)
			require.EqualValues(t, level, pos>>levelShift)
			require.GreaterOrEqual(t, pos, last[level], "positions rise")
			last[level] = pos + 1
			return pos
		}
		insert := func(it message.Item) {
			at, _ := slices.BinarySearchFunc(ready, it, served)
			ready = slices.Insert(ready, at, it)
		}
		for range 300 {
			switch n := rng.IntN(10); {
			case n < 5: // often more come in than go out, so that chunks fill
				for range rng.IntN(20) {
					priority := uint8(rng.IntN(5))
					it := message.Item{Entry: message.Entry{Body: make([]byte, rng.IntN(9), 9)}, Deadline: int64(rng.IntN(3)), Pos: place(priority)}
					s.push(&it.Entry, priority, it.Deadline)
					insert(it)
				}
			case n < 8:
				for range min(rng.IntN(40), len(ready)) {
					if deadline := s.deadline(); deadline != ready[0].Deadline { // require is slow
						require.Equal(t, ready[0].Deadline, deadline, "seed %d", seed)
					}
					var it message.Item
					s.shift(&it)
					if it.Pos != ready[0].Pos || it.Deadline != ready[0].Deadline || &it.Body[:1][0] != &ready[0].Body[:1][0] {
						require.Equal(t, ready[0], it, "seed %d", seed)
					}
					out = append(out, it)
					ready = ready[1:]
				}
			case len(out) > 0:
				i := rng.IntN(len(out))
				s.requeue(&out[i])
				insert(out[i])
				out = slices.Delete(out, i, i+1)
			case len(ready) == 0:
				require.Equal(t, place(1), s.pass(1))
			}
			bytes, timed := int64(0), 0
			for _, it := range ready {
				bytes += int64(len(it.Body))
				if it.Deadline != 0 {
					timed++
				}
			}
			if len(ready) != s.len() || bytes != s.bytes || timed != s.timed {
				require.Equal(t, []any{len(ready), bytes, timed}, []any{s.len(), s.bytes, s.timed}, "seed %d", seed)
			}
		}
	}
}

// TestEmptyLevelsAreSmall: a queue keeps no shelf for a priority that has no messages,
// but for the next one that has.
func TestEmptyLevelsAreSmall(t *testing.T) {
	s := newTestStore(255)
	require.Empty(t, s.levels.shelves)
	for range 2 {
		for priority := range 256 {
			for range 2 * smallChunk {
				s.push(&message.Entry{Body: []byte("x")}, uint8(priority), 0)
			}
		}
		require.Len(t, s.levels.shelves, 256)
		for n := 256 * 2 * smallChunk; n > 0; n-- {
			require.Equal(t, n, s.len())
			s.shift(&message.Item{})
			require.Len(t, s.levels.shelves, (n+2*smallChunk-2)/(2*smallChunk))
		}
		require.Zero(t, cap(s.levels.shelves))
		require.Equal(t, make([]message.Entry, smallChunk), s.levels.spare.small.entries)
		require.True(t, s.levels.spare.tail == nil || s.levels.spare.tail == s.levels.spare.small)
	}
}

func TestEmptyStoreIsSmall(t *testing.T) {
	s := newTestStore(0)
	for range 10_000 {
		s.push(&message.Entry{Body: []byte("x")}, 0, 1)
	}
	for range 10_000 {
		s.shift(&message.Item{})
	}
	require.True(t, s.head == nil || s.head == s.small && s.head.next == nil, "an empty store keeps one small chunk at most")
	require.Len(t, s.small.entries, smallChunk)
	require.Equal(t, make([]message.Entry, smallChunk), s.small.entries, "and no message")
	require.Empty(t, s.returned)
}
