package flow_test

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/flow"
)

// consumer has messages ready, and takes them like the consumer of a queue.
type consumer struct {
	ch    *flow.Channel
	place flow.Consumer
	taken func()

	mu     sync.Mutex
	shares bool
	ready  int
	turns  int
}

func newConsumer(ch *flow.Channel, shares bool, taken func()) *consumer {
	c := &consumer{ch: ch, shares: shares, taken: taken}
	c.place.Taker = c
	return c
}

// add makes n messages ready and takes what it may.
func (c *consumer) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready += n
	c.take()
}

func (c *consumer) take() {
	for c.ready > 0 && c.ch.Reserve(&c.place, c.shares) {
		c.ready--
		c.taken()
	}
}

// Take implements flow.Taker.
func (c *consumer) Take(t flow.Turn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turns++
	c.place.Turn(t, c.shares)
	c.take()
	return c.place.Over()
}

// settle settles n of its messages.
func (c *consumer) settle(n int) {
	c.mu.Lock()
	c.ch.Release(&c.place, n)
	c.mu.Unlock()
	c.ch.Serve()
}

// names collects the names of consumers in the order in which they take messages.
type names struct {
	mu   sync.Mutex
	list string
}

func (n *names) consumer(ch *flow.Channel, shares bool, name string) *consumer {
	return newConsumer(ch, shares, func() {
		n.mu.Lock()
		n.list += name
		n.mu.Unlock()
	})
}

func (n *names) next() string {
	list := n.list
	n.list = ""
	return list
}

func TestASharedPrefetchGoesRound(t *testing.T) {
	for _, limit := range []int{1, 2, 4, 10} {
		var ch flow.Channel
		var order names
		ch.SetLimit(limit)
		byName := map[byte]*consumer{}
		for _, name := range []string{"a", "b", "c"} {
			c := order.consumer(&ch, true, name)
			byName[name[0]] = c
			c.add(100)
		}
		require.Len(t, order.list, limit)
		for i := range 60 { // the client settles one after another
			byName[order.list[i]].settle(1)
			require.Len(t, order.list, limit+i+1)
		}
		require.Equal(t, "bc", order.list[limit:limit+2], "who gives room back is not the first to get it")
		for _, name := range []string{"a", "b", "c"} {
			require.InDelta(t, 20, strings.Count(order.list[limit:], name), 5)
		}
	}
}

func TestRoomThatComesFreeCostsOneTurn(t *testing.T) {
	var ch flow.Channel
	var order names
	ch.SetLimit(1)
	var list []*consumer
	for range 1000 {
		c := order.consumer(&ch, true, "x")
		c.add(2)
		list = append(list, c)
	}
	turns := func() (n int) {
		for _, c := range list {
			n += c.turns
		}
		return n
	}
	for i := range 1000 {
		list[i].settle(1)
		require.Equal(t, i+1, turns())
		require.Len(t, order.list, i+2)
	}
}

func TestWhatATurnDoesNotUseGoesToTheNext(t *testing.T) {
	var ch flow.Channel
	var order names
	ch.SetLimit(1)
	a, b, c := order.consumer(&ch, true, "a"), order.consumer(&ch, true, "b"), order.consumer(&ch, true, "c")
	for _, c := range []*consumer{a, b, c} {
		c.add(1)
	}
	b.ready = 0 // others have taken its messages
	a.settle(1)
	require.Equal(t, "ac", order.next())
	c.settle(1)
	b.add(1)
	require.Equal(t, "b", order.next(), "it can still get messages")
}

func TestALimitBindsOnlyThoseThatShareIt(t *testing.T) {
	var ch flow.Channel
	var order names
	require.False(t, ch.Limited())
	require.False(t, ch.SetLimit(0))
	require.False(t, ch.Limited())
	require.True(t, ch.SetLimit(1))
	require.False(t, ch.SetLimit(2), "not the first one")
	require.True(t, ch.Limited())
	a, b := order.consumer(&ch, true, "a"), order.consumer(&ch, false, "b")
	a.add(3)
	b.add(3)
	require.Equal(t, "aabbb", order.next())
	require.False(t, ch.HasRoom(true))
	require.True(t, ch.HasRoom(false))
	require.False(t, ch.Pause(true))
	require.True(t, ch.Pause(true))
	require.False(t, ch.HasRoom(false))
	b.add(1)
	a.settle(1)
	require.Empty(t, order.next())
	require.True(t, ch.Pause(false))
	ch.Serve()
	require.ElementsMatch(t, []byte("ab"), []byte(order.next()))
	require.False(t, ch.SetLimit(0))
	a.add(2)
	require.Equal(t, "aa", order.next(), "zero is no limit")
}

func TestAConsumerThatBeginsToShare(t *testing.T) {
	var ch flow.Channel
	var order names
	a := order.consumer(&ch, false, "a")
	a.add(2)
	ch.Pause(true)
	a.add(2)
	ch.SetLimit(3)
	a.shares = true
	ch.Share(&a.place, 2)
	ch.Pause(false)
	ch.Serve()
	require.Equal(t, "aaa", order.next(), "what it has had counts, and it waits in the other line")
	a.settle(1)
	require.Equal(t, "a", order.next())
}

func TestAConsumerThatLeavesIsNotServed(t *testing.T) {
	var ch flow.Channel
	var order names
	ch.SetLimit(1)
	a, b, c := order.consumer(&ch, true, "a"), order.consumer(&ch, true, "b"), order.consumer(&ch, true, "c")
	for _, c := range []*consumer{a, b, c} {
		c.add(2)
	}
	ch.Leave(&b.place)
	ch.Leave(&b.place)
	a.settle(1)
	require.Equal(t, "ac", order.next())
	require.Zero(t, b.turns)
}

// TestNobodyWaitsForEver: whatever happens at once, in the end every message is taken,
// and the limit holds all the time.
func TestNobodyWaitsForEver(t *testing.T) {
	const channels, each, messages, limit = 4, 4, 300, 3
	var room flow.Connection
	wake := make(chan struct{}, 1)
	room.Wake = func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	var left atomic.Int64
	left.Store(channels * each * messages)
	done := make(chan struct{})
	var buffered atomic.Int64
	var work sync.WaitGroup
	for i := range channels {
		ch := new(flow.Channel)
		ch.Join(&room)
		ch.SetLimit(limit)
		var out atomic.Int64
		for k := range each {
			shares := k%2 == 0
			unsettled := make(chan struct{}, channels*each*messages)
			c := newConsumer(ch, shares, func() {
				if shares {
					if out.Add(1) > limit {
						t.Errorf("more than %d are out", limit)
					}
					unsettled <- struct{}{}
				}
				if buffered.Add(1) > 5 {
					room.Close()
					room.Wake()
				}
				if left.Add(-1) == 0 {
					close(done)
				}
			})
			work.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), uint64(k)))
				for n := messages; n > 0; {
					some := min(n, 1+r.IntN(20))
					n -= some
					c.mu.Lock()
					c.ready += some
					if r.IntN(8) == 0 && c.ready > 0 {
						ch.Wait(&c.place, c.shares)
					} else {
						c.take()
					}
					c.mu.Unlock()
					if r.IntN(4) == 0 {
						ch.Pause(true)
						runtime.Gosched()
						ch.Pause(false)
						ch.Serve()
					}
				}
			})
			if shares {
				work.Go(func() {
					for range messages {
						<-unsettled
						out.Add(-1)
						c.settle(1)
					}
				})
			}
		}
	}
	work.Go(func() { // the writer
		for {
			room.Serve()
			if room.IsClosed() {
				buffered.Store(0)
				room.Open()
				continue
			}
			if room.Awaited() {
				continue
			}
			select {
			case <-wake:
			case <-done:
				return
			}
		}
	})
	work.Wait()
}
