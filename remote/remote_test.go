package remote_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// with runs f in a bubble with two brokers that stand for a third.
func with(t *testing.T, f func(t *testing.T, real *warren.Broker, client, server *remote.Broker)) {
	withBroker(t, nil, f)
}

func withBroker(t *testing.T, o *warren.Options, f func(t *testing.T, real *warren.Broker, client, server *remote.Broker)) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, o, nil)
		dial := func() *remote.Broker {
			r, err := remote.Dial(t.Context(), []string{"amqp://guest:guest@localhost/"}, &remote.Options{Dial: srv.Dial, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			return r
		}
		f(t, b, dial(), dial())
	})
}

func TestACallGoesToAHandlerElsewhere(t *testing.T) {
	with(t, func(t *testing.T, _ *warren.Broker, client, server *remote.Broker) {
		_, err := client.Call(t.Context(), "echo", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		h, err := server.Handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			if string(req.Body) == "fail" {
				return warren.Message{}, &warren.RemoteError{Code: "own", Text: "words"}
			}
			return warren.Message{Body: []byte("re:" + string(req.Body)), Headers: warren.Table{"correlation": req.CorrelationId}}, nil
		})
		require.NoError(t, err)
		reply, err := client.Call(t.Context(), "echo", warren.Message{Body: []byte("x"), CorrelationId: "mine"})
		require.NoError(t, err)
		require.Equal(t, "re:x", string(reply.Body))
		require.Equal(t, "mine", reply.CorrelationId)
		require.Equal(t, "mine", reply.Headers["correlation"])
		_, err = client.Call(t.Context(), "echo", warren.Message{Body: []byte("fail")})
		require.ErrorIs(t, err, &warren.RemoteError{Code: "own"})
		require.NoError(t, h.Close())
		synctest.Wait()
		_, err = client.Call(t.Context(), "echo", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
	})
}

func TestAStreamComesFromElsewhere(t *testing.T) {
	with(t, func(t *testing.T, _ *warren.Broker, client, server *remote.Broker) {
		_, err := warren.HandleBothFor(server, "double", func(_ context.Context, in iter.Seq2[int, error]) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for n, err := range in {
					if err != nil || !yield(2*n, nil) {
						return
					}
				}
				yield(0, errors.New("that is all"))
			}
		})
		require.NoError(t, err)
		in := func(yield func(int, error) bool) {
			for n := 1; n <= 1000 && yield(n, nil); n++ {
			}
		}
		next := 2
		for n, err := range warren.CallBothFor[int](t.Context(), client, "double", in) {
			if next > 2000 {
				require.ErrorIs(t, err, warren.ErrHandlerFailed)
				break
			}
			require.NoError(t, err)
			require.Equal(t, next, n)
			next += 2
		}
		require.Equal(t, 2002, next)
	})
}

func TestItConnectsAgain(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, server *remote.Broker) {
		_, err := server.Handle("slow", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(time.Minute)
			return req.Message, nil
		})
		require.NoError(t, err)
		call := make(chan error)
		go func() {
			_, err := client.Call(t.Context(), "slow", warren.Message{Body: []byte("x")})
			call <- err
		}()
		time.Sleep(time.Second)
		for _, s := range real.Sessions() {
			if s.Remote {
				real.SessionClose(s.ID, "by hand")
			}
		}
		err = <-call
		require.ErrorIs(t, err, remote.ErrConnectionLost)
		require.False(t, warren.Repeatable(err))
		time.Sleep(time.Second)
		reply, err := client.Call(t.Context(), "slow", warren.Message{Body: []byte("y")})
		require.NoError(t, err)
		require.Equal(t, "y", string(reply.Body))
	})
}
