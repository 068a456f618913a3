package warren_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// deadLetters declares queue with a dead letter exchange, and the queue "dead"
// that gets its dead letters.
func deadLetters(t *testing.T, ch *warren.Channel, queue string, o warren.QueueOptions) {
	t.Helper()
	o.DeadLetter = &warren.DeadLetter{RoutingKey: "dead"}
	brokertest.Queues(t, ch, "dead")
	brokertest.Queue(t, ch, queue, o)
}

var errWork = errors.New("the work failed")

// The ways in which a function can fail on a message.
var waysToFail = map[string]warren.HandlerFunc{
	"error": func(context.Context, *warren.Request) (warren.Message, error) { return warren.Message{}, errWork },
	"own code": func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{}, &warren.RemoteError{Code: "own"}
	},
	"panic":  func(context.Context, *warren.Request) (warren.Message, error) { panic("oh dear") },
	"goexit": func(context.Context, *warren.Request) (warren.Message, error) { runtime.Goexit(); panic("not reached") },
	"headers": func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{Headers: warren.Table{warren.ErrorCodeHeader: "own"}}, nil
	},
	"no reply": func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{}, errors.Join(errWork, warren.ErrNoReply)
	},
	"wrapped, no": func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{}, fmt.Errorf("%w: %w", warren.ErrNoReply, errWork)
	},
}

func TestAMessageWithoutRequesterIsRejectedWhenItsHandlerFails(t *testing.T) {
	for name, serve := range waysToFail {
		t.Run(name, func(t *testing.T) {
			var log logText
			brokertest.RunWith(t, &warren.Options{Logger: log.logger(slog.LevelWarn)}, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				deadLetters(t, ch, "q", warren.QueueOptions{})
				brokertest.Handle(t, b, "q", serve, warren.HandleOptions{Concurrency: 1})
				brokertest.Fill(t, ch, "q", "1", "2")
				synctest.Wait()
				for range 2 {
					d := brokertest.Take(t, ch, "dead")
					require.Equal(t, "rejected", d.Headers["x-first-death-reason"])
					require.NoError(t, d.Ack(false))
				}
				s := b.Stats()
				require.EqualValues(t, 2, s.Failed)
				require.EqualValues(t, 2, s.DeadLettered)
				require.EqualValues(t, 2, strings.Count(log.String(), `level=WARN msg="handler failed" vhost=/ queue=q`), log.String())
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestAMessageWithoutRequesterIsRequeuedIfTheHandlerWantsIt(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		deadLetters(t, ch, "q", warren.QueueOptions{DeliveryLimit: 2})
		var got []string
		serve := func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got = append(got, fmt.Sprintf("%s %t", req.Body, req.Redelivered))
			switch string(req.Body) {
			case "hopeless":
				return warren.Message{}, errors.New("never")
			case "panic":
				panic(errWork)
			}
			return warren.Message{}, fmt.Errorf("try again: %w", errWork)
		}
		again := func(err error) bool { return errors.Is(err, errWork) }
		brokertest.Handle(t, b, "q", serve, warren.HandleOptions{Concurrency: 1, Requeue: again})
		for _, body := range []string{"hopeless", "panic", "later"} {
			brokertest.Fill(t, ch, "q", body)
			synctest.Wait()
		}
		require.Equal(t, []string{"hopeless false", "panic false", "panic true", "panic true", "later false", "later true", "later true"}, got)
		require.Equal(t, []string{"hopeless", "panic", "later"}, brokertest.Drain(t, ch, "dead"))
		require.EqualValues(t, 7, b.Stats().Failed)
		brokertest.Clean(t, b)
	})
}

// A requeued message is for any consumer, and its handler goes on.
func TestARequeuedMessageGoesToWhoHasRoom(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		var h *warren.Handler
		h = brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			h.Stop()
			return warren.Message{}, errWork
		}, warren.HandleOptions{Requeue: func(error) bool { return true }})
		brokertest.Fill(t, ch, "q", "x")
		<-h.Done()
		synctest.Wait()
		d := brokertest.Take(t, ch, "q")
		require.Equal(t, "x", string(d.Body))
		require.True(t, d.Redelivered)
		require.NoError(t, d.Ack(false))
		brokertest.Clean(t, b)
	})
}

func TestAPanicInRequeueRejects(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		deadLetters(t, ch, "q", warren.QueueOptions{})
		brokertest.Handle(t, b, "q", waysToFail["error"], warren.HandleOptions{Requeue: func(error) bool { panic("here, too") }})
		brokertest.Fill(t, ch, "q", "x")
		synctest.Wait()
		require.Equal(t, []string{"x"}, brokertest.Drain(t, ch, "dead"))
		brokertest.Clean(t, b)
	})
}

// A requester hears of the failure first, and then the request is done with. A
// requester that cannot be reached is none.
func TestAFailureIsToldToTheRequesterInsteadOfADeadLetterQueue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		deadLetters(t, ch, "q", warren.QueueOptions{})
		brokertest.Queues(t, ch, "replies")
		brokertest.Handle(t, b, "q", waysToFail["error"])
		for _, replyTo := range []string{"replies", "nobody"} {
			require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{ReplyTo: replyTo, Body: []byte(replyTo)}, warren.PublishOptions{}))
		}
		synctest.Wait()
		require.Equal(t, warren.CodeError, brokertest.Take(t, ch, "replies").Headers[warren.ErrorCodeHeader])
		require.Equal(t, []string{"nobody"}, brokertest.Drain(t, ch, "dead"))
		require.EqualValues(t, 1, b.Stats().Failed)
		require.NoError(t, ch.Ack(0, true))
		brokertest.Clean(t, b)
	})
}

// A Call whose handler says no more learns that its request was rejected.
func TestAFailureThatIsKeptFromACallRejectsItsRequest(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", waysToFail["no reply"])
		_, err := b.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrRequestDropped)
		require.EqualValues(t, 1, b.Stats().Failed)
		brokertest.Clean(t, b)
	})
}

func TestAHandlerTellsWhyItHasEnded(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(b *warren.Broker, ch *warren.Channel, h *warren.Handler) error
		want error
	}{
		"stopped": {func(_ *warren.Broker, _ *warren.Channel, h *warren.Handler) error { h.Stop(); return nil }, warren.ErrClosed},
		"closed":  {func(_ *warren.Broker, _ *warren.Channel, h *warren.Handler) error { return h.Close() }, warren.ErrClosed},
		"broker":  {func(b *warren.Broker, _ *warren.Channel, _ *warren.Handler) error { return b.Close() }, warren.ErrClosed},
		"queue deleted": {func(_ *warren.Broker, ch *warren.Channel, _ *warren.Handler) error {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return err
		}, warren.ErrConsumerCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				h := brokertest.Handle(t, b, "q", brokertest.Echo)
				require.NoError(t, h.Err())
				select {
				case <-h.Done():
					t.Fatal("it has not ended")
				default:
				}
				require.NoError(t, test.end(b, brokertest.Channel(t, b), h))
				<-h.Done()
				require.ErrorIs(t, h.Err(), test.want)
			})
		})
	}
}

func TestAHandlerIsNotDoneWhileItServes(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		h := brokertest.Handle(t, b, "q", gate.Serve)
		call := brokertest.Call(t.Context(), b, "q", "x")
		<-gate.Entered
		h.Stop()
		require.NoError(t, h.Err())
		close(gate.Release)
		<-h.Done()
		require.NoError(t, (<-call).Err)
	})
}
