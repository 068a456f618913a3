package talk_test

import (
	"context"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// TestDeadlinesThatMakeNoSense: such a header means nothing.
func TestAHandlerSeesTheClientThatCalls(t *testing.T) {
	run(t, func(t *tried) {
		var who warren.Requester
		brokertest.Handle(t, t.Broker, "who", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			who = warren.RequesterFrom(ctx)
			return warren.Message{}, nil
		})
		t.handleStream("streams", func(ctx context.Context, _ *warren.Request, _ seq) seq {
			who = warren.RequesterFrom(ctx)
			return messages()
		})
		h := t.hand()
		h.tell("who", nil, "")
		require.Equal(t, []string{"plain"}, h.heard())
		require.Equal(t, "guest", who.User)
		require.False(t, who.InProcess)
		require.NotEmpty(t, who.Session)
		one := who
		who = warren.Requester{}
		h.tell("streams", table{"x-warren-stream": int32(1)}, "")
		h.heard()
		require.Equal(t, one, who)
	})
}

func TestCodesOfAServer(t *testing.T) {
	for code, want := range map[string]error{
		"error": warren.ErrHandlerFailed, "panic": warren.ErrHandlerPanicked, "codec": warren.ErrHandlerCodec, "busy": warren.ErrBusy,
		"timeout": warren.ErrHandlerTimeout, "cancelled": warren.ErrHandlerCancelled, "own": &warren.RemoteError{Code: "own"},
	} {
		t.Run(code, func(t *testing.T) {
			run(t, func(t *tried) {
				h, requests := t.serverHand("failing")
				call := brokertest.Call(t.Context(), t.Broker, "failing", "")
				d := h.take(requests)
				h.say(table{"x-warren-error": code, "x-warren-error-text": "a text"}, "")
				require.NoError(t, d.Ack(false))
				_, err := brokertest.Answer(t, call)
				require.ErrorIs(t, err, want)
				require.ErrorContains(t, err, "a text")
				require.Equal(t, code == "busy", warren.Repeatable(err))

				r := t.read(t.CallStream(t.Context(), "failing", warren.Message{}, nil), -1)
				d = h.take(requests)
				h.say(table{"x-warren-credit": int32(0)}, "")
				h.say(table{"x-warren-end": int32(0), "x-warren-error": code, "x-warren-error-text": "a text"}, "")
				require.NoError(t, d.Ack(false))
				require.ErrorIs(t, r.ended(), want)
			})
		})
	}
}

// TestManyServersOfOtherLanguages: one answers, one answers twice, one fails and one says
// nothing.
func TestManyServersOfOtherLanguages(t *testing.T) {
	run(t, func(t *tried) {
		servers := map[string]*hand{}
		requests := map[string]<-chan amqp091.Delivery{}
		for _, name := range []string{"answers", "twice", "fails", "silent"} {
			servers[name], requests[name] = t.serverHand(name)
			require.NoError(t, servers[name].QueueBind(name, "", "amq.fanout", false, nil))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got := make(chan map[string]string, 1)
		go func() {
			all := map[string]string{}
			for a, err := range t.CallMany(ctx, "amq.fanout", "", warren.Message{Body: []byte("offer")}) {
				if err != nil {
					all[a.Queue] += err.Error()
				} else {
					all[a.Queue] += string(a.Body)
				}
			}
			got <- all
		}()
		for name, h := range servers {
			d := h.take(requests[name])
			require.Equal(t, "amq.fanout", d.Exchange)
			require.Equal(t, "offer", string(d.Body))
			switch name {
			case "twice":
				h.say(nil, "7")
				h.say(nil, "8")
				require.True(t, h.gone(), "the second answer finds nobody")
			case "answers":
				h.say(nil, "9")
			case "fails":
				h.say(table{"x-warren-error": "busy"}, "")
			}
			require.NoError(t, d.Ack(false))
		}
		brokertest.Later(time.Hour)
		all := soon(t, got)
		require.Contains(t, all["fails"], "busy")
		require.Contains(t, all["silent"], context.DeadlineExceeded.Error())
		delete(all, "fails")
		delete(all, "silent")
		require.Equal(t, map[string]string{"answers": "9", "twice": "7"}, all)
	})
}

// TestADurableCallOutlivesItsServer: the server is cut off with the request, and
// another one answers.
