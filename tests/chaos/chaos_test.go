// Package chaos_test has publishers, consumers and callers whose connections
// break at any octet, whose channels are closed and whose consumers are
// cancelled, while the server goes away under them. What the broker has
// promised must be so at the end: see check_test.go.
//
//	go test ./tests/chaos                                  # seconds
//	go test -race ./tests/chaos -chaos.time=10m            # one seed after another
//	go test ./tests/chaos -chaos.seed=7                    # the seed that a failure names
package chaos_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

var seeds = brokertest.NewSeeds("chaos", uint64(brokertest.Less(12, 3)), 2)

const (
	roundLimit = 2 * time.Minute // real time for one round, which takes a second or so
	patience   = time.Minute     // for what must come at once
)

// In a bubble the runtime finds what stands still and which goroutines are
// left, and time is at hand.
func TestPromisesHoldUnderKillsInMemory(t *testing.T) {
	seeds.Each(t, roundLimit, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { newRound(t, seed, true).run() })
	})
}

func TestPromisesHoldUnderKillsOverTCP(t *testing.T) {
	seeds.Each(t, roundLimit, func(t *testing.T, seed uint64) {
		newRound(t, seed, false).run()
		brokertest.NoGoroutines(t)
	})
}

const (
	publisherCount = 4
	consumerCount  = 6
	callerCount    = 2
	quota          = 250 // messages of a publisher, and calls of a caller

	user     = "client"
	password = "secret"
)

// round is a broker with clients, from beginning to end.
type round struct {
	*ledger
	t      *testing.T
	seed   uint64
	bubble bool
	broker *warren.Broker
	vhost  *warren.VirtualHost

	mu      sync.Mutex
	server  *amqp.Server // the present one
	address string       // its, but for a bubble

	mixed map[string]bool // queues that have consumers in the process, too
}

func newRound(t *testing.T, seed uint64, bubble bool) *round {
	r := &round{ledger: newLedger(), t: t, seed: seed, bubble: bubble, broker: warren.New(&warren.Options{Logger: slog.New(slog.DiscardHandler)})}
	salt := "salt"
	digest := sha256.Sum256([]byte(salt + password))
	require.NoError(t, r.broker.UserDeclareHash(user, base64.StdEncoding.EncodeToString(append([]byte(salt), digest[:]...)), ""))
	v, err := r.broker.VirtualHost("/")
	require.NoError(t, err)
	r.vhost = v
	require.NoError(t, v.PermissionsSet(user, warren.AllPermissions()))
	rnd := r.random("queues", 0)
	r.mixed = map[string]bool{}
	for _, q := range queues {
		r.mixed[q.name] = rnd.IntN(2) == 0
	}
	r.serve()
	return r
}

// random is a source of its own for each who needs one.
func (r *round) random(who string, n int) *rand.Rand {
	sum := sha256.Sum256(fmt.Append(nil, r.seed, who, n))
	return rand.New(rand.NewChaCha8(sum))
}

// serve starts a server.
func (r *round) serve() {
	s, address := amqp.NewServer(r.broker, &amqp.Options{Buffer: 4096}), ""
	if !r.bubble {
		require.NoError(r.t, s.Listen("127.0.0.1:0"))
		address = s.Addr().String()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server, r.address = s, address
}

func (r *round) present() *amqp.Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.server
}

// dial connects to the present server, by a socket or without.
func (r *round) dial() (net.Conn, error) {
	r.mu.Lock()
	s, address := r.server, r.address
	r.mu.Unlock()
	if r.bubble {
		return s.Dial("", "")
	}
	return net.Dial("tcp", address)
}

// open gives a client whose connection will break, most often. It may be one in
// the process.
func (r *round) open(rnd *rand.Rand, inProcess bool) (channel, error) {
	inProcess = rnd.IntN(3) == 0 && inProcess
	read, written := int64(-1), int64(-1)
	switch rnd.IntN(4) {
	case 0:
		read = rnd.Int64N(1 << (5 + rnd.IntN(12)))
	case 1, 2:
		written = rnd.Int64N(1 << (5 + rnd.IntN(12)))
	}
	if inProcess {
		return newNative(r.broker, max(written, read)/50)
	}
	dial := func(string, string) (net.Conn, error) {
		nc, err := r.dial()
		if err != nil {
			return nil, err
		}
		return brokertest.Cut(nc, read, written), nil
	}
	frame := [...]int{0, 4096}[rnd.IntN(2)]
	return newOfficial(amqp091.Config{Dial: dial, FrameSize: frame, Heartbeat: time.Minute})
}

// pause lets the others work. In a bubble, time passes.
func (r *round) pause(rnd *rand.Rand) {
	if r.bubble && rnd.IntN(3) == 0 {
		time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
	}
}

func (r *round) run() {
	ch := brokertest.Channel(r.t, r.broker)
	declare(r.t, ch)
	h := brokertest.Handle(r.t, r.broker, "echo", brokertest.Echo)

	var publishing, consuming sync.WaitGroup
	over, end := context.WithCancel(context.Background())
	for i := range publisherCount {
		publishing.Go(func() { newPublisher(r, i).run() })
	}
	for i := range callerCount {
		publishing.Go(func() { (&caller{r, r.random("caller", i), i}).run() })
	}
	for i := range consumerCount {
		consuming.Go(func() {
			rnd := r.random("consumer", i)
			for n := 0; over.Err() == nil || n < 3; n++ {
				newLife(r, rnd, fmt.Sprintf("consumer %d.%d", i, n)).run(over)
			}
		})
	}
	publishing.Wait()
	if r.bubble && r.seed%2 == 0 { // all but those who wait in vain have had enough then
		time.Sleep(2 * patience)
	}
	end()
	consuming.Wait()
	require.NoError(r.t, r.present().Close())
	require.NoError(r.t, h.Close())
	r.check(ch)
	require.NoError(r.t, ch.Close())
	require.NoError(r.t, r.broker.Close())
	require.Empty(r.t, r.failures, "seed %d", r.seed)
}

// host is what the program does beside, now and then.
func (r *round) host(rnd *rand.Rand) {
	switch rnd.IntN(8) {
	case 0:
		definition := warren.QueuePolicy(warren.QueueOptions{MaxLength: 1 + rnd.Int64N(30), DeadLetter: toDead})
		require.NoError(r.t, r.vhost.PolicySet(warren.Policy{Name: "shake", Pattern: "^" + shaken + "$", Definition: definition}))
	case 1:
		r.vhost.PolicyDelete("shake") // which may not be there
	case 2: // what clients are about is refused, and their channels are closed
		require.NoError(r.t, r.vhost.PermissionsSet(user, warren.Permissions{}))
		r.pause(rnd)
		require.NoError(r.t, r.vhost.PermissionsSet(user, warren.AllPermissions()))
	case 3:
		if rnd.IntN(4) > 0 {
			return
		}
		old := r.present()
		r.serve()
		if rnd.IntN(2) == 0 {
			require.NoError(r.t, old.Close())
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(r.t, old.Shutdown(ctx))
	}
}
