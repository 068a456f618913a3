package intercept_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/intercept"
	"github.com/warrenmq/warren/internal/brokertest"
)

// once serves a queue with Idempotent.
func once(t *testing.T, b *warren.Broker, queue string, o intercept.IdempotentOptions, h warren.HandlerFunc) {
	t.Helper()
	brokertest.Handle(t, b, queue, h, warren.HandleOptions{Intercept: intercept.Idempotent(o).Handle})
}

// counting returns a handler that answers with the number of the request.
func counting() warren.HandlerFunc {
	var n atomic.Int64
	return func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{Body: fmt.Append(nil, n.Add(1))}, nil
	}
}

// ask calls with a message id and returns the body of the reply, or the error.
func ask(t *testing.T, c warren.Caller, queue, id string) string {
	t.Helper()
	reply, err := c.Call(t.Context(), queue, warren.Message{MessageId: id, Body: []byte(id)})
	if err != nil {
		return err.Error()
	}
	return string(reply.Body)
}

func TestRepeatedRequestGetsTheFirstAnswer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		once(t, b, "q", intercept.IdempotentOptions{}, counting())
		require.Equal(t, "1", ask(t, b, "q", "a"))
		require.Equal(t, "2", ask(t, b, "q", "b"))
		require.Equal(t, "1", ask(t, b, "q", "a"))
		require.Equal(t, "3", ask(t, b, "q", ""))
		require.Equal(t, "4", ask(t, b, "q", ""), "without an id nobody knows that it is a repeat")
		brokertest.Later(9 * time.Minute)
		require.Equal(t, "1", ask(t, b, "q", "a"))
		brokertest.Later(2 * time.Minute)
		require.Equal(t, "5", ask(t, b, "q", "a"), "the time of the first answer is over")
		brokertest.Clean(t, b)
	})
}

func TestAnswersAreKeptForEachQueueAndUser(t *testing.T) {
	h := counting()
	o := &warren.Options{Intercept: intercept.Idempotent(intercept.IdempotentOptions{})}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		other, err := b.VirtualHostDeclare("other")
		require.NoError(t, err)
		brokertest.Handle(t, b, "one", h)
		brokertest.Handle(t, b, "two", h)
		brokertest.Handle(t, other, "one", h)
		require.Equal(t, "1", ask(t, b, "one", "a"))
		require.Equal(t, "2", ask(t, b, "two", "a"))
		require.Equal(t, "3", ask(t, other, "one", "a"))
		reply, err := b.Call(t.Context(), "one", warren.Message{MessageId: "a", UserId: "ann"})
		require.NoError(t, err)
		require.Equal(t, "4", string(reply.Body))
		require.Equal(t, "1", ask(t, b, "one", "a"))
		brokertest.Handle(t, b, "one", h)
		for range 4 {
			require.Equal(t, "1", ask(t, b, "one", "a"), "two handlers of a queue share its answers")
		}
	})
}

func TestRepeatsThatComeMeanwhileWaitForTheFirst(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		once(t, b, "q", intercept.IdempotentOptions{}, gate.Serve)
		msg := warren.Message{MessageId: "a", Body: []byte("x")}
		var calls []<-chan brokertest.CallResult
		for range 10 {
			calls = append(calls, brokertest.CallWith(t.Context(), b, "q", msg))
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		impatient := brokertest.CallWith(ctx, b, "q", msg)
		brokertest.Later(2 * time.Second)
		_, err := brokertest.Answer(t, impatient)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, gate.Entered, 1)
		close(gate.Release)
		for _, c := range calls {
			reply, err := brokertest.Answer(t, c)
			require.NoError(t, err)
			require.Equal(t, "x", string(reply.Body))
		}
		require.Len(t, gate.Entered, 1)
		brokertest.Clean(t, b)
	})
}

func TestRepeatTakesOverFromAFirstThatWasCancelled(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		once(t, b, "q", intercept.IdempotentOptions{}, gate.Serve)
		msg := warren.Message{MessageId: "a", Body: []byte("x")}
		ctx, cancel := context.WithCancel(t.Context())
		first := brokertest.CallWith(ctx, b, "q", msg)
		synctest.Wait()
		second := brokertest.CallWith(t.Context(), b, "q", msg)
		third := brokertest.CallWith(t.Context(), b, "q", msg)
		synctest.Wait()
		cancel()
		_, err := brokertest.Answer(t, first)
		require.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
		require.Len(t, gate.Entered, 2)
		close(gate.Release)
		for _, c := range []<-chan brokertest.CallResult{second, third} {
			_, err = brokertest.Answer(t, c)
			require.NoError(t, err)
		}
		require.Len(t, gate.Entered, 2, "the third has the answer of the second")
		brokertest.Clean(t, b)
	})
}

func TestFailureIsAnAnswerUnlessTheWorkWasNotDone(t *testing.T) {
	errShelf := errors.New("shelf 7 is empty")
	for name, c := range map[string]struct {
		fail func() error
		kept bool
	}{
		"an error":      {func() error { return errShelf }, true},
		"a code":        {func() error { return &warren.RemoteError{Code: "sold-out", Text: "none"} }, true},
		"a nested call": {func() error { return fmt.Errorf("price: %w", warren.ErrNoRoute) }, true},
		"busy":          {func() error { return &warren.RemoteError{Code: warren.CodeBusy, Text: "later"} }, false},
		"no time":       {func() error { return fmt.Errorf("price: %w", context.DeadlineExceeded) }, false},
		"cancelled":     {func() error { return context.Canceled }, false},
		"a panic":       {func() error { panic("bug") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				served := 0
				once(t, b, "q", intercept.IdempotentOptions{}, func(context.Context, *warren.Request) (warren.Message, error) {
					if served++; served > 1 {
						return warren.Message{Body: []byte("served")}, nil
					}
					return warren.Message{}, c.fail()
				})
				first := ask(t, b, "q", "a")
				require.Contains(t, first, "warren: the handler failed")
				if c.kept {
					require.Equal(t, first, ask(t, b, "q", "a"))
				} else {
					require.Equal(t, "served", ask(t, b, "q", "a"))
				}
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestKeptFailureIsTheHandlersOwnError(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		once(t, b, "q", intercept.IdempotentOptions{}, func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{}, errOther
		})
		for range 2 {
			_, err := b.Call(t.Context(), "q", warren.Message{MessageId: "a"})
			require.ErrorIs(t, err, errOther)
			require.ErrorIs(t, err, warren.ErrHandlerFailed)
		}
	})
}

func TestRequestThatSomebodyElseAnswersIsPassedOnEachTime(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "back", counting())
		once(t, b, "front", intercept.IdempotentOptions{}, func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			ch := brokertest.Channel(t, b)
			defer ch.Close()
			require.NoError(t, ch.Publish(ctx, "", "back", req.Message, warren.PublishOptions{}))
			return warren.Message{}, warren.ErrNoReply
		})
		require.Equal(t, "1", ask(t, b, "front", "a"))
		require.Equal(t, "2", ask(t, b, "front", "a"))
	})
}

func TestKeptAnswersAreBoundedByNumberAndBytes(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		once(t, b, "few", intercept.IdempotentOptions{Size: 2}, counting())
		for i, id := range []string{"a", "b", "c"} {
			require.Equal(t, fmt.Sprint(i+1), ask(t, b, "few", id))
		}
		require.Equal(t, "2", ask(t, b, "few", "b"))
		require.Equal(t, "4", ask(t, b, "few", "a"), "the oldest was dropped")

		n := 0
		once(t, b, "small", intercept.IdempotentOptions{Bytes: 4000}, func(_ context.Context, req *warren.Request) (warren.Message, error) {
			n++
			if strings.HasPrefix(req.MessageId, "headers") {
				return warren.Message{Headers: warren.Table{"n": int64(n), "long": []any{strings.Repeat("x", 2000)}}}, nil
			}
			return warren.Message{Headers: warren.Table{"n": int64(n)}, Body: make([]byte, 3000)}, nil
		})
		number := func(id string) any {
			reply, err := b.Call(t.Context(), "small", warren.Message{MessageId: id})
			require.NoError(t, err)
			return reply.Headers["n"]
		}
		require.EqualValues(t, 1, number("body 1"))
		require.EqualValues(t, 1, number("body 1"), "the newest is kept")
		require.EqualValues(t, 2, number("headers 2"))
		require.EqualValues(t, 3, number("body 1"), "both are more than 4,000 bytes")
		require.EqualValues(t, 4, number("headers 4"))
		require.EqualValues(t, 5, number("headers 5"))
		require.EqualValues(t, 6, number("headers 4"))
	})
}

// A client knows its reply by the correlation id, and a reply must not be an address of
// the first requester.
func TestRepeatOfAClientGetsItsOwnCorrelationId(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := brokertest.Serve(t, nil, &amqp.Options{})
		once(t, b, "echo", intercept.IdempotentOptions{}, func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return req.Message, nil
		})
		for _, id := range []string{"first", "second"} {
			ch := brokertest.ClientChannel(t, brokertest.Dial(t, s.Dial, amqp091.Config{}))
			replies, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
			require.NoError(t, err)
			require.NoError(t, ch.PublishWithContext(t.Context(), "", "echo", true, false, amqp091.Publishing{
				ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: id, MessageId: "a", Body: []byte(id),
			}))
			reply := <-replies
			require.Equal(t, id, reply.CorrelationId)
			require.Empty(t, reply.ReplyTo)
			require.Equal(t, "first", string(reply.Body))
		}
	})
}

// shelf is a Store that may fail.
type shelf struct {
	kept       map[string]intercept.Answer
	load, save error
}

func (s *shelf) Load(_ context.Context, key intercept.Key) (intercept.Answer, bool, error) {
	a, ok := s.kept[key.String()]
	return a, ok, s.load
}

func (s *shelf) Save(ctx context.Context, key intercept.Key, a intercept.Answer, keep time.Duration) error {
	if s.save != nil {
		return s.save
	}
	if ctx.Err() != nil || warren.RequestFrom(ctx) == nil || keep != time.Hour {
		return errors.New("the context of Save")
	}
	s.kept[key.String()] = a
	return nil
}

func TestAnswersMayBeKeptInAStore(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		s := &shelf{kept: make(map[string]intercept.Answer)}
		var unsaved []error
		once(t, b, "q", intercept.IdempotentOptions{Store: s, For: time.Hour, Unsaved: func(_ context.Context, key intercept.Key, err error) {
			require.Equal(t, intercept.Key{VirtualHost: "/", Queue: "q", MessageId: key.MessageId}, key)
			unsaved = append(unsaved, err)
		}}, counting())
		require.Equal(t, "1", ask(t, b, "q", "a"))
		require.Equal(t, "1", ask(t, b, "q", "a"))
		require.Contains(t, s.kept, `"/" "q" "" "a"`)

		s.save = errOther
		require.Equal(t, "2", ask(t, b, "q", "b"))
		require.Equal(t, "3", ask(t, b, "q", "b"), "it was not kept")
		require.Equal(t, []error{errOther, errOther}, unsaved)

		s.load = errOther
		_, err := b.Call(t.Context(), "q", warren.Message{MessageId: "a"})
		require.ErrorIs(t, err, errOther)
		s.load = nil
		require.Equal(t, "1", ask(t, b, "q", "a"))
	})
}
