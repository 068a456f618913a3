// Package fuzz_test has clients of all kinds do anything, all at once, to one
// broker: native sessions, the official client, peers that send frames as they
// like, callers, handlers and the program itself. Beside them one who minds
// nobody must find that everything works (bystander_test.go). What each operation
// promises is checked where it is done; what must be so at the end, in this file.
//
//	go test ./tests/fuzz                                # seconds
//	go test -race ./tests/fuzz -fuzz.time=10m            # one seed after another
//	go test ./tests/fuzz -fuzz.seed=7                   # the seed that a failure names
package fuzz_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

var seeds = brokertest.NewSeeds("fuzz", uint64(brokertest.Less(12, 3)), 2)

const (
	roundLimit = 2 * time.Minute // real time for one round, which takes a second or so
	patience   = time.Minute     // for what must come at once
	operations = 300             // of each client
)

// In a bubble the runtime finds what stands still and which goroutines are
// left, and time is at hand.
func TestAnythingGoesInMemory(t *testing.T) {
	seeds.Each(t, roundLimit, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { newRound(t, seed, true).run() })
	})
}

func TestAnythingGoesOverTCP(t *testing.T) {
	seeds.Each(t, roundLimit, func(t *testing.T, seed uint64) {
		newRound(t, seed, false).run()
		brokertest.NoGoroutines(t)
	})
}

// round is a broker with clients, from beginning to end.
type round struct {
	t      *testing.T
	seed   uint64
	bubble bool
	limit  int64 // of memory; zero: none that matters
	broker *warren.Broker
	server *amqp.Server

	address string // of the server, but for a bubble
	sent    registry
	ending  atomic.Bool   // the broker closes in the middle of everything
	over    chan struct{} // closed when the clients are gone
	alone   chan struct{} // closed when the bystanders are gone, too
}

func newRound(t *testing.T, seed uint64, bubble bool) *round {
	r := &round{t: t, seed: seed, bubble: bubble, over: make(chan struct{}), alone: make(chan struct{})}
	rnd := r.random("options", 0)
	o := &warren.Options{Mailbox: 1 + rnd.IntN(20), ReplyBuffer: 1 + rnd.IntN(20)}
	if rnd.IntN(3) == 0 {
		r.limit = 20_000
		o.MemoryLimit = r.limit
	}
	r.broker = warren.New(o)
	r.server = amqp.NewServer(r.broker, &amqp.Options{Buffer: 1 << (10 + rnd.IntN(9))})
	if !bubble {
		require.NoError(t, r.server.Listen("127.0.0.1:0"))
		r.address = r.server.Addr().String()
	}
	return r
}

// random is a source of its own for each who needs one.
func (r *round) random(who string, n int) *rand.Rand {
	sum := sha256.Sum256(fmt.Append(nil, r.seed, who, n))
	return rand.New(rand.NewChaCha8(sum))
}

// dial connects by a socket or without.
func (r *round) dial(network, addr string) (net.Conn, error) {
	if r.bubble {
		return r.server.Dial(network, addr)
	}
	return net.Dial("tcp", r.address)
}

// pause lets the others work. In a bubble, time passes.
func (r *round) pause(rnd *rand.Rand) {
	if r.bubble {
		time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
	}
}

func (r *round) run() {
	v, err := r.broker.VirtualHostDeclare("bystander")
	require.NoError(r.t, err)
	require.NoError(r.t, v.PermissionsSet(warren.Guest, warren.AllPermissions()))

	var clients, bystanders, host sync.WaitGroup
	for i := range 4 {
		clients.Go(func() { newNative(r, i).run() })
	}
	for i := range 3 {
		clients.Go(func() { newOfficial(r, i).run() })
		clients.Go(func() { newPeer(r, i).run() })
	}
	for i := range 2 {
		clients.Go(func() { newCaller(r, i).run() })
	}
	host.Go(func() { newHost(r).run() })
	bystanders.Go(func() { (&bystander{r, v}).inProcess() })
	bystanders.Go(func() { (&bystander{r, v}).overAMQP() })
	clients.Wait()
	close(r.over)
	bystanders.Wait()
	close(r.alone)
	host.Wait()
	if !r.ending.Load() {
		require.NoError(r.t, r.server.Close())
		r.empty()
	}
	require.NoError(r.t, r.server.Close())
	require.NoError(r.t, r.broker.Close())
}

// end closes the broker while everybody is about something, in one of the ways
// that there are. It is the host that does so.
func (r *round) end(rnd *rand.Rand) {
	r.ending.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	switch rnd.IntN(4) {
	case 0:
		require.NoError(r.t, r.broker.Close())
	case 1:
		require.NoError(r.t, r.server.Close())
		require.NoError(r.t, r.broker.Close())
	case 2:
		r.mayBeLate(r.server.Shutdown(ctx))
		r.mayBeLate(r.broker.Shutdown(ctx))
	case 3:
		r.mayBeLate(r.broker.Shutdown(ctx))
	}
	_, err := r.broker.Session()
	require.ErrorIs(r.t, err, warren.ErrClosed)
}

func (r *round) mayBeLate(err error) {
	var dropped *warren.DroppedError
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &dropped) {
		r.t.Errorf("Shutdown: %v", err)
	}
}

// empty: when all clients have gone and all that they made is deleted, nothing
// is left.
func (r *round) empty() {
	ch := brokertest.Channel(r.t, r.broker)
	r.wait("consumers and deliveries", func(s warren.Stats) bool { return s.Sessions == 1 && s.Consumers == 0 && s.Unacked == 0 })
	for _, v := range []string{"bystander", "other"} { // definitions may have brought things back
		r.broker.VirtualHostDelete(v)
	}
	r.wait("delayed messages", func(s warren.Stats) bool { return s.Delayed == 0 })
	r.discard(ch) // queues that are deleted could hide what they have miscounted
	// A letter on its way is not ready anywhere. Where it comes from counts its bytes until
	// it is there; if a look misses it in both places, the next finds it, or its next death.
	deaths := uint64(0)
	r.wait("messages", func(s warren.Stats) bool {
		gone := s.Ready == 0 && s.Bytes == 0 && s.DeadLettered == deaths
		deaths = s.DeadLettered
		r.discard(ch)
		return gone
	})
	for _, q := range queueNames {
		n, err := ch.QueueDelete(q, warren.QueueDeleteOptions{})
		require.NoError(r.t, err)
		require.Zero(r.t, n)
	}
	for _, x := range exchangeNames {
		require.NoError(r.t, ch.ExchangeDelete(x, warren.ExchangeDeleteOptions{}))
	}
	s := r.broker.Stats()
	require.Zero(r.t, s.Ready+s.Requesters, "%+v", s)
	require.Zero(r.t, s.Queues, "queues: %+v", s)
	require.Equal(r.t, 6, s.Exchanges, "exchanges: %+v", s)
	require.Zero(r.t, s.Bytes, "%+v", s)
	require.NoError(r.t, ch.Close())
}

// discard deletes streams, and the messages of other queues.
func (r *round) discard(ch *warren.Channel) {
	for _, q := range queueNames {
		var n int
		var err error
		if q[0] == 's' {
			n, err = ch.QueueDelete(q, warren.QueueDeleteOptions{})
		} else if n, err = ch.QueuePurge(q); errors.Is(err, warren.ErrNotFound) {
			err = nil
		}
		require.NoError(r.t, err)
		require.GreaterOrEqual(r.t, n, 0)
	}
}

// wait waits for what must become so without anybody's help.
func (r *round) wait(what string, so func(s warren.Stats) bool) {
	for range 10_000 {
		if so(r.broker.Stats()) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	require.Fail(r.t, what+" are left", "%+v", r.broker.Stats())
}
