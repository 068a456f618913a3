package remote_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/remote"
)

// shops are three servers elsewhere, whose queues are bound to an exchange.
func shops(t *testing.T, server *remote.Broker) {
	require.NoError(t, server.ExchangeDeclare("shops", warren.Fanout, warren.ExchangeOptions{}))
	for _, name := range []string{"a", "b", "c"} {
		h, err := server.Handle(name, func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			switch string(req.Body) {
			case "b fails":
				if name == "b" {
					return warren.Message{}, warren.ErrBusy
				}
			case "c is late":
				if name == "c" {
					select {
					case <-time.After(time.Minute):
					case <-ctx.Done():
					}
				}
			}
			return warren.Message{Body: []byte(name)}, nil
		})
		require.NoError(t, err)
		require.NoError(t, server.QueueBind(h.Queue(), "", "shops", nil))
	}
}

// ask returns the answers of a loop in their order, and its errors.
func ask(ctx context.Context, c warren.ManyCaller, exchange, body string, opts ...warren.CallManyOptions) (bodies []string, errs []error) {
	for a, err := range c.CallMany(ctx, exchange, "", warren.Message{Body: []byte(body), CorrelationId: "mine"}, opts...) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		bodies = append(bodies, string(a.Body)+":"+a.CorrelationId)
	}
	slices.Sort(bodies)
	return bodies, errs
}

func TestManyElsewhereAnswerUpToACount(t *testing.T) {
	with(t, func(t *testing.T, _ *warren.Broker, client, server *remote.Broker) {
		shops(t, server)
		all := []string{"a:mine", "b:mine", "c:mine"}
		for range 3 {
			bodies, errs := ask(t.Context(), client, "shops", "", warren.CallManyOptions{Count: 3})
			require.Empty(t, errs)
			require.Equal(t, all, bodies)
		}
		bodies, errs := ask(t.Context(), client, "shops", "c is late", warren.CallManyOptions{Count: 2})
		require.Empty(t, errs)
		require.Equal(t, all[:2], bodies)
		time.Sleep(time.Hour) // the late answer comes to nobody
		bodies, errs = ask(t.Context(), client, "shops", "", warren.CallManyOptions{Count: 3})
		require.Empty(t, errs)
		require.Equal(t, all, bodies)
	})
}

func TestManyElsewhereAnswerUntilTheDeadline(t *testing.T) {
	with(t, func(t *testing.T, _ *warren.Broker, client, server *remote.Broker) {
		shops(t, server)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		bodies, errs := ask(ctx, client, "shops", "b fails")
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, []string{"a:mine", "c:mine"}, bodies)
		require.Len(t, errs, 2)
		require.ErrorIs(t, errs[0], warren.ErrBusy)
		require.True(t, warren.Repeatable(errs[0]))
		require.ErrorIs(t, errs[1], context.DeadlineExceeded)
		for _, err := range errs {
			require.ErrorAs(t, err, new(*warren.AnswerError))
		}
	})
}

func TestManyElsewhereCannotBeAskedForEver(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, _ *remote.Broker) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, opts := range [][]warren.CallManyOptions{nil, {{Count: 1}, {Count: -1}}} {
			_, errs := ask(ctx, client, "shops", "", opts...)
			require.Equal(t, []error{remote.ErrNoEnd}, errs)
		}
		_, errs := ask(ctx, client, "shops", "", warren.CallManyOptions{Count: 1, RequireConsumer: true})
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], errors.ErrUnsupported)
		require.Zero(t, real.Stats().Returned, "nothing was sent")
	})
}

func TestManyWhoAreNotThere(t *testing.T) {
	with(t, func(t *testing.T, _ *warren.Broker, client, server *remote.Broker) {
		one := warren.CallManyOptions{Count: 1}
		none := func(want error) {
			t.Helper()
			_, errs := ask(t.Context(), client, "shops", "", one)
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], want)
			require.False(t, errors.As(errs[0], new(*warren.AnswerError)), "nothing was sent")
			require.True(t, warren.Repeatable(errs[0]))
		}
		none(warren.ErrNotFound)
		require.NoError(t, server.ExchangeDeclare("shops", warren.Fanout, warren.ExchangeOptions{}))
		none(warren.ErrNoRoute)
		shops(t, server)
		bodies, errs := ask(t.Context(), client, "shops", "", warren.CallManyOptions{Count: 3})
		require.Empty(t, errs)
		require.Len(t, bodies, 3, "the connection has not suffered")
	})
}

func TestManyAreLostWithTheConnection(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, server *remote.Broker) {
		shops(t, server)
		var last error
		for a, err := range client.CallMany(t.Context(), "shops", "", warren.Message{Body: []byte("c is late")}, warren.CallManyOptions{Count: 3}) {
			last = err
			if err != nil || a.Body[0] == 'b' {
				continue
			}
			closeSessions(real)
		}
		require.ErrorIs(t, last, remote.ErrConnectionLost)
		require.ErrorAs(t, last, new(*warren.AnswerError))
		require.False(t, warren.Repeatable(last))
	})
}

// closeSessions cuts all connections of a broker.
func closeSessions(real *warren.Broker) {
	for _, s := range real.Sessions() {
		if s.Remote {
			real.SessionClose(s.ID, "by hand")
		}
	}
}

func TestTypedAnswersOfManyElsewhere(t *testing.T) {
	with(t, func(t *testing.T, _ *warren.Broker, client, server *remote.Broker) {
		require.NoError(t, server.ExchangeDeclare("sums", warren.Fanout, warren.ExchangeOptions{}))
		for _, n := range []int{1, 2} {
			h, err := warren.HandleFor(server, "", func(_ context.Context, m int) (int, error) { return n + m, nil })
			require.NoError(t, err)
			require.NotEmpty(t, h.Queue())
			require.NoError(t, server.QueueBind(h.Queue(), "", "sums", nil))
		}
		sum := 0
		for a, err := range warren.CallManyFor[int](t.Context(), client, "sums", "", 10, warren.CallManyOptions{Count: 2}) {
			require.NoError(t, err)
			sum += a.Value
		}
		require.Equal(t, 23, sum)
	})
}
