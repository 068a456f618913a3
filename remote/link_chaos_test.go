package remote_test

import (
	"context"
	"fmt"
	"iter"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// linkScript is what happens to a link at one frame.
type linkScript struct {
	*cutter
	t           *testing.T
	kind        remote.LinkKind
	here, there *warren.Broker
	links       []*remote.Linked

	mu sync.Mutex
	// Guarded by mu.
	srv *amqp.Server
}

// eachFrame runs a script for every step-th frame in a direction, until there are no more.
func eachFrame(t *testing.T, step int, kinds []remote.LinkKind, f func(s *linkScript)) {
	for _, kind := range kinds {
		for _, written := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/written=%t", kind, written), func(t *testing.T) {
				for at, met := 1, true; met; at += step {
					ok := t.Run(fmt.Sprint("frame=", at), func(t *testing.T) {
						brokertest.Watch(t, time.Minute, "-run "+t.Name())
						synctest.Test(t, func(t *testing.T) {
							s := &linkScript{t: t, kind: kind}
							s.here, s.there = brokertest.New(t, nil), brokertest.New(t, nil)
							s.srv = amqp.NewServer(s.there, nil)
							defer s.server().Close()
							s.cutter = &cutter{dial: s.dialNow, written: written, at: at, given: map[string]bool{}}
							f(s)
							met = s.acted()
						})
					})
					require.True(t, ok)
					require.True(t, met || at > 20, "the script was followed")
				}
			})
		}
	}
}

func (s *linkScript) server() *amqp.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.srv
}

func (s *linkScript) dialNow(network, addr string) (net.Conn, error) {
	return s.server().Dial(network, addr)
}

// restart ends the server elsewhere and starts another one.
func (s *linkScript) restart() {
	s.mu.Lock()
	old := s.srv
	s.srv = amqp.NewServer(s.there, nil)
	s.mu.Unlock()
	old.Close()
}

// link makes a link. It may fail the first time.
func (s *linkScript) link(o remote.LinkOptions) *remote.Linked {
	o.Dial = s.Dial
	l, err := remote.Link(s.t.Context(), s.here, anyURL, o)
	if err != nil {
		require.True(s.t, s.acted(), "%v", err)
		l, err = remote.Link(s.t.Context(), s.here, anyURL, o)
	}
	require.NoError(s.t, err)
	s.links = append(s.links, l)
	return l
}

func (s *linkScript) rule() remote.LinkOptions {
	rule := []remote.LinkRule{{Queue: "from", ToQueue: "to", Prefetch: 4}}
	if s.kind == remote.LinkPull {
		return remote.LinkOptions{Pull: rule}
	}
	return remote.LinkOptions{Push: rule}
}

// ends returns the broker that messages come from, and the one that they go to.
func (s *linkScript) ends() (from, to *warren.Broker) {
	if s.kind == remote.LinkPull {
		return s.there, s.here
	}
	return s.here, s.there
}

// arrive requires that all messages arrive, and that those that come twice are counted.
func (s *linkScript) arrive(n int) {
	s.t.Helper()
	from, to := s.ends()
	ch, err := to.Channel()
	require.NoError(s.t, err)
	defer ch.Close()
	times := map[string]int{}
	sum := 0
	for began := time.Now(); len(times) < n; time.Sleep(time.Second) {
		require.Less(s.t, time.Since(began), patience, "%d of %d have arrived: %+v", len(times), n, s.links[len(s.links)-1].Stats())
		for _, body := range brokertest.Drain(s.t, ch, "to") {
			times[body]++
			sum++
		}
	}
	time.Sleep(time.Minute)
	sum += len(brokertest.Drain(s.t, ch, "to"))
	var passed, redelivered int
	for _, l := range s.links {
		for _, stats := range l.Stats() {
			passed += int(stats.Passed)
			redelivered += int(stats.Redelivered)
			require.Zero(s.t, stats.Looped+stats.Refused)
		}
		require.NoError(s.t, l.Close())
	}
	require.LessOrEqual(s.t, sum-n, redelivered, "what comes twice is counted")
	require.LessOrEqual(s.t, passed, sum)
	left, err := from.Channel()
	require.NoError(s.t, err)
	defer left.Close()
	require.Empty(s.t, brokertest.Drain(s.t, left, "from"))
}

var moves = []remote.LinkKind{remote.LinkPull, remote.LinkPush}

// some puts messages into the queue that a link takes them from.
func (s *linkScript) some(first, n int) {
	from, _ := s.ends()
	for i := range n {
		put(s.t, from, "from", fmt.Sprint(first+i))
	}
}

func TestALinkLosesNothingWhereverItIsCut(t *testing.T) {
	eachFrame(t, 1, moves, func(s *linkScript) {
		s.some(0, 6)
		s.link(s.rule())
		s.some(6, 6)
		s.arrive(12)
	})
}

func TestALinkLosesNothingWhenTheServerIsRestarted(t *testing.T) {
	eachFrame(t, 3, moves, func(s *linkScript) {
		s.act = s.restart
		s.some(0, 6)
		s.link(s.rule())
		s.some(6, 6)
		s.arrive(12)
	})
}

// The link is closed in the middle, as if its process had ended, and another one goes on.
func TestALinkThatIsClosedLosesNothing(t *testing.T) {
	eachFrame(t, 3, moves, func(s *linkScript) {
		closing := make(chan struct{})
		s.act = func() { close(closing) }
		s.some(0, 6)
		l := s.link(s.rule())
		s.some(6, 6)
		select {
		case <-closing:
			require.NoError(s.t, l.Close())
		case <-time.After(time.Second):
		}
		s.link(s.rule())
		s.arrive(12)
	})
}

// The broker here is closed in the middle. It has a directory, by which another one is
// what it was.
func TestALinkLosesNothingWhenTheBrokerHereIsClosed(t *testing.T) {
	eachFrame(t, 23, moves, func(s *linkScript) {
		dir := s.t.TempDir()
		open := func() {
			var err error
			s.here, err = warren.Open(dir, nil)
			require.NoError(s.t, err)
		}
		open()
		closing := make(chan struct{})
		s.act = func() { close(closing) }
		s.some(0, 6)
		l := s.link(s.rule())
		s.some(6, 6)
		select {
		case <-closing:
		case <-time.After(time.Second):
		}
		require.NoError(s.t, s.here.Close())
		synctest.Wait()
		if s.kind == remote.LinkPush { // to pull, nothing is asked of the broker here until something comes
			require.ErrorIs(s.t, l.Stats()[0].Err, warren.ErrClosed)
		}
		require.NoError(s.t, l.Close())
		open()
		s.link(s.rule())
		s.arrive(12)
		require.NoError(s.t, s.here.Close())
	})
}

// Calls and streams through a link end, and the next ones pass.
func TestCallsThroughALinkEndWhereverItIsCut(t *testing.T) {
	eachFrame(t, 1, []remote.LinkKind{remote.LinkImport, remote.LinkExport}, func(s *linkScript) {
		caller, server := s.here, s.there
		queues := []string{"echo", "numbers"}
		o := remote.LinkOptions{Import: queues}
		if s.kind == remote.LinkExport {
			caller, server = s.there, s.here
			o = remote.LinkOptions{Export: queues}
		}
		_, err := server.Handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil })
		require.NoError(s.t, err)
		_, err = warren.HandleStreamFor(server, "numbers", func(_ context.Context, n int) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := 0; i < n && yield(i, nil); i++ {
				}
			}
		})
		require.NoError(s.t, err)
		l := s.link(o)
		good := 0
		for n := range 4 {
			ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
			body := fmt.Sprint("call ", n)
			reply, err := caller.Call(ctx, "echo", warren.Message{Body: []byte(body)})
			if err == nil {
				require.Equal(s.t, body, string(reply.Body))
				good++
			}
			next := 0
			for i, err := range warren.CallStreamFor[int](ctx, caller, "numbers", 3) {
				if err != nil {
					next = -1
					break
				}
				require.Equal(s.t, next, i)
				next++
			}
			if next >= 0 {
				require.Equal(s.t, 3, next, "a stream that has lost something has an error")
				good++
			}
			cancel()
			time.Sleep(time.Second)
		}
		require.GreaterOrEqual(s.t, good, 6, "no more than one call and one stream were lost")
		require.NoError(s.t, l.Shutdown(s.t.Context()))
		synctest.Wait()
		require.Zero(s.t, caller.Stats().Unacked+server.Stats().Unacked)
	})
}
