package remote_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// bothWays runs f with handlers elsewhere that are called here, and with handlers here that
// are called elsewhere.
func bothWays(t *testing.T, f func(t *testing.T, caller, server *warren.Broker, l *remote.Linked)) {
	queues := []string{"echo", "double", "none", "slow"}
	for kind, o := range map[remote.LinkKind]remote.LinkOptions{remote.LinkImport: {Import: queues}, remote.LinkExport: {Export: queues}} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here := brokertest.New(t, nil)
				there, srv := brokertest.Serve(t, nil, nil)
				l := linked(t, here, srv.Dial, o)
				if kind == remote.LinkImport {
					f(t, here, there, l)
				} else {
					f(t, there, here, l)
				}
			})
		})
	}
}

func TestCallsPassALink(t *testing.T) {
	bothWays(t, func(t *testing.T, caller, server *warren.Broker, l *remote.Linked) {
		gone := make(chan time.Duration, 1)
		_, err := server.Handle("echo", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			switch string(req.Body) {
			case "fail":
				return warren.Message{}, &warren.RemoteError{Code: "own", Text: "words"}
			case "panic":
				panic("oh")
			case "wait":
				began := time.Now()
				<-ctx.Done()
				gone <- time.Since(began)
				return warren.Message{}, ctx.Err()
			}
			return warren.Message{Body: req.Body, Headers: warren.Table{"correlation": req.CorrelationId, "h": req.Headers["h"], "passed": req.Headers[remote.PassedHeader]}}, nil
		})
		require.NoError(t, err)
		ctx := t.Context()
		headers := warren.Table{"h": warren.Table{"list": []any{"v", warren.Table{}}}}
		reply, err := caller.Call(ctx, "echo", warren.Message{Body: []byte("x"), CorrelationId: "mine", UserId: "somebody", Headers: headers})
		require.NoError(t, err)
		require.Equal(t, "x", string(reply.Body))
		require.Equal(t, "mine", reply.CorrelationId)
		require.Equal(t, "mine", reply.Headers["correlation"])
		require.Equal(t, headers["h"], reply.Headers["h"])
		require.Len(t, reply.Headers["passed"], 1)
		_, err = caller.Call(ctx, "echo", warren.Message{Body: []byte("fail")})
		require.ErrorIs(t, err, &warren.RemoteError{Code: "own"})
		require.ErrorContains(t, err, "words")
		_, err = caller.Call(ctx, "echo", warren.Message{Body: []byte("panic")})
		require.ErrorIs(t, err, warren.ErrHandlerPanicked)
		_, err = caller.Call(ctx, "none", warren.Message{})
		require.ErrorIs(t, err, warren.ErrBusy)
		require.True(t, warren.Repeatable(err))
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = caller.Call(ctx, "echo", warren.Message{Body: []byte("wait")})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.InDelta(t, time.Second, <-gone, float64(time.Millisecond))
		require.Equal(t, uint64(4), l.Stats()[0].Passed)
		t.Log("A message that nobody waits for is served, too.")
		require.NoError(t, caller.Enqueue(t.Context(), "echo", warren.Message{Body: []byte("one way")}))
		synctest.Wait()
		require.Equal(t, uint64(5), l.Stats()[0].Passed)
		require.Zero(t, caller.Stats().Ready+server.Stats().Ready)
	})
}

func TestStreamsPassALink(t *testing.T) {
	bothWays(t, func(t *testing.T, caller, server *warren.Broker, _ *remote.Linked) {
		_, err := warren.HandleBothFor(server, "double", func(_ context.Context, in iter.Seq2[int, error]) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for n, err := range in {
					if err != nil || !yield(2*n, nil) {
						return
					}
					if n == 1000 {
						yield(0, errors.New("that is all"))
						return
					}
				}
			}
		})
		require.NoError(t, err)
		// The items never end by themselves.
		stopped := make(chan bool, 1)
		in := func(yield func(int, error) bool) {
			for n := 1; yield(n, nil); n++ {
				if n == 1000 {
					time.Sleep(time.Hour)
				}
			}
			stopped <- true
		}
		next := 2
		for n, err := range warren.CallBothFor[int](t.Context(), caller, "double", in) {
			if next > 2000 {
				require.ErrorIs(t, err, warren.ErrHandlerFailed)
				break
			}
			require.NoError(t, err)
			require.Equal(t, next, n)
			next += 2
		}
		require.Equal(t, 2002, next)
		require.True(t, <-stopped)
		for n, err := range warren.CallBothFor[int](t.Context(), caller, "double", in) {
			require.NoError(t, err)
			if n == 20 {
				break
			}
		}
		for _, err := range warren.CallStreamFor[int](t.Context(), caller, "none", 1) {
			require.ErrorIs(t, err, warren.ErrBusy)
		}
		_, err = caller.Call(t.Context(), "double", warren.Message{})
		require.ErrorIs(t, err, &warren.RemoteError{Code: warren.CodeStream})
		time.Sleep(2 * time.Hour)
		require.Zero(t, caller.Stats().Unacked+server.Stats().Unacked)
	})
}

// A message that nobody waits for stays until there is a handler.
func TestJobsWaitForAHandlerBehindALink(t *testing.T) {
	bothWays(t, func(t *testing.T, caller, server *warren.Broker, l *remote.Linked) {
		require.NoError(t, caller.Enqueue(t.Context(), "none", warren.Message{Body: []byte("job")}))
		time.Sleep(10 * time.Second)
		got := make(chan string, 10)
		_, err := server.Handle("none", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got <- string(req.Body)
			return warren.Message{}, nil
		})
		require.NoError(t, err)
		require.Equal(t, "job", <-got)
		time.Sleep(10 * time.Second)
		require.Empty(t, got)
		require.LessOrEqual(t, l.Stats()[2].Passed, uint64(120), "it does not come again at once")
	})
}

// The queues of a broker that is closed have no route any more.
func TestALinkExportsNothingOfAClosedBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := warren.New(nil)
		there, srv := brokertest.Serve(t, nil, nil)
		l := linked(t, here, srv.Dial, remote.LinkOptions{Export: []string{"q"}})
		require.NoError(t, here.Close())
		_, err := there.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrHandlerFailed)
		synctest.Wait()
		_, err = there.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		require.ErrorIs(t, l.Stats()[0].Err, warren.ErrClosed)
		require.False(t, l.Stats()[0].Running)
	})
}

// Two links that import the same queue from each other have no handler.
func TestCallsThatGoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, srvA := brokertest.Serve(t, nil, nil)
		b, srvB := brokertest.Serve(t, nil, nil)
		linked(t, a, srvB.Dial, remote.LinkOptions{Import: []string{"q"}})
		l := linked(t, b, srvA.Dial, remote.LinkOptions{Import: []string{"q"}})
		for _, from := range []*warren.Broker{a, b} {
			_, err := from.Call(t.Context(), "q", warren.Message{})
			require.ErrorIs(t, err, &warren.RemoteError{Code: remote.CodeLoop})
		}
		require.Equal(t, uint64(1), l.Stats()[0].Looped)
	})
}

// A call whose link is lost fails. The next one passes again.
func TestCallsWhenALinkIsLost(t *testing.T) {
	bothWays(t, func(t *testing.T, caller, server *warren.Broker, l *remote.Linked) {
		_, err := server.Handle("slow", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(time.Minute)
			return req.Message, nil
		})
		require.NoError(t, err)
		cut := func() {
			for _, b := range []*warren.Broker{caller, server} {
				for _, s := range b.Sessions() {
					if s.Remote {
						require.NoError(t, b.SessionClose(s.ID, "by hand"))
					}
				}
			}
		}
		time.AfterFunc(time.Second, cut)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = caller.Call(ctx, "slow", warren.Message{Body: []byte("x")})
		if l.Stats()[0].Kind == remote.LinkImport {
			require.ErrorIs(t, err, remote.ErrConnectionLost)
			require.False(t, warren.Repeatable(err))
		} else {
			t.Log("The queue elsewhere is gone with the link, or the request comes again.")
		}
		time.Sleep(time.Minute)
		reply, err := caller.Call(ctx, "slow", warren.Message{Body: []byte("y")})
		require.NoError(t, err)
		require.Equal(t, "y", string(reply.Body))
	})
}

// Without its link, a queue of the other side has no route.
func TestCallsAfterALink(t *testing.T) {
	bothWays(t, func(t *testing.T, caller, server *warren.Broker, l *remote.Linked) {
		_, err := server.Handle("slow", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(time.Minute)
			return req.Message, nil
		})
		require.NoError(t, err)
		call := make(chan error, 1)
		go func() {
			_, err := caller.Call(t.Context(), "slow", warren.Message{Body: []byte("x")})
			call <- err
		}()
		time.Sleep(time.Second)
		require.NoError(t, l.Shutdown(t.Context()))
		require.NoError(t, <-call)
		synctest.Wait()
		_, err = caller.Call(t.Context(), "slow", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
	})
}
