package remote_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/remote"
)

const url = "amqp://guest:guest@localhost/"

// states reads states until the Broker closes. It is called before that, and its result
// after.
func states(t *testing.T, b *remote.Broker) (result func() []remote.State) {
	var list []remote.State
	var last error
	done := make(chan struct{})
	all := b.States(t.Context())
	go func() {
		defer close(done)
		for s, err := range all {
			if last = err; err == nil {
				list = append(list, s)
			}
		}
	}()
	return func() []remote.State {
		<-done
		require.ErrorIs(t, last, warren.ErrClosed)
		return list
	}
}

func kinds(list []remote.State) (all []remote.StateKind) {
	for _, s := range list {
		all = append(all, s.Kind)
	}
	return all
}

func cutAll(real *warren.Broker) {
	for _, s := range real.Sessions() {
		if s.Remote {
			real.SessionClose(s.ID, "by hand")
		}
	}
}

func TestStatesTellWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		var lines bytes.Buffer
		r, err := remote.Dial(t.Context(), []string{url}, &remote.Options{Dial: srv.Dial, Wait: time.Second, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		require.NoError(t, err)
		require.Equal(t, remote.Connected, r.State().Kind)
		require.Equal(t, "amqp://guest@localhost/", r.State().URL)
		result := states(t, r)
		cutAll(b)
		synctest.Wait()
		lost := r.State()
		require.Equal(t, remote.Lost, lost.Kind)
		require.ErrorContains(t, lost.Reason, "by hand")
		require.LessOrEqual(t, lost.Wait, 100*time.Millisecond)
		require.GreaterOrEqual(t, lost.Wait, 50*time.Millisecond)
		brokertest.Later(time.Second)

		clear := b.Link().RaiseAlarm(memory.Memory)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = r.Call(short, "echo", warren.Message{}) // who publishes is told
		require.Equal(t, context.DeadlineExceeded, err, "it was sent")
		require.Equal(t, remote.Blocked, r.State().Kind)
		require.NotEmpty(t, r.State().Text)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = r.Call(ctx, "echo", warren.Message{})
		require.ErrorIs(t, err, remote.ErrBlocked)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, warren.Repeatable(err))
		call := make(chan error)
		go func() {
			_, err := r.Call(context.Background(), "echo", warren.Message{})
			call <- err
		}()
		brokertest.Later(time.Hour)
		require.Empty(t, call, "it is held back")
		clear()
		require.ErrorIs(t, <-call, warren.ErrNoRoute)

		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
		list := result()
		require.Equal(t, []remote.StateKind{remote.Lost, remote.Connected, remote.Blocked, remote.Unblocked, remote.Closed}, kinds(list))
		for _, word := range []string{"was lost", "by hand", "connected to the broker", "takes no messages", "takes messages again", "is closed"} {
			require.Contains(t, lines.String(), word)
		}
		require.NotContains(t, lines.String(), "guest:guest")
		for _, err := range r.States(t.Context()) {
			require.ErrorIs(t, err, warren.ErrClosed)
		}
	})
}

// The broker stops reading in the middle of a large message. A goroutine of amqp091-go
// waits for a mutex then, so that this cannot be in a bubble.
func TestNobodyIsHeldUpByALargeMessage(t *testing.T) {
	b, srv := brokertest.Serve(t, nil, nil)
	require.NoError(t, srv.Listen("127.0.0.1:0"))
	r, err := remote.Dial(t.Context(), []string{srv.URL()}, nil)
	require.NoError(t, err)
	defer r.Close()
	_, err = r.Handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil })
	require.NoError(t, err)
	clear := b.Link().RaiseAlarm(memory.Memory)
	large := warren.Message{Body: make([]byte, 16<<20)}
	begin := time.Now()
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = r.Call(ctx, "echo", large)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = r.Call(ctx, "echo", warren.Message{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	require.Less(t, time.Since(begin), patient)
	require.Equal(t, remote.Blocked, r.State().Kind)
	clear()
	_, err = r.Call(t.Context(), "echo", large)
	require.NoError(t, err)

	clear = b.Link().RaiseAlarm(memory.Memory)
	defer clear()
	call := make(chan error)
	go func() {
		_, err := r.Call(context.Background(), "echo", large)
		call <- err
	}()
	require.Eventually(t, func() bool { return r.State().Kind == remote.Blocked }, patient, time.Millisecond)
	require.NoError(t, r.Close(), "while it is being sent")
	require.ErrorIs(t, <-call, warren.ErrClosed)
}

// patient is how long real time may take for what is due at once.
const patient = 30 * time.Second

func TestADialThatFailsTellsWhyForEachURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		refused := errors.New("refused")
		dial := func(network, addr string) (net.Conn, error) {
			switch addr {
			case "one:5672":
				return nil, refused
			case "silent:5672":
				nc, _ := net.Pipe()
				return nc, nil
			case "stuck:5672":
				time.Sleep(time.Hour)
				return nil, refused
			}
			return srv.Dial(network, addr)
		}
		urls := []string{
			"amqp://guest:secret@one/", "amqp://guest:secret@two/", "amqp://guest:guest@three/nowhere",
			"amqp://guest:secret@silent/", "amqp://guest:secret@stuck/", "http://guest:secret@five/", "amqp://guest:secret@six:port/",
		}
		begin := time.Now()
		_, err := remote.Dial(t.Context(), urls, &remote.Options{Dial: dial})
		require.Equal(t, 20*time.Second, time.Since(begin))
		require.ErrorIs(t, err, refused)
		require.ErrorIs(t, err, warren.ErrAccessRefused, "of the second")
		require.ErrorIs(t, err, warren.ErrNotAllowed, "of the third")
		require.NotContains(t, err.Error(), "secret")
		for _, u := range []string{"@one/: refused", "@two/: ", "@three/nowhere: ", "@silent/: no answer", "@stuck/: no answer", "http://guest@five/: ", "cannot be read"} {
			require.ErrorContains(t, err, u)
		}
		joined, ok := err.(interface{ Unwrap() []error })
		require.True(t, ok)
		require.Len(t, joined.Unwrap(), len(urls))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = remote.Dial(ctx, urls[3:], &remote.Options{Dial: dial})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		r, err := remote.Dial(t.Context(), []string{urls[0], url}, &remote.Options{Dial: dial})
		require.NoError(t, err)
		require.NoError(t, r.Close())
		_, err = remote.Dial(t.Context(), nil, nil)
		require.ErrorContains(t, err, "no URL")
		time.Sleep(2 * time.Hour) // until nobody is stuck any more
	})
}

// It is told, and tried again with the same back-off as anything else.
func TestARefusedPasswordIsToldAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		r, err := remote.Dial(t.Context(), []string{url}, &remote.Options{Dial: srv.Dial, Jitter: -1, Wait: time.Second})
		require.NoError(t, err)
		defer r.Close()
		result := states(t, r)
		require.NoError(t, b.UserDeclare("guest", "other", "administrator"))
		cutAll(b)
		brokertest.Later(time.Minute)
		s := r.State()
		require.Equal(t, remote.Unreachable, s.Kind)
		require.ErrorIs(t, s.Reason, warren.ErrAccessRefused)
		_, err = r.Call(t.Context(), "echo", warren.Message{})
		require.ErrorIs(t, err, remote.ErrConnection)
		require.ErrorIs(t, err, warren.ErrAccessRefused, "the call tells why")
		require.True(t, warren.Repeatable(err))
		_, err = r.Handle("echo", func(context.Context, *warren.Request) (warren.Message, error) { return warren.Message{}, nil })
		require.ErrorIs(t, err, remote.ErrConnection)
		require.NoError(t, b.UserDeclare("guest", "guest", "administrator"))
		brokertest.Later(10 * time.Second)
		require.Equal(t, remote.Connected, r.State().Kind)
		_, err = r.Call(t.Context(), "echo", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		require.NoError(t, r.Close())
		list := result()
		var waits []time.Duration
		for i := range list {
			if list[i].Wait > 0 {
				waits = append(waits, list[i].Wait)
			}
		}
		for i, w := range waits {
			require.Equal(t, min(100*time.Millisecond<<i, 10*time.Second), w)
		}
		require.Greater(t, len(waits), 7)
	})
}

func TestItGoesFromURLToURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := map[string]*amqp.Server{}
		up := map[string]bool{"a:5672": true, "b:5672": true}
		for addr := range up {
			_, servers[addr] = brokertest.Serve(t, nil, nil)
		}
		dial := func(network, addr string) (net.Conn, error) {
			if !up[addr] {
				return nil, errors.New("down")
			}
			return servers[addr].Dial(network, addr)
		}
		r, err := remote.Dial(t.Context(), []string{"amqp://guest:guest@a/", "amqp://guest:guest@b/"}, &remote.Options{Dial: dial})
		require.NoError(t, err)
		defer r.Close()
		require.Equal(t, "amqp://guest@a/", r.State().URL)
		_, err = r.Handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil })
		require.NoError(t, err)
		up["a:5672"] = false
		require.NoError(t, servers["a:5672"].Close())
		brokertest.Later(time.Second)
		require.Equal(t, "amqp://guest@b/", r.State().URL)
		_, err = r.Call(t.Context(), "echo", warren.Message{Body: []byte("x")})
		require.NoError(t, err, "the handler is there, too")
		require.NoError(t, r.Close())
	})
}

// Nobody tells a caller that its handler has gone for good, or its queue.
func TestACallWithoutDeadlineDoesNotWaitForAHandlerThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real, srv := brokertest.Serve(t, nil, nil)
		client, err := remote.Dial(t.Context(), []string{url}, &remote.Options{Dial: srv.Dial})
		require.NoError(t, err)
		defer client.Close()
		server, err := remote.Dial(t.Context(), []string{url}, &remote.Options{Dial: srv.Dial})
		require.NoError(t, err)
		defer server.Close()
		serves := true
		for queue, durable := range map[string]bool{"plain": false, "durable": true, "deleted": false} {
			_, err = server.Handle(queue, func(ctx context.Context, req *warren.Request) (warren.Message, error) {
				if serves && queue != "deleted" {
					return req.Message, nil
				}
				<-ctx.Done()
				return warren.Message{}, ctx.Err()
			}, warren.HandleOptions{Durable: durable})
			require.NoError(t, err)
		}
		call := func(queue string, durable bool) <-chan error {
			done := make(chan error, 1)
			go func() {
				_, err := client.Call(context.Background(), queue, warren.Message{Body: []byte("x")}, warren.CallOptions{Durable: durable})
				done <- err
			}()
			return done
		}
		require.NoError(t, <-call("plain", false))
		deleted := call("deleted", false)
		brokertest.Later(5 * time.Minute)
		require.Empty(t, deleted, "it is being served")
		ch := brokertest.Channel(t, real)
		_, err = ch.QueueDelete("deleted", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		serves = false
		plain, durable := call("plain", false), call("durable", true)
		brokertest.Later(time.Second)
		require.NoError(t, server.Close())
		begin := time.Now()
		require.ErrorIs(t, <-plain, remote.ErrAbandoned)
		require.ErrorIs(t, <-deleted, warren.ErrRequestDropped)
		require.Less(t, time.Since(begin), 2*time.Minute)
		brokertest.Later(time.Hour)
		require.Empty(t, durable, "it waits")
		_, err = client.Handle("durable", func(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil }, warren.HandleOptions{Durable: true})
		require.NoError(t, err)
		require.NoError(t, <-durable)
	})
}

func TestShutdownFinishesWhatHandlersWorkOn(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, server *remote.Broker) {
		served := 0
		_, err := server.Handle("slow", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(time.Minute)
			served++
			return req.Message, nil
		}, warren.HandleOptions{Concurrency: 1})
		require.NoError(t, err)
		calls := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := client.Call(t.Context(), "slow", warren.Message{Body: []byte("x")})
				calls <- err
			}()
		}
		brokertest.Later(time.Second)
		require.NoError(t, server.Shutdown(t.Context()))
		require.Equal(t, 1, served)
		require.NoError(t, <-calls)
		brokertest.Later(time.Second)
		v, err := real.VirtualHost("/")
		require.NoError(t, err)
		q, err := v.Queue("slow")
		require.NoError(t, err)
		require.Equal(t, 2, q.Ready, "for another handler")
		require.Zero(t, q.Unacked)

		_, err = client.Handle("slow", func(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil })
		require.NoError(t, err)
		require.NoError(t, <-calls)
		require.NoError(t, <-calls)
	})
}

func TestAnInterruptedShutdownGivesRequestsBack(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, server *remote.Broker) {
		_, err := server.Handle("slow", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			<-ctx.Done()
			return warren.Message{}, ctx.Err()
		})
		require.NoError(t, err)
		call := make(chan error, 1)
		go func() {
			_, err := client.Call(t.Context(), "slow", warren.Message{Body: []byte("x")})
			call <- err
		}()
		brokertest.Later(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, server.Shutdown(ctx), context.DeadlineExceeded)
		brokertest.Later(time.Second)
		require.Empty(t, call)
		h, err := client.Handle("slow", func(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil })
		require.NoError(t, err)
		require.NoError(t, <-call)
		require.NoError(t, h.Close())
		brokertest.Later(time.Second)
		v, err := real.VirtualHost("/")
		require.NoError(t, err)
		require.Empty(t, v.Queues(), "the last handler has gone")
	})
}
