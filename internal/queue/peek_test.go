package queue

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/message"
)

// noLimit is more than all bodies have.
const noLimit = 1 << 40

// peeked returns the bodies that a look shows, which must have successive places.
func (q *diskQueue) peeked(skip, n int) (bodies []string) {
	list, err := q.Peek(skip, n, noLimit)
	require.NoError(q.t, err)
	for i := range list {
		require.EqualValues(q.t, skip+i, list[i].Place)
		bodies = append(bodies, string(list[i].Body))
	}
	return bodies
}

// window is a part of a list as a look shows it.
func window(bodies []string, skip, n int) []string {
	skip = min(skip, len(bodies))
	return append([]string(nil), bodies[skip:min(len(bodies), skip+n)]...)
}

// looks wants looks at a queue to show the messages of bodies, and to leave no trace.
func (q *diskQueue) looks(rng *rand.Rand, bodies []string) {
	synctest.Wait() // the store may still page out, and the queue drop what is on disk
	before, memory := q.Stats(), q.inMemory()
	for range 5 {
		skip, n := rng.IntN(len(bodies)+10), rng.IntN(1000)
		require.Equal(q.t, window(bodies, skip, n), q.peeked(skip, n), "%d messages from %d", n, skip)
	}
	require.Equal(q.t, window(bodies, 0, 1), q.peeked(0, 1))
	require.Equal(q.t, bodies, q.peeked(0, len(bodies)+1))
	require.Empty(q.t, q.peeked(len(bodies), 10))
	require.Empty(q.t, q.peeked(0, 0))
	require.Equal(q.t, before, q.Stats())
	require.Equal(q.t, memory, q.inMemory(), "nothing was loaded")
}

// TestALookShowsWhatIsDeliveredNext compares looks at queues, whose messages are in memory
// and on disk, new and requeued, with what is delivered afterwards.
func TestALookShowsWhatIsDeliveredNext(t *testing.T) {
	for _, most := range []uint8{0, 3} {
		for seed := range uint64(6) {
			t.Run(fmt.Sprint(most, "/", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(seed, uint64(most)))
					q := openOnDisk(t, filestest.New(), Options{MaxPriority: most})
					q.shuffle(rng)
					all, err := q.Peek(0, math.MaxInt32, noLimit)
					require.NoError(t, err)
					var bodies []string
					for i := range all {
						bodies = append(bodies, string(all[i].Body))
					}
					require.Len(t, bodies, q.Stats().Ready)
					q.looks(rng, bodies)
					require.Equal(t, bodies, q.drain())
				})
			})
		}
	}
}

// shuffle publishes, takes, requeues and pages out.
func (q *diskQueue) shuffle(rng *rand.Rand) {
	var unacked []Settling
	published := 0
	for range 30 {
		switch rng.IntN(6) {
		case 0, 1:
			for range rng.IntN(3000) {
				q.push(persistent(fmt.Sprint(rng.IntN(4), " ", published)))
				published++
			}
		case 2:
			for range rng.IntN(1000) {
				noAck := rng.IntN(2) == 0
				d, _, ok, err := q.Get(noAck, nil)
				require.NoError(q.t, err)
				if ok && !noAck {
					unacked = append(unacked, Settling{Delivery: d})
				}
			}
		case 3:
			n := rng.IntN(len(unacked) + 1)
			rng.Shuffle(len(unacked), func(i, j int) { unacked[i], unacked[j] = unacked[j], unacked[i] })
			if rng.IntN(2) == 0 {
				for i := range min(n, 20) {
					q.Requeue(nil, unacked[i:i+1], true)
				}
				n = min(n, 20)
			} else {
				q.Requeue(nil, slices.Clone(unacked[:n]), true)
			}
			unacked = unacked[n:]
		default:
			q.pageOut()
		}
	}
	require.Greater(q.t, published, 1000)
}

// TestALookAfterARestart reads messages that are in the log, and from page files.
func TestALookAfterARestart(t *testing.T) {
	for name, page := range map[string]bool{"log": false, "page files": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openOnDisk(t, filestest.New(), Options{})
				list, bodies := numbered(5_000)
				q.push(list...)
				if page {
					q.pageOut()
				}
				for range 3 {
					_, _, ok, err := q.Get(true, nil)
					require.NoError(t, err)
					require.True(t, ok)
				}
				d, _, _, err := q.Get(false, nil)
				require.NoError(t, err)
				q.Requeue(nil, []Settling{{Delivery: d}}, true)
				q = q.reopen(Options{})
				synctest.Wait()
				q.looks(rand.New(rand.NewPCG(1, 2)), bodies[3:])
				first, err := q.Peek(0, 2, noLimit)
				require.NoError(t, err)
				require.True(t, first[0].Redelivered, "that it was delivered is known")
				require.Equal(t, bodies[3:], q.drain())
			})
		})
	}
}

func TestALookStopsAfterManyBytes(t *testing.T) {
	for name, stream := range map[string]bool{"queue": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{Stream: stream}
				q := openOnDisk(t, filestest.New(), o)
				const size, n = 10_000, 2_000
				var bodies []string
				for i := range n {
					bodies = append(bodies, fmt.Sprintf("0%*d", size-1, i))
					q.push(persistent(bodies[i]))
				}
				check := func() {
					for _, skip := range []int{0, 1, 255, 256, 1000, n - 3} {
						for _, most := range []int64{1, size, size + 1, 99 * size} {
							list, err := q.Peek(skip, n, most)
							require.NoError(t, err)
							var got []string
							for i := range list {
								got = append(got, string(list[i].Body))
							}
							want := min((int(most)+size-1)/size, n-skip)
							require.Equal(t, bodies[skip:skip+want], got, "%d bytes from %d", most, skip)
						}
					}
				}
				check()
				q.pageOut()
				check()
				q = q.reopen(o)
				check()
			})
		})
	}
}

func TestALookAtAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Stream: true}
		q := openOnDisk(t, filestest.New(), o)
		rules := NoRules()
		rules.MaxLength = 9_000
		q.Obey(1, &rules)
		var bodies []string
		check := func() {
			t.Helper()
			first := len(bodies) - q.Stats().Ready
			before := q.Stats()
			for _, skip := range []int{0, 1, 255, 256, 257, 4000, q.Stats().Ready - 1, q.Stats().Ready, 20_000} {
				list, err := q.Peek(skip, 600, noLimit)
				require.NoError(t, err)
				require.Len(t, list, max(0, min(600, q.Stats().Ready-skip)))
				for i := range list {
					require.EqualValues(t, first+skip+i, list[i].Place)
					require.Equal(t, bodies[first+skip+i], string(list[i].Body))
				}
			}
			require.Equal(t, before, q.Stats())
		}
		for i := range 10_000 {
			p := inGroup(i)
			bodies = append(bodies, string(p.Body))
			q.push(p)
			if i%2500 == 2499 {
				check()
				q.pageOut()
				check()
			}
		}
		require.NotZero(t, q.Stats().Dropped, "there are offsets before the first one")
		require.Len(t, q.readAll(NewReader(Start{From: FromFirst}, nil)), q.Stats().Ready, "some segments are loaded")
		check()
		o.Rules = &rules
		q = q.reopen(o)
		check()
		require.Less(t, q.Stats().Bytes, int64(100_000), "nothing was loaded")
	})
}

func TestALookLeavesOutWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{})
		list, bodies := numbered(3)
		list[1].Deadline = q.shared.Clock.Now() + int64(time.Second)
		q.push(list...)
		require.Equal(t, bodies, q.peeked(0, 10))
		time.Sleep(2 * time.Second)
		got, err := q.Peek(0, 10, noLimit)
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, bodies[2], string(got[1].Body))
		require.EqualValues(t, 2, got[1].Place, "the expired one is in the queue still")
	})
}

func TestALookThatCannotReadFailsAndGivesUpNothing(t *testing.T) {
	errRead := errors.New("the disk cannot be read")
	for name, c := range map[string]struct {
		harm func(q *diskQueue)
		text string
	}{
		"error":  {func(q *diskQueue) { q.dir.FailReads(errRead) }, errRead.Error()},
		"damage": {(*diskQueue).damagePage, "checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openOnDisk(t, filestest.New(), Options{})
				list, bodies := numbered(20_000)
				q.push(list...)
				q.pageOut()
				c.harm(q)
				_, err := q.Peek(0, 20_000, noLimit)
				require.ErrorContains(t, err, c.text)
				require.Equal(t, 20_000, q.Stats().Ready)
				require.Zero(t, q.all.Stats().Unreadable)
				require.Equal(t, bodies[:1], q.peeked(0, 1), "the first is in memory")
				q.dir.Heal()
			})
		})
	}
}

func TestALookAtADeletedQueue(t *testing.T) {
	q := newQueueForTest(t, &Options{})
	rest, _, _ := q.Close(ErrDeleted, Always)
	rest.Drop()
	_, err := q.Peek(0, 1, noLimit)
	require.ErrorIs(t, err, ErrDeleted)
}

// TestLooksWhileMessagesMove looks at a queue while others use it: what is shown is in
// order, and no message is shown twice.
func TestLooksWhileMessagesMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{})
		list, _ := numbered(20_000)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i, p := range list {
				q.push(p)
				if i%2 == 0 {
					q.Get(true, nil)
				}
				if i%500 == 0 {
					q.pageOut()
				}
			}
		}()
		for looking := true; looking; {
			select {
			case <-done:
				looking = false
			case <-time.After(100 * time.Millisecond):
			}
			got, err := q.Peek(100, 1000, noLimit)
			require.NoError(t, err)
			for i := 1; i < len(got); i++ {
				require.Greater(t, got[i].Pos, got[i-1].Pos)
			}
		}
	})
}

// TestReturnedMessagesAreShownInOrder is TestReturnedMessagesComeInOrder for looks.
func TestReturnedMessagesAreShownInOrder(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var r returned
		var want []uint64
		for _, pos := range rng.Perm(300) {
			if rng.IntN(3) == 0 {
				r.push(&message.Item{Pos: uint64(pos)})
				want = append(want, uint64(pos))
			}
		}
		for i := range rng.IntN(10) {
			one := &run{}
			for pos := range uint64(runChunk + rng.IntN(300)) {
				one.add(&message.Item{Pos: 300 + 10*pos + uint64(i)})
			}
			r.adopt(one)
			for it := range one.all() {
				want = append(want, it.Pos)
			}
		}
		slices.Sort(want)
		n := rng.IntN(len(want) + 1)
		for range n {
			r.pop()
		}
		var got []uint64
		for it := range r.all() {
			got = append(got, it.Pos)
		}
		require.Equal(t, want[n:], append([]uint64{}, got...), seed)
		require.Equal(t, len(want)-n, r.len())
	}
}
