package talk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestServerSendsItems(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("letters")
		r := t.read(t.CallStream(t.Context(), "letters", warren.Message{Body: []byte("which?"), Headers: warren.Table{"lang": "de"}}, nil,
			warren.CallOptions{Window: 8}), -1)
		d := h.take(requests)
		require.Equal(t, "which?", string(d.Body))
		require.Equal(t, "de", d.Headers["lang"])
		credit, ok := number(t, d, "x-warren-stream")
		require.True(t, ok)
		require.Equal(t, int64(8), credit, "the window")
		require.NotContains(t, d.Headers, "x-warren-stream-in")
		h.say(table{"x-warren-credit": int32(0)}, "")
		h.item(1, "a")
		h.item(2, "b")
		require.Equal(t, []string{"a", "b"}, r.got())
		require.True(t, r.runs())
		h.say(table{"x-warren-end": int32(2)}, "")
		require.NoError(t, r.ended())
		require.NoError(t, d.Ack(false))
		h.item(3, "late")
		require.True(t, h.gone(), "after the end nobody listens")
	})
}

func TestServerGetsCreditAsItsItemsAreRead(t *testing.T) {
	for _, window := range []int{1, 2, 3, 8, 256} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			run(t, func(t *tried) {
				h, requests := t.serverHand("numbers")
				r := t.read(t.CallStream(t.Context(), "numbers", warren.Message{}, nil, warren.CallOptions{Window: window}), 1)
				d := h.take(requests)
				h.say(table{"x-warren-credit": int32(0)}, "")
				sent := 0
				send := func(n int64) {
					for ; n > 0; n-- {
						sent++
						h.publish(h.to, amqp091.Publishing{Headers: table{"x-warren-item": int32(sent)}, Body: fmt.Append(nil, sent)})
					}
					synctest.Wait()
				}
				send(int64(window))
				given := int64(window)
				for read := 1; read < min(10*window, 1000); read++ {
					require.Equal(t, []string{fmt.Sprint(read)}, r.got())
					said, credit := h.heardWithCredit()
					require.Empty(t, said)
					given += credit
					require.LessOrEqual(t, given, int64(read+window), "items that may be on their way")
					send(credit)
					r.next(1)
				}
				r.next(0)
				require.Equal(t, []string{"cancel"}, h.heard())
				h.say(table{"x-warren-end": int32(sent)}, "")
				require.NoError(t, d.Ack(false))
				require.NoError(t, r.ended())
			})
		})
	}
}

func TestServerFailsInTheMiddle(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("orders")
		r := t.read(t.CallStream(t.Context(), "orders", warren.Message{}, nil), -1)
		d := h.take(requests)
		h.say(table{"x-warren-credit": int32(0)}, "")
		h.item(1, "a")
		h.say(table{"x-warren-end": int32(1), "x-warren-error": "sold out", "x-warren-error-text": "no more"}, "")
		require.Equal(t, []string{"a"}, r.got())
		require.Equal(t, &warren.RemoteError{Code: "sold out", Text: "no more"}, r.ended())
		require.NoError(t, d.Ack(false))
	})
}

func TestServerRepliesPlainly(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("plain")
		r := t.read(t.CallStream(t.Context(), "plain", warren.Message{}, nil), -1)
		d := h.take(requests)
		h.say(table{"other": "header"}, "only")
		require.NoError(t, d.Ack(false))
		require.Equal(t, []string{"only"}, r.got())
		require.NoError(t, r.ended())

		r = t.read(t.CallStream(t.Context(), "plain", warren.Message{}, nil), -1)
		d = h.take(requests)
		h.say(table{"x-warren-error": "closed"}, "")
		require.NoError(t, d.Ack(false))
		require.Empty(t, r.got())
		require.ErrorIs(t, r.ended(), &warren.RemoteError{Code: "closed"})
	})
}

// TestServerLearnsThatTheCallerLeaves: the server must have told its address.
func TestServerLearnsThatTheCallerLeaves(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("letters")
		r := t.read(t.CallStream(t.Context(), "letters", warren.Message{}, nil), 1)
		d := h.take(requests)
		h.say(table{"x-warren-credit": int32(0)}, "")
		h.item(1, "a")
		require.Equal(t, []string{"a"}, r.got())
		r.next(0)
		require.NoError(t, r.ended())
		require.Equal(t, []string{"cancel"}, h.heard())
		h.say(table{"x-warren-end": int32(1)}, "")
		require.NoError(t, d.Ack(false))
	})
}

func TestServerLearnsThatTheContextOfTheCallEnds(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("letters")
		ctx, cancel := context.WithCancel(t.Context())
		r := t.read(t.CallStream(ctx, "letters", warren.Message{}, nil), -1)
		d := h.take(requests)
		h.say(table{"x-warren-credit": int32(0)}, "")
		cancel()
		require.ErrorIs(t, r.ended(), context.Canceled)
		require.Equal(t, []string{"cancel"}, h.heard())
		h.say(table{"x-warren-end": int32(0)}, "")
		require.NoError(t, d.Ack(false))
	})
}

func TestServerThatStartsLateFindsNobody(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("letters")
		ctx, cancel := context.WithCancel(t.Context())
		r := t.read(t.CallStream(ctx, "letters", warren.Message{}, nil), -1)
		d := h.take(requests)
		cancel()
		require.ErrorIs(t, r.ended(), context.Canceled)
		h.say(table{"x-warren-credit": int32(0)}, "")
		require.True(t, h.gone())
		require.NoError(t, d.Ack(false))
	})
}

func TestServerGetsItems(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("sum")
		r := t.read(t.CallStream(t.Context(), "sum", warren.Message{}, messages("1", "2", "3", "4")), -1)
		d := h.take(requests)
		require.Equal(t, true, d.Headers["x-warren-stream-in"])
		require.Empty(t, h.heard(), "it has no credit yet")
		h.say(table{"x-warren-credit": int32(2)}, "")
		require.Equal(t, []string{"item 1: 1", "item 2: 2"}, h.heard())
		h.say(table{"x-warren-credit": int32(1), "x-warren-item": int32(1)}, "3") // credit may stand on an item
		require.Equal(t, []string{"3"}, r.got())
		require.Equal(t, []string{"item 3: 3"}, h.heard())
		h.say(table{"x-warren-credit": int32(5)}, "")
		require.Equal(t, []string{"item 4: 4", "end 4"}, h.heard())
		h.item(2, "10")
		h.say(table{"x-warren-end": int32(2)}, "")
		require.Equal(t, []string{"10"}, r.got())
		require.NoError(t, r.ended())
		require.NoError(t, d.Ack(false))
	})
}

func TestServerThatWantsNoMoreItemsJustEnds(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("first")
		stopped := make(chan int, 1)
		r := t.read(t.CallStream(t.Context(), "first", warren.Message{}, func(yield func(warren.Message, error) bool) {
			n := 1
			for yield(warren.Message{Body: fmt.Append(nil, n)}, nil) {
				n++
			}
			stopped <- n
		}), -1)
		d := h.take(requests)
		h.say(table{"x-warren-credit": int32(2)}, "")
		require.Equal(t, []string{"item 1: 1", "item 2: 2"}, h.heard())
		h.item(1, "enough")
		h.say(table{"x-warren-end": int32(1)}, "")
		require.NoError(t, d.Ack(false))
		require.Equal(t, []string{"enough"}, r.got())
		require.NoError(t, r.ended())
		require.LessOrEqual(t, soon(t, stopped), 3)
	})
}

func TestServerGetsTheFailureOfTheCallersItems(t *testing.T) {
	run(t, func(t *tried) {
		broken := errors.New("broken")
		h, requests := t.serverHand("sum")
		r := t.read(t.CallStream(t.Context(), "sum", warren.Message{}, failing(broken, "1")), -1)
		d := h.take(requests)
		h.say(table{"x-warren-credit": int32(5)}, "")
		said := h.heard()
		require.Len(t, said, 2)
		require.Equal(t, "item 1: 1", said[0])
		require.Regexp(t, "^end 1, error ", said[1])
		h.say(table{"x-warren-end": int32(0), "x-warren-error": "error", "x-warren-error-text": "no sum"}, "")
		require.NoError(t, d.Ack(false))
		require.Error(t, r.ended())
	})
}

func TestServerIsLostInTheMiddle(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("letters")
		r := t.read(t.CallStream(t.Context(), "letters", warren.Message{}, nil), -1)
		h.take(requests)
		h.say(table{"x-warren-credit": int32(0)}, "")
		h.item(1, "a")
		require.NoError(t, h.conn.Close())
		require.Equal(t, []string{"a"}, r.got())
		require.ErrorIs(t, r.ended(), warren.ErrServerLost)
	})
}

// TestServersAreNotMixed: the request goes to another server when the first is lost.
func TestServersAreNotMixed(t *testing.T) {
	run(t, func(t *tried) {
		first, requests := t.serverHand("letters")
		second, again := t.serverHand("letters")
		r := t.read(t.CallStream(t.Context(), "letters", warren.Message{}, nil), -1)
		first.take(requests)
		first.say(table{"x-warren-credit": int32(0)}, "")
		first.item(1, "a")
		require.NoError(t, first.conn.Close())
		require.ErrorIs(t, r.ended(), warren.ErrServerLost)
		synctest.Wait()
		select {
		case d := <-again:
			second.to, second.id = d.ReplyTo, d.CorrelationId
			second.say(table{"x-warren-credit": int32(0)}, "")
			require.True(t, second.gone())
			require.NoError(t, d.Ack(false))
		default: // a request that nobody waits for may be dropped
		}
		require.Equal(t, []string{"a"}, r.got())
	})
}

// TestServerIsLostBeforeItBegan: another one serves the request.
func TestServerIsLostBeforeItBegan(t *testing.T) {
	run(t, func(t *tried) {
		first, requests := t.serverHand("letters")
		second, again := t.serverHand("letters")
		r := t.read(t.CallStream(t.Context(), "letters", warren.Message{}, nil), -1)
		first.take(requests)
		require.NoError(t, first.conn.Close())
		d := second.take(again)
		require.True(t, d.Redelivered)
		second.say(table{"x-warren-credit": int32(0)}, "")
		second.item(1, "b")
		second.say(table{"x-warren-end": int32(1)}, "")
		require.NoError(t, d.Ack(false))
		require.Equal(t, []string{"b"}, r.got())
		require.NoError(t, r.ended())
	})
}

func TestTheQueueOfAStreamIsDeleted(t *testing.T) {
	run(t, func(t *tried) {
		h, _ := t.serverHand("letters")
		_, err := h.QueueDeclare("waiting", false, false, false, false, nil)
		require.NoError(t, err)
		r := t.read(t.CallStream(t.Context(), "waiting", warren.Message{}, nil), -1)
		require.True(t, r.runs())
		_, err = h.QueueDelete("waiting", false, false, false)
		require.NoError(t, err)
		require.ErrorIs(t, r.ended(), warren.ErrRequestDropped)
		require.ErrorIs(t, t.read(t.CallStream(t.Context(), "waiting", warren.Message{}, nil), -1).ended(), warren.ErrNoRoute)
	})
}

func TestTheDeadlineOfAStreamIsOverBeforeItsFirstItem(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("letters")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := t.read(t.CallStream(ctx, "letters", warren.Message{}, nil), -1)
		d := h.take(requests)
		h.say(table{"x-warren-credit": int32(0)}, "")
		brokertest.Later(2 * time.Second)
		require.ErrorIs(t, r.ended(), context.DeadlineExceeded)
		require.Equal(t, []string{"cancel"}, h.heard())
		require.NoError(t, d.Ack(false))
	})
}
