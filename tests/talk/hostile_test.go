package talk_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// said is what a hand says, one after the other.
type said []struct {
	headers table
	body    string
}

// wrongItems are items that break a rule of the protocol, when there was credit for two,
// and for one more when the first was read.
var wrongItems = map[string]said{
	"an item is left out":     {{table{"x-warren-item": int32(2)}, "b"}},
	"an item comes twice":     {{table{"x-warren-item": int32(1)}, "a"}, {table{"x-warren-item": int32(1)}, "a"}},
	"items begin at zero":     {{table{"x-warren-item": int32(0)}, "a"}},
	"an item is negative":     {{table{"x-warren-item": int32(-1)}, "a"}},
	"an item is huge":         {{table{"x-warren-item": int64(math.MaxInt64)}, "a"}},
	"an item is a text":       {{table{"x-warren-item": "1"}, "a"}},
	"items exceed the credit": {{table{"x-warren-item": int32(1)}, "a"}, {table{"x-warren-item": int32(2)}, "b"}, {table{"x-warren-item": int32(3)}, "c"}, {table{"x-warren-item": int32(4)}, "d"}},
	"the end comes too early": {{table{"x-warren-end": int32(1)}, ""}},
	"the end comes too late":  {{table{"x-warren-item": int32(1)}, "a"}, {table{"x-warren-end": int32(0)}, ""}},
	"the end is a text":       {{table{"x-warren-end": "1"}, ""}},
	"the end is negative":     {{table{"x-warren-end": int32(-1)}, ""}},
	"credit is negative":      {{table{"x-warren-credit": int32(-1)}, ""}},
	"credit is a text":        {{table{"x-warren-credit": "many"}, ""}},
}

func TestAServerThatBreaksTheRulesEndsTheStream(t *testing.T) {
	for name, wrong := range wrongItems {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			run(t, func(t *tried) {
				h, requests := t.serverHand("letters")
				r := t.read(t.CallStream(t.Context(), "letters", warren.Message{}, nil, warren.CallOptions{Window: 2}), 1) // it gives credit for the first
				d := h.take(requests)
				h.say(table{"x-warren-credit": int32(0)}, "")
				for _, w := range wrong {
					h.say(w.headers, w.body)
				}
				r.next(-1)
				err := r.ended()
				require.Error(t, err)
				require.NotErrorIs(t, err, warren.ErrServerLost)
				t.Log(err)
				if heard := h.heard(); !strings.Contains(name, "the end comes") {
					require.Equal(t, []string{"cancel"}, heard, "the server is told to stop")
				}
				require.NoError(t, d.Ack(false))
			})
		})
	}
}

func TestACallerThatBreaksTheRulesEndsTheStream(t *testing.T) {
	for name, wrong := range wrongItems {
		if name == "items exceed the credit" {
			continue // see TestACallerThatSendsTooMuch
		}
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			run(t, func(t *tried) {
				ended := make(chan error, 1)
				t.handleStream("read", func(_ context.Context, _ *warren.Request, in seq) seq {
					return func(yield func(warren.Message, error) bool) {
						var err error
						for _, err = range in {
						}
						ended <- err
						yield(warren.Message{}, err)
					}
				})
				h := t.hand()
				h.tell("read", table{"x-warren-stream": int32(2), "x-warren-stream-in": true}, "")
				h.heard()
				for _, w := range wrong {
					if h.say(w.headers, w.body); h.gone() {
						break
					}
				}
				require.Error(t, soon(t, ended))
				heard := h.heard()
				require.Len(t, heard, 1)
				require.Regexp(t, "^end 0, error ", heard[0])
				require.Zero(t, t.unsettled())
			})
		})
	}
}

func TestACallerThatSendsTooMuch(t *testing.T) {
	run(t, func(t *tried) {
		stopped := make(chan error, 1)
		t.handleStream("deaf", counting(stopped))
		h := t.hand()
		h.tell("deaf", table{"x-warren-stream": int32(1), "x-warren-stream-in": true}, "")
		_, credit := h.heardWithCredit()
		for n := range credit {
			h.item(int32(n+1), "unread")
		}
		require.Empty(t, stopped)
		h.item(int32(credit+1), "too much")
		require.Error(t, soon(t, stopped), "the handler's context has ended")
		heard := h.heard()
		require.Len(t, heard, 1)
		require.Regexp(t, "^end 1, error ", heard[0])
		require.Zero(t, t.unsettled())
	})
}

func TestRequestsOfStreamsThatMakeNoSense(t *testing.T) {
	for _, credit := range []any{"many", int32(-1), int64(math.MinInt64), true, 1.5, nil} {
		t.Run(fmt.Sprint(credit), func(t *testing.T) {
			run(t, func(t *tried) {
				t.handleStream("letters", answers(messages("a")))
				h := t.hand()
				h.tell("letters", table{"x-warren-stream": credit}, "")
				heard := h.heard()
				require.NotEmpty(t, heard)
				require.Regexp(t, "error ", heard[len(heard)-1])
				require.Zero(t, t.unsettled())
			})
		})
	}
}

// TestMuchCredit: it does not overflow, nor reserve memory.
func TestMuchCredit(t *testing.T) {
	run(t, func(t *tried) {
		list := make([]string, 100)
		t.handleStream("letters", answers(messages(list...)))
		h := t.hand()
		h.tell("letters", table{"x-warren-stream": int64(math.MaxInt64)}, "")
		heard := h.heard()
		require.Equal(t, "end 100", heard[len(heard)-1])

		h.to = ""
		h.tell("letters", table{"x-warren-stream": int32(1)}, "")
		require.Equal(t, []string{"credit 0", "item 1"}, h.heard())
		h.publish(h.to, amqp091.Publishing{Headers: table{"x-warren-credit": int64(math.MaxInt64)}})
		h.publish(h.to, amqp091.Publishing{Headers: table{"x-warren-credit": int64(math.MaxInt64)}})
		heard = h.heard()
		require.Equal(t, "end 100", heard[len(heard)-1])
	})
}

func TestMessagesOfAStrangerChangeNothing(t *testing.T) {
	run(t, func(t *tried) {
		h, requests := t.serverHand("letters")
		stranger := t.hand()
		r := t.read(t.CallStream(t.Context(), "letters", warren.Message{}, nil), -1)
		d := h.take(requests)
		h.say(table{"x-warren-credit": int32(0)}, "")
		h.item(1, "a")
		stranger.tell(replyTo+".AAAAAAAAAAAAAAAAAAAAAA000000", table{"x-warren-item": int32(2)}, "guessed")
		require.True(t, stranger.gone())
		h.say(table{"x-warren-end": int32(1)}, "")
		require.NoError(t, d.Ack(false))
		require.Equal(t, []string{"a"}, r.got())
		require.NoError(t, r.ended())
	})
}
