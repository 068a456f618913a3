package warren_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// spans is a tracer that numbers operations. The number of an operation is in the
// headers of what it sends, and in its context.
type spans struct {
	mu   sync.Mutex
	last int
	list []string // what has begun and ended
}

type spanKey struct{}

const spanHeader = "span"

func (s *spans) Start(ctx context.Context, op *warren.Operation) (context.Context, func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	n := s.last
	names := map[warren.OperationKind]string{
		warren.OperationPublish: "publish", warren.OperationCall: "call", warren.OperationReply: "reply",
		warren.OperationReceive: "receive", warren.OperationProcess: "process",
	}
	text := fmt.Sprintf("%d %s %q %q", n, names[op.Kind], op.Exchange, op.Queue+op.RoutingKey)
	if in := ctx.Value(spanKey{}); in != nil {
		text += fmt.Sprint(" in ", in)
	}
	switch op.Kind {
	case warren.OperationPublish, warren.OperationCall, warren.OperationReply:
		headers := warren.Table{}
		maps.Copy(headers, op.Message.Headers)
		headers[spanHeader] = int32(n)
		op.Message.Headers = headers
		if op.Request != nil {
			text += fmt.Sprint(" answers ", op.Request.Headers[spanHeader])
		}
	default:
		text += fmt.Sprint(" of ", op.Message.Headers[spanHeader])
	}
	s.list = append(s.list, text)
	return context.WithValue(ctx, spanKey{}, n), func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		text := fmt.Sprint(n, " ends")
		if err != nil {
			text += ": " + err.Error()
		}
		s.list = append(s.list, text)
	}
}

// take returns what was told since the last take.
func (s *spans) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

// traced runs a test with a tracer and a channel with a queue "q".
func traced(t *testing.T, f func(t *testing.T, b *warren.Broker, ch *warren.Channel, s *spans)) {
	synctest.Test(t, func(t *testing.T) {
		s := &spans{}
		b := brokertest.New(t, &warren.Options{Tracer: s})
		ch := brokertest.Channel(t, b)
		_, err := ch.QueueDeclare("q", warren.QueueOptions{})
		require.NoError(t, err)
		f(t, b, ch, s)
	})
}

func TestTracerSeesACallAsOne(t *testing.T) {
	traced(t, func(t *testing.T, b *warren.Broker, _ *warren.Channel, s *spans) {
		brokertest.Handle(t, b, "inner", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Headers: warren.Table{"mine": "1"}}, nil
		})
		brokertest.Handle(t, b, "outer", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			require.EqualValues(t, 1, req.Headers[spanHeader])
			require.Equal(t, "1", req.Headers["user"])
			return b.Call(ctx, "inner", warren.Message{})
		})
		headers := warren.Table{"user": "1"}
		ctx := context.WithValue(t.Context(), spanKey{}, "top")
		reply, err := b.Call(ctx, "outer", warren.Message{Headers: headers})
		require.NoError(t, err)
		require.Equal(t, warren.Table{"user": "1"}, headers, "the caller's table stays as it is")
		require.Equal(t, warren.Table{"mine": "1", spanHeader: int64(6)}, reply.Headers)
		synctest.Wait()
		require.Equal(t, []string{
			`1 call "" "outer" in top`, `2 process "" "outerouter" in 1 of 1`,
			`3 call "" "inner" in 2`, `4 process "" "innerinner" in 3 of 3`, `4 ends`,
		}, s.take()[:5])
	})
}

func TestTracerSeesErrors(t *testing.T) {
	traced(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel, s *spans) {
		last := func() string {
			synctest.Wait()
			list := s.take()
			return list[len(list)-1]
		}
		require.ErrorIs(t, ch.Publish(t.Context(), "", "none", warren.Message{}, warren.PublishOptions{Mandatory: true}), warren.ErrNoRoute)
		require.Contains(t, last(), "1 ends: warren: message returned: 312")
		_, err := b.Call(t.Context(), "none", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		require.Contains(t, last(), "2 ends: warren: message returned: 312")

		brokertest.Handle(t, b, "fails", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{}, errors.New("no price")
		})
		brokertest.Handle(t, b, "panics", func(context.Context, *warren.Request) (warren.Message, error) { panic("bug") })
		brokertest.Handle(t, b, "exits", func(context.Context, *warren.Request) (warren.Message, error) {
			runtime.Goexit()
			return warren.Message{}, nil
		})
		brokertest.Handle(t, b, "quiet", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{}, fmt.Errorf("%s: %w", req.Body, warren.ErrNoReply)
		})
		require.NoError(t, ch.Publish(t.Context(), "", "quiet", warren.Message{}, warren.PublishOptions{}))
		require.Regexp(t, `^\d ends$`, last())
		for queue, text := range map[string]string{"fails": "ends: no price", "panics": "bug", "exits": "the function panicked or ended its goroutine"} {
			_, err := b.Call(t.Context(), queue, warren.Message{})
			require.Error(t, err)
			synctest.Wait()
			list := s.take()
			require.Len(t, list, 4, "a call and its process, but no reply: %q", list)
			require.Contains(t, list[2], text)
			require.Contains(t, list[3], "ends: warren: the handler failed")
		}
	})
}

func TestTracerSeesPublishesAndWhatBecomesOfThem(t *testing.T) {
	traced(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel, s *spans) {
		headers := warren.Table{"user": "1"}
		publish := func() {
			t.Helper()
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Headers: headers}, warren.PublishOptions{}))
		}
		publish()
		d := brokertest.Take(t, ch, "q")
		require.EqualValues(t, 1, d.Headers[spanHeader])
		require.Equal(t, warren.Table{"user": "1"}, headers)
		require.Equal(t, []string{`1 publish "" "q"`, "1 ends", `2 receive "" "qq" of 1`, "2 ends"}, s.take())

		publish()
		publish()
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{NoAck: true})
		ctx := context.WithValue(t.Context(), spanKey{}, "reader")
		_, err := c.Next(ctx)
		require.NoError(t, err)
		for d, err := range c.Deliveries(ctx) {
			require.NoError(t, err)
			require.EqualValues(t, 4, d.Headers[spanHeader])
			break
		}
		require.NoError(t, c.Cancel())
		require.Equal(t, []string{
			`5 receive "" "qq" in reader of 3`, "5 ends", `6 receive "" "qq" in reader of 4`, "6 ends",
		}, s.take()[4:])

		seen := make(chan any, 3)
		f, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(ctx context.Context, d warren.Delivery) error {
			seen <- ctx.Value(spanKey{})
			if d.Headers["user"] == "2" {
				panic("bug")
			}
			return nil
		})
		require.NoError(t, err)
		publish()
		synctest.Wait()
		require.Equal(t, 8, <-seen)
		require.Equal(t, []string{`7 publish "" "q"`, "7 ends", `8 process "" "qq" of 7`, "8 ends"}, s.take())
		headers = warren.Table{"user": "2"}
		publish()
		synctest.Wait()
		require.Equal(t, "10 ends: the function panicked or ended its goroutine", s.take()[3])
		require.NoError(t, f.Cancel())

		require.NoError(t, ch.Confirm())
		confirmation, err := ch.PublishConfirm(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{})
		require.NoError(t, err)
		require.NoError(t, confirmation.Wait(t.Context()))
		publish()
		require.Equal(t, []string{`11 publish "" "q"`, "11 ends", `12 publish "" "q"`, "12 ends"}, s.take())
	})
}

// A requester elsewhere gets the context of the reply in its headers, and that of an
// error, too.
func TestTracerSeesRepliesToOtherPrograms(t *testing.T) {
	traced(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel, s *spans) {
		brokertest.Handle(t, b, "serve", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			if string(req.Body) == "bad" {
				return warren.Message{}, &warren.RemoteError{Code: "bad", Text: "it is bad"}
			}
			return warren.Message{}, nil
		})
		replies := brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		ask := func(body string) warren.Delivery {
			t.Helper()
			require.NoError(t, ch.Publish(t.Context(), "", "serve", warren.Message{ReplyTo: warren.DirectReplyTo, Body: []byte(body)}, warren.PublishOptions{}))
			d, err := replies.Next(t.Context())
			require.NoError(t, err)
			return d
		}
		require.EqualValues(t, 3, ask("good").Headers[spanHeader])
		synctest.Wait()
		list := s.take()
		require.Contains(t, list[len(list)-1], "ends")
		require.Subset(t, list, []string{`2 process "" "serveserve" of 1`, "2 ends", "3 ends"})
		d := ask("bad")
		require.EqualValues(t, 7, d.Headers[spanHeader])
		require.Equal(t, "bad", d.Headers[warren.ErrorCodeHeader])
		synctest.Wait()
		require.Contains(t, s.take(), "6 ends: warren: the handler failed: bad: it is bad")
	})
}

// The context of a handler ends and has values as without a tracer.
func TestTracerLeavesContextsAsTheyAre(t *testing.T) {
	traced(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel, _ *spans) {
		ended := make(chan error, 1)
		brokertest.Handle(t, b, "slow", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			require.Same(t, req, warren.RequestFrom(ctx))
			<-ctx.Done()
			ended <- ctx.Err()
			return warren.Message{}, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		answer := brokertest.Call(ctx, b, "slow", "")
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		_, err := brokertest.Answer(t, answer)
		require.ErrorIs(t, err, context.Canceled)

		_ = brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		require.NoError(t, ch.Publish(t.Context(), "", "slow", warren.Message{ReplyTo: warren.DirectReplyTo}, warren.PublishOptions{}))
		synctest.Wait()
		require.NoError(t, ch.Close(), "the requester goes")
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}
