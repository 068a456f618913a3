package remote_test

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// elsewhere is the URL of a broker that the scripts run on in place of one of their own.
// Then they take real time.
var elsewhere = os.Getenv("WARREN_REMOTE_URL")

// patience is for what must end by itself. It is longer than any wait without a deadline.
const patience = 10 * time.Minute

// script is what happens while something happens to one of two remote brokers.
type script struct {
	*cutter
	t        *testing.T
	real     *warren.Broker // nil: the broker is elsewhere indeed
	url      string
	suffix   string         // of queues
	touched  *remote.Broker // it happens to this one
	other    *remote.Broker
	isClosed bool // calls may end so

	mu sync.Mutex
	// Guarded by mu.
	served map[string]int // requests by their body
	lines  strings.Builder
}

// each runs a script for each frame in a direction; with the race detector, for some.
func each(t *testing.T, written bool, f func(s *script)) {
	step := 1
	if brokertest.Race {
		step = 3
	}
	for at := 1 + rand.IntN(step); ; at += step {
		cut := true
		ok := t.Run(fmt.Sprint("frame=", at), func(t *testing.T) {
			brokertest.Watch(t, time.Minute, "-run "+t.Name())
			test := func(t *testing.T) {
				s := &script{t: t, url: url, served: map[string]int{}}
				s.cutter = &cutter{dial: net.Dial, written: written, at: at, given: map[string]bool{}}
				if elsewhere != "" {
					s.url, s.suffix = elsewhere, "-"+crand.Text()
				} else {
					real, srv := brokertest.Serve(t, nil, nil)
					s.real, s.cutter.dial = real, srv.Dial
				}
				defer func() { // what is left would hide why it has failed
					for _, b := range []*remote.Broker{s.touched, s.other} {
						if b != nil {
							b.Close()
						}
					}
					if t.Failed() {
						t.Log(s.lines.String())
					}
				}()
				f(s)
				cut = s.acted()
			}
			if elsewhere != "" {
				test(t)
			} else {
				synctest.Test(t, test)
			}
		})
		if !ok || !cut {
			require.Greater(t, at, 12, "the script was followed")
			return
		}
	}
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.Write(p)
}

func (s *script) options(dial func(network, addr string) (net.Conn, error)) *remote.Options {
	return &remote.Options{Dial: dial, Logger: slog.New(slog.NewTextHandler(s, nil))}
}

// connect dials both. The one that it happens to may fail the first time.
func (s *script) connect() {
	urls := []string{s.url}
	var err error
	s.other, err = remote.Dial(s.t.Context(), urls, s.options(s.dial))
	require.NoError(s.t, err)
	for range 2 {
		if s.touched, err = remote.Dial(s.t.Context(), urls, s.options(s.Dial)); err == nil {
			break
		}
		require.True(s.t, s.acted())
		dialError, ok := errors.AsType[*remote.DialError](err)
		require.True(s.t, ok, "%v", err)
		require.NotContains(s.t, dialError.URL, ":guest@")
	}
	require.NoError(s.t, err)
}

// within fails the test if f does not end.
func (s *script) within(what string, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		panic(what + " does not end")
	}
}

func (s *script) serve(body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served[body]++
}

func (s *script) times(body string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served[body]
}

func (s *script) echo(_ context.Context, req *warren.Request) (warren.Message, error) {
	s.serve(string(req.Body))
	return warren.Message{Body: req.Body}, nil
}

// numbers answers each item, and ends.
func (s *script) numbers(_ context.Context, in iter.Seq2[int, error]) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for n, err := range in {
			if err != nil || !yield(2*n, nil) {
				return
			}
		}
	}
}

// handle makes handlers of a broker.
func (s *script) handle(b *remote.Broker) (handlers []*warren.Handler) {
	s.within("Handle", func() {
		h, err := b.Handle("echo"+s.suffix, s.echo)
		s.typed(err)
		handlers = append(handlers, h)
		h, err = warren.HandleBothFor(b, "numbers"+s.suffix, s.numbers)
		s.typed(err)
		handlers = append(handlers, h)
	})
	return handlers
}

// typed requires that an error is nil, or ErrClosed if somebody closes.
func (s *script) typed(err error) {
	if !s.isClosed || !errors.Is(err, warren.ErrClosed) {
		require.NoError(s.t, err)
	}
}

// call calls without a deadline, and checks what the error says.
func (s *script) call(b *remote.Broker, body string) error {
	var reply warren.Message
	var err error
	s.within("a call", func() {
		reply, err = b.Call(context.Background(), "echo"+s.suffix, warren.Message{Body: []byte(body)})
	})
	switch {
	case err == nil:
		require.Equal(s.t, body, string(reply.Body))
		require.NotZero(s.t, s.times(body))
	case errors.Is(err, remote.ErrConnectionLost):
		require.NotErrorIs(s.t, err, remote.ErrConnection)
		require.True(s.t, s.was(body), "it was not sent, so it cannot have been served")
		require.False(s.t, warren.Repeatable(err))
	default:
		require.True(s.t, s.isClosed, "%v", err)
		require.ErrorIs(s.t, err, warren.ErrClosed)
	}
	return err
}

// stream calls the other handler, with items in both directions.
func (s *script) stream(b *remote.Broker, lost ...error) (ended error) {
	s.within("a stream", func() {
		in := func(yield func(int, error) bool) {
			for n := 1; n <= 5 && yield(n, nil); n++ {
			}
		}
		next := 2
		for n, err := range warren.CallBothFor[int](context.Background(), b, "numbers"+s.suffix, in, warren.CallOptions{Window: 2}) {
			if err != nil {
				ended = err
				return
			}
			require.Equal(s.t, next, n)
			next += 2
		}
		require.Equal(s.t, 12, next)
	})
	if ended != nil && !(s.isClosed && errors.Is(ended, warren.ErrClosed)) {
		found := false
		for _, l := range lost {
			found = found || errors.Is(ended, l)
		}
		require.True(s.t, found, "%v", ended)
	}
	return ended
}

// end closes all.
func (s *script) end() {
	s.within("Close", func() {
		require.NoError(s.t, s.touched.Close())
		require.NoError(s.t, s.other.Close())
	})
}

// directions runs a test for what the client writes and for what it reads, of connections
// that end in different ways.
func directions(t *testing.T, f func(t *testing.T, written bool, how cutKind)) {
	t.Run("written", func(t *testing.T) { f(t, true, breaks) })
	t.Run("read", func(t *testing.T) { f(t, false, breaks) })
	t.Run("written, and the write fails", func(t *testing.T) { f(t, true, fails) })
	if elsewhere != "" {
		return // it would take hours
	}
	t.Run("written, and stands still", func(t *testing.T) { f(t, true, stalls) })
	t.Run("read, and stands still", func(t *testing.T) { f(t, false, stalls) })
}

func TestCallsEndWhereverTheConnectionIsCut(t *testing.T) {
	directions(t, func(t *testing.T, written bool, how cutKind) {
		each(t, written, func(s *script) {
			s.how = how
			s.connect()
			s.handle(s.other)
			failed := 0
			for i := range 3 {
				if s.call(s.touched, fmt.Sprint("one after the other ", i)) != nil {
					failed++
				}
			}
			var together sync.WaitGroup
			errs := make([]error, 4)
			for i := range errs {
				together.Go(func() { errs[i] = s.call(s.touched, fmt.Sprint("together ", i)) })
			}
			together.Wait()
			if s.stream(s.touched, remote.ErrConnectionLost) != nil {
				failed++
			}
			require.LessOrEqual(s.t, failed, 1, "one connection was cut")
			for s.call(s.touched, fmt.Sprint("after all ", failed)) != nil {
				failed++
			}
			for s.stream(s.touched, remote.ErrConnectionLost) != nil {
				failed++
			}
			require.LessOrEqual(s.t, failed, 1, "one connection was cut")
			s.end()
			for body, times := range s.served {
				require.Equal(s.t, 1, times, "nothing is sent twice: %s", body)
			}
		})
	})
}

func TestHandlersAreBackWhereverTheConnectionIsCut(t *testing.T) {
	directions(t, func(t *testing.T, written bool, how cutKind) {
		each(t, written, func(s *script) {
			s.how = how
			s.connect()
			s.handle(s.touched)
			for i := range 2 {
				require.NoError(s.t, s.call(s.other, fmt.Sprint("call ", i)), "it comes again")
			}
			conn, err := amqp091.DialConfig(s.url, amqp091.Config{Dial: s.dial, Heartbeat: time.Hour})
			require.NoError(s.t, err)
			defer conn.Close()
			ch := brokertest.ClientChannel(s.t, conn)
			for i := range 2 {
				m := amqp091.Publishing{Body: fmt.Append(nil, "one way ", i)}
				require.NoError(s.t, ch.Publish("", "echo"+s.suffix, false, false, m))
			}
			failed := 0
			for s.stream(s.other, warren.ErrServerLost) != nil {
				failed++
			}
			require.LessOrEqual(s.t, failed, 1, "one connection was cut")
			require.NoError(s.t, s.call(s.other, "after all"))
			if s.real != nil {
				brokertest.Later(time.Minute) // until the broker, too, gives up a connection that stands still
			}
			for i := range 2 {
				require.NotZero(s.t, s.times(fmt.Sprint("one way ", i)))
			}
			q, err := ch.QueueDeclarePassive("echo"+s.suffix, false, false, false, false, nil)
			require.NoError(s.t, err)
			require.Zero(s.t, q.Messages)
			if s.real != nil {
				v, err := s.real.VirtualHost("/")
				require.NoError(s.t, err)
				for _, x := range v.Queues() {
					require.Zero(s.t, x.Unacked, x.Name)
				}
			}
			s.end()
		})
	})
}

// ends runs a script in which touched is closed by f at each frame, while both call each
// other.
func ends(t *testing.T, written bool, f func(*remote.Broker) error) {
	each(t, written, func(s *script) {
		s.isClosed = true
		ctx, cancel := context.WithCancel(s.t.Context())
		dialed, ended := make(chan struct{}), make(chan struct{})
		s.act = func() {
			defer close(ended)
			cancel()
			<-dialed
			if s.touched != nil {
				s.within("the end", func() { require.NoError(s.t, f(s.touched)) })
			}
		}
		urls := []string{s.url}
		var err error
		s.other, err = remote.Dial(s.t.Context(), urls, s.options(s.dial))
		require.NoError(s.t, err)
		s.touched, err = remote.Dial(ctx, urls, s.options(s.Dial))
		close(dialed)
		if err != nil {
			require.ErrorIs(s.t, err, context.Canceled)
			return
		}
		h, err := s.other.Handle("other"+s.suffix, s.echo)
		require.NoError(s.t, err)
		s.handle(s.touched)
		for i := range 2 {
			body := fmt.Sprint("to the other ", i)
			s.within("a call", func() {
				reply, err := s.touched.Call(context.Background(), "other"+s.suffix, warren.Message{Body: []byte(body)})
				s.typed(err)
				if err == nil {
					require.Equal(s.t, body, string(reply.Body))
				}
			})
			s.within("a call", func() {
				body := fmt.Sprint("to the touched ", i)
				ctx, cancel := context.Background(), func() {}
				if elsewhere != "" { // a minute is too long
					ctx, cancel = context.WithTimeout(ctx, time.Second)
				}
				defer cancel()
				reply, err := s.other.Call(ctx, "echo"+s.suffix, warren.Message{Body: []byte(body)})
				if err == nil {
					require.Equal(s.t, body, string(reply.Body))
				} else if elsewhere != "" && errors.Is(err, context.DeadlineExceeded) {
					s.t.Log("its handler has gone")
				} else if !errors.Is(err, warren.ErrNoRoute) {
					require.ErrorIs(s.t, err, remote.ErrAbandoned)
				}
			})
		}
		if s.stop() {
			<-ended
			_, err = s.touched.Call(s.t.Context(), "other", warren.Message{})
			require.ErrorIs(s.t, err, warren.ErrClosed)
			_, err = s.touched.Handle("late", s.echo)
			require.ErrorIs(s.t, err, warren.ErrClosed)
			require.Equal(s.t, remote.Closed, s.touched.State().Kind)
		}
		require.NoError(s.t, h.Close())
		s.end()
	})
}

func TestCloseEndsAllAtEachFrame(t *testing.T) {
	t.Run("written", func(t *testing.T) { ends(t, true, (*remote.Broker).Close) })
	t.Run("read", func(t *testing.T) { ends(t, false, (*remote.Broker).Close) })
}

func TestShutdownEndsAllAtEachFrame(t *testing.T) {
	shutdown := func(b *remote.Broker) error { return b.Shutdown(context.Background()) }
	t.Run("written", func(t *testing.T) { ends(t, true, shutdown) })
	t.Run("read", func(t *testing.T) { ends(t, false, shutdown) })
}
