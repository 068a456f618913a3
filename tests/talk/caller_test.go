package talk_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

type (
	table = amqp091.Table
	seq   = iter.Seq2[warren.Message, error]
)

// answers is a handler that yields the same to everybody.
func answers(list seq) warren.StreamFunc {
	return func(context.Context, *warren.Request, seq) seq { return list }
}

func TestCallerGetsItemsAsCreditAllows(t *testing.T) {
	run(t, func(t *tried) {
		t.handleStream("letters", answers(messages("a", "b", "c", "d")))
		h := t.hand()
		h.tell("letters", table{"x-warren-stream": int32(2)}, "")
		require.Equal(t, []string{"credit 0", "item 1: a", "item 2: b"}, h.heard())
		require.NotEmpty(t, h.to, "the first message tells the server's address")
		require.Equal(t, 1, t.unsettled(), "the request is acknowledged after the end")
		h.say(table{"x-warren-credit": int32(1)}, "")
		require.Equal(t, []string{"item 3: c"}, h.heard())
		h.say(table{"x-warren-credit": int32(1)}, "")
		said := h.heard()
		require.Equal(t, "item 4: d", said[0])
		if len(said) == 1 { // it may look for a next item when there is room for it
			h.say(table{"x-warren-credit": int32(1)}, "")
			said = append(said, h.heard()...)
		}
		require.Equal(t, []string{"item 4: d", "end 4"}, said)
		require.Zero(t, t.unsettled())
		h.say(table{"x-warren-credit": int32(1)}, "")
		require.True(t, h.gone(), "the server's address is there while it serves")
	})
}

func TestCallerGetsAnEmptyStream(t *testing.T) {
	run(t, func(t *tried) {
		t.handleStream("none", answers(messages()))
		h := t.hand()
		h.tell("none", table{"x-warren-stream": int32(5)}, "")
		require.Equal(t, []string{"credit 0", "end 0"}, h.heard())
	})
}

func TestCreditMayBeAnyInteger(t *testing.T) {
	for _, credit := range []any{byte(3), int8(3), int16(3), int32(3), int64(3)} {
		t.Run(fmt.Sprintf("%T", credit), func(t *testing.T) {
			run(t, func(t *tried) {
				stopped := make(chan error, 1)
				t.handleStream("numbers", counting(stopped))
				h := t.hand()
				h.tell("numbers", table{"x-warren-stream": credit}, "")
				require.Equal(t, []string{"credit 0", "item 1: 1", "item 2: 2", "item 3: 3"}, h.heard())
				h.say(table{"x-warren-credit": credit}, "")
				require.Equal(t, []string{"item 4: 4", "item 5: 5", "item 6: 6"}, h.heard())
				h.say(table{"x-warren-cancel": true}, "")
				require.Equal(t, []string{"end 6"}, h.heard())
				require.ErrorIs(t, soon(t, stopped), context.Canceled)
			})
		})
	}
}

func TestCallerWithoutCreditGetsNoItem(t *testing.T) {
	run(t, func(t *tried) {
		t.handleStream("letters", answers(messages("a")))
		h := t.hand()
		h.tell("letters", table{"x-warren-stream": int32(0)}, "")
		require.Equal(t, []string{"credit 0"}, h.heard())
		h.say(table{"x-warren-credit": int32(2)}, "")
		require.Equal(t, []string{"item 1: a", "end 1"}, h.heard())
	})
}

func TestCallerCancels(t *testing.T) {
	run(t, func(t *tried) {
		stopped := make(chan error, 1)
		t.handleStream("numbers", counting(stopped))
		h := t.hand()
		h.tell("numbers", table{"x-warren-stream": int32(3)}, "")
		require.Len(t, h.heard(), 4)
		require.Empty(t, stopped, "the handler waits for credit")
		h.say(table{"x-warren-cancel": true}, "")
		require.Equal(t, []string{"end 3"}, h.heard(), "to cancel is no failure")
		require.ErrorIs(t, soon(t, stopped), context.Canceled)
		require.Zero(t, t.unsettled(), "the request is settled")
		h.say(table{"x-warren-cancel": true}, "")
		require.True(t, h.gone())
	})
}

func TestCallerCancelsWhileTheHandlerWorks(t *testing.T) {
	run(t, func(t *tried) {
		t.handleStream("slow", func(ctx context.Context, _ *warren.Request, _ seq) seq {
			return func(yield func(warren.Message, error) bool) {
				<-ctx.Done()
				yield(warren.Message{}, ctx.Err())
			}
		})
		h := t.hand()
		h.tell("slow", table{"x-warren-stream": int32(3)}, "")
		require.Equal(t, []string{"credit 0"}, h.heard())
		h.say(table{"x-warren-cancel": true}, "")
		said := h.heard()
		require.Len(t, said, 1)
		require.Contains(t, said[0], "end 0")
		require.Zero(t, t.unsettled())
	})
}

func TestCallerGoes(t *testing.T) {
	run(t, func(t *tried) {
		stopped := make(chan error, 1)
		t.handleStream("numbers", counting(stopped))
		h := t.hand()
		h.tell("numbers", table{"x-warren-stream": int32(3)}, "")
		require.Len(t, h.heard(), 4)
		require.NoError(t, h.conn.Close())
		require.ErrorIs(t, soon(t, stopped), context.Canceled)
		require.Zero(t, t.unsettled())
	})
}

func TestCallerLearnsOfAFailureInTheMiddle(t *testing.T) {
	run(t, func(t *tried) {
		t.handleStream("orders", answers(failing(&warren.RemoteError{Code: "sold out", Text: "no more"}, "a", "b")))
		h := t.hand()
		h.tell("orders", table{"x-warren-stream": int32(10)}, "")
		require.Equal(t, []string{"credit 0", "item 1: a", "item 2: b", "end 2, error sold out"}, h.heard())
		require.Zero(t, t.unsettled(), "the caller knows")
	})
}

func TestCallerSendsItems(t *testing.T) {
	run(t, func(t *tried) {
		t.handleStream("echo", func(_ context.Context, _ *warren.Request, in seq) seq { return in })
		h := t.hand()
		h.tell("echo", table{"x-warren-stream": int32(100), "x-warren-stream-in": true}, "")
		said, credit := h.heardWithCredit()
		require.Empty(t, said)
		require.Positive(t, credit)
		for n := range int32(3) {
			h.item(n+1, fmt.Sprint(n+1))
		}
		require.Equal(t, []string{"item 1: 1", "item 2: 2", "item 3: 3"}, h.heard())
		h.say(table{"x-warren-end": int32(3)}, "")
		require.Equal(t, []string{"end 3"}, h.heard())
	})
}

// TestCallerGetsCreditAsItsItemsAreRead sends many more items than fit in a window.
func TestCallerGetsCreditAsItsItemsAreRead(t *testing.T) {
	run(t, func(t *tried) {
		const items = 3000
		t.handleStream("count", func(_ context.Context, _ *warren.Request, in seq) seq {
			return func(yield func(warren.Message, error) bool) {
				n := 0
				for m, err := range in {
					if n++; err != nil || string(m.Body) != fmt.Sprint(n) {
						yield(warren.Message{}, fmt.Errorf("item %d: %q %w", n, m.Body, err))
						return
					}
				}
				yield(warren.Message{Body: fmt.Append(nil, n)}, nil)
			}
		})
		h := t.hand()
		h.tell("count", table{"x-warren-stream": int32(2), "x-warren-stream-in": true}, "")
		sent := int64(0)
		said, credit := h.heardWithCredit()
		require.Empty(t, said)
		for sent < items {
			require.Positive(t, credit, "credit after %d items", sent)
			for ; credit > 0 && sent < items; credit-- {
				sent++
				h.publish(h.to, amqp091.Publishing{Headers: table{"x-warren-item": sent}, Body: fmt.Append(nil, sent)})
			}
			more := int64(0)
			said, more = h.heardWithCredit()
			require.Empty(t, said)
			credit += more
		}
		h.say(table{"x-warren-end": sent}, "")
		require.Equal(t, []string{"item 1: 3000", "end 1"}, h.heard())
	})
}

func TestAHandlerThatReadsNoItemsGivesNoEndlessCredit(t *testing.T) {
	run(t, func(t *tried) {
		stopped := make(chan error, 1)
		t.handleStream("deaf", counting(stopped))
		h := t.hand()
		h.tell("deaf", table{"x-warren-stream": int32(1), "x-warren-stream-in": true}, "")
		_, credit := h.heardWithCredit()
		for n := range credit {
			h.item(int32(n+1), "unread")
		}
		said, more := h.heardWithCredit()
		require.Empty(t, said)
		require.Zero(t, more)
		h.say(table{"x-warren-cancel": true}, "")
		require.Equal(t, []string{"end 1"}, h.heard())
		soon(t, stopped)
	})
}

func TestTheHandlerGetsTheCallersFailure(t *testing.T) {
	run(t, func(t *tried) {
		t.handleStream("echo", func(_ context.Context, _ *warren.Request, in seq) seq { return in })
		h := t.hand()
		h.tell("echo", table{"x-warren-stream": int32(100), "x-warren-stream-in": true}, "")
		h.heard()
		h.item(1, "a")
		h.say(table{"x-warren-end": int32(1), "x-warren-error": "broken", "x-warren-error-text": "a pipe"}, "")
		require.Equal(t, []string{"item 1: a", "end 1, error broken"}, h.heard())
	})
}

func TestAPlainCallOfAStreamHandlerFails(t *testing.T) {
	run(t, func(t *tried) {
		t.handleStream("letters", answers(messages("a")))
		h := t.hand()
		h.tell("letters", nil, "")
		said := h.heard()
		require.Len(t, said, 1)
		require.Regexp(t, "^error ", said[0])
		require.Zero(t, t.unsettled())
	})
}

func TestAStreamCallOfAPlainHandlerGetsAPlainReply(t *testing.T) {
	run(t, func(t *tried) {
		brokertest.Handle(t, t.Broker, "echo", brokertest.Echo)
		h := t.hand()
		h.tell("echo", table{"x-warren-stream": int32(5)}, "a")
		require.Equal(t, []string{"plain: a"}, h.heard())
	})
}

func TestTheBrokerClosesInTheMiddleOfAStream(t *testing.T) {
	run(t, func(t *tried) {
		stopped := make(chan error, 1)
		t.handleStream("numbers", counting(stopped))
		h := t.hand()
		h.tell("numbers", table{"x-warren-stream": int32(1)}, "")
		require.Len(t, h.heard(), 2)
		require.NoError(t, t.Close())
		require.ErrorIs(t, soon(t, stopped), context.Canceled)
	})
}
