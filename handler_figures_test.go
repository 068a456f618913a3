package warren_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// handlerOf returns what is shown of the only handler of a queue of "/".
func handlerOf(t *testing.T, b *warren.Broker, queue string) (info warren.HandlerInfo) {
	t.Helper()
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	n := 0
	for _, h := range v.Handlers() {
		if h.Queue == queue {
			info = h
			n++
		}
	}
	require.Equal(t, 1, n)
	return info
}

func TestHandlersShowThemselves(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		require.Empty(t, v.Handlers())
		brokertest.Handle(t, v, "q", brokertest.Echo)
		brokertest.Handle(t, v, "q", brokertest.Echo, warren.HandleOptions{Concurrency: 3})
		gone := brokertest.Handle(t, v, "p", brokertest.Echo)
		brokertest.Handle(t, b, "other", brokertest.Echo)
		list := v.Handlers()
		require.Len(t, list, 3)
		require.Equal(t, "p", list[0].Queue)
		require.Less(t, list[1].Tag, list[2].Tag)
		require.ElementsMatch(t, []int{256, 3}, []int{list[1].Concurrency, list[2].Concurrency})
		for i, h := range list {
			require.Equal(t, "v", h.VirtualHost)
			require.NotEmpty(t, h.Tag)
			require.Nil(t, h.Errors)
			require.Equal(t, h.Queue == "p", i == 0)
		}
		require.NoError(t, gone.Close())
		require.Len(t, v.Handlers(), 2)
		require.NoError(t, b.VirtualHostDelete("v"))
		require.Empty(t, v.Handlers())
	})
}

// TestHandlersCountHowRequestsEnd ends requests in each way that there is. Each case
// says whether it is a failure, and with which code.
func TestHandlersCountHowRequestsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		serve   warren.HandlerFunc
		replyTo string // of a message that is no Call
		failed  uint64
		code    string
	}{
		"reply":                {serve: brokertest.Echo},
		"error":                {serve: waysToFail["error"], failed: 1, code: "error"},
		"own code":             {serve: waysToFail["own code"], failed: 1, code: "own"},
		"headers":              {serve: waysToFail["headers"], failed: 1, code: "own"},
		"panic":                {serve: waysToFail["panic"], failed: 1, code: "panic"},
		"goexit":               {serve: waysToFail["goexit"], failed: 1, code: "panic"},
		"error, no reply":      {serve: waysToFail["no reply"], failed: 1, code: "error"},
		"bad reply":            {serve: badReply, failed: 1, code: "error"},
		"long code":            {serve: longCode, failed: 1, code: "other"},
		"one way":              {serve: brokertest.Echo, replyTo: "-"},
		"one way, error":       {serve: waysToFail["error"], replyTo: "-", failed: 1, code: "error"},
		"to a queue, error":    {serve: waysToFail["error"], replyTo: "replies", failed: 1, code: "error"},
		"to nobody, error":     {serve: waysToFail["error"], replyTo: "nobody", failed: 1, code: "error"},
		"somebody else's task": {serve: noReply, replyTo: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "replies")
				brokertest.Handle(t, b, "q", test.serve)
				for i := range uint64(3) {
					if test.replyTo == "" {
						b.Call(t.Context(), "q", warren.Message{})
					} else {
						msg := warren.Message{ReplyTo: strings.Trim(test.replyTo, "-")}
						require.NoError(t, brokertest.Send(ch, "", "q", msg, warren.PublishOptions{}))
						synctest.Wait()
					}
					h := handlerOf(t, b, "q")
					require.Equal(t, []uint64{i + 1, (i + 1) * test.failed, 0}, []uint64{h.Served, h.Failed, h.Gone})
					require.Zero(t, h.Serving)
					require.Zero(t, h.Durations.Count(), "nobody watches")
					if test.failed > 0 {
						require.Equal(t, map[string]uint64{test.code: i + 1}, h.Errors)
					} else {
						require.Empty(t, h.Errors)
					}
				}
			})
		})
	}
}

func badReply(context.Context, *warren.Request) (warren.Message, error) {
	return warren.Message{Expiration: "soon"}, nil
}

func longCode(context.Context, *warren.Request) (warren.Message, error) {
	return warren.Message{}, &warren.RemoteError{Code: strings.Repeat("x", 256)}
}

func noReply(context.Context, *warren.Request) (warren.Message, error) {
	return warren.Message{}, fmt.Errorf("later: %w", warren.ErrNoReply)
}

func TestHandlersShowWhatTheyServeAndWhoHasGone(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Concurrency: 2})
		ctx, cancel := context.WithCancel(t.Context())
		var calls []<-chan brokertest.CallResult
		for range 2 {
			calls = append(calls, brokertest.Call(t.Context(), b, "q", "stays"))
			synctest.Wait()
		}
		goes := brokertest.Call(ctx, b, "q", "goes") // it waits in the queue
		synctest.Wait()
		h := handlerOf(t, b, "q")
		require.Equal(t, []any{2, uint64(0)}, []any{h.Serving, h.Served})
		cancel()
		_, err := brokertest.Answer(t, goes)
		require.ErrorIs(t, err, context.Canceled)
		close(gate.Release)
		for _, c := range calls {
			_, err := brokertest.Answer(t, c)
			require.NoError(t, err)
		}
		synctest.Wait()
		h = handlerOf(t, b, "q")
		require.Equal(t, []any{0, uint64(2), uint64(1), uint64(0)}, []any{h.Serving, h.Served, h.Gone, h.Failed})
	})
}

// TestAHandlerCountsAHundredCodesApart: what clients and functions invent does not
// grow without bound.
func TestAHandlerCountsAHundredCodesApart(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{}, &warren.RemoteError{Code: string(req.Body)}
		})
		for i := range 250 {
			_, err := b.Call(t.Context(), "q", warren.Message{Body: fmt.Append(nil, i%125)})
			require.Error(t, err)
		}
		errs := handlerOf(t, b, "q").Errors
		require.Len(t, errs, 101)
		require.EqualValues(t, 2, errs["0"])
		require.EqualValues(t, 2, errs["99"])
		require.EqualValues(t, 50, errs["other"])
		errs["0"] = 77
		require.EqualValues(t, 2, handlerOf(t, b, "q").Errors["0"], "the caller has a copy")
	})
}

func TestHandlersAreTimedWhileSomebodyWatches(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		serve := func(_ context.Context, req *warren.Request) (warren.Message, error) {
			d, err := time.ParseDuration(string(req.Body))
			time.Sleep(d)
			return warren.Message{}, errors.Join(err, errWork)
		}
		brokertest.Handle(t, b, "q", serve)
		call := func(d string, n int) {
			for range n {
				_, err := b.Call(t.Context(), "q", warren.Message{Body: []byte(d)})
				require.Error(t, err)
			}
		}
		call("1s", 3)
		require.Zero(t, handlerOf(t, b, "q").Durations.Count())
		stop := b.Watch()
		call("10ms", 98)
		first := handlerOf(t, b, "q").Durations
		require.EqualValues(t, 98, first.Count(), "all, as they are few")
		call("2s", 2)
		both := handlerOf(t, b, "q").Durations
		require.EqualValues(t, 100, both.Count())
		within(t, 10*time.Millisecond, both.Quantile(0.98))
		within(t, 2*time.Second, both.Quantile(0.99))
		more := both.Since(first)
		require.EqualValues(t, 2, more.Count())
		within(t, 2*time.Second, more.Quantile(0))
		require.InEpsilon(t, float64(4*time.Second), float64(more.Sum()), 0.07)
		require.InEpsilon(t, float64(4980*time.Millisecond), float64(both.Sum()), 0.07)
		require.EqualValues(t, 102, more.Plus(both).Count())
		require.Equal(t, []uint64{0, 98, 100}, both.Buckets([]time.Duration{time.Millisecond, time.Second, time.Minute}))
		stop()
		call("1s", 3)
		require.EqualValues(t, 100, handlerOf(t, b, "q").Durations.Count(), "nobody watches any more")
	})
}

// within requires that a time of a histogram stands for d.
func within(t *testing.T, d, shown time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, shown, d)
	require.LessOrEqual(t, shown, d+d/8)
}

// TestSomeOfManyRequestsAreTimed: those stand for the others, so the histogram counts
// about as many as there were, and in the same proportions.
func TestSomeOfManyRequestsAreTimed(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		n := 0
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			if n++; n%10 == 0 {
				time.Sleep(time.Second)
			}
			return warren.Message{}, nil
		}, warren.HandleOptions{Concurrency: 1})
		defer b.Watch()()
		const calls = 100_000
		var before warren.Durations
		for _, what := range []string{"no look before", "the rate is known"} {
			for range calls {
				_, err := b.Call(t.Context(), "q", warren.Message{})
				require.NoError(t, err)
			}
			all := handlerOf(t, b, "q").Durations
			d := all.Since(before)
			before = all
			require.InEpsilon(t, calls, float64(d.Count()), 0.3, what)
			slow := float64(d.Count() - d.Buckets([]time.Duration{time.Millisecond})[0])
			require.InEpsilon(t, 0.1, slow/float64(d.Count()), 0.6, what)
		}
	})
}
