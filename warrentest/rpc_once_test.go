package warrentest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

// TestEveryRequestIsAnsweredOnce has requesters and servers of all kinds.
func TestEveryRequestIsAnsweredOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		b.RequireAnsweredOnce()
		script := b.Answer("rpc", warrentest.Reply("late").Late(time.Minute).For("late"), warrentest.Fail("no", ""))
		_, err := b.Handle("handled", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			if string(req.Body) == "fail" {
				return warren.Message{}, errors.New("no")
			}
			return warren.Message{}, nil
		})
		require.NoError(t, err)
		clientAsks(t, b, "", "1", "late")
		clientAsks(t, b, "amq.rabbitmq.reply-to", "1", "2")
		clientAsks(t, b, "amq.rabbitmq.reply-to", "1", "2") // with the same correlation ids
		script.Wait(6)
		for _, queue := range []string{"rpc", "handled"} {
			for _, m := range []warren.Message{{}, {Body: []byte("fail")}, {Body: []byte("fail"), CorrelationId: "mine"}} {
				b.AskMessage(queue, m).Reply()
				_, _ = b.Call(t.Context(), queue, m)
			}
		}
		ch := brokertest.Channel(t, b)
		brokertest.Fill(t, ch, "handled", "one way")
		time.Sleep(2 * time.Minute)
		b.RequireAnsweredOnce()
	})
}

// TestARequestThatIsSentAgain has a server that dies before it settles, and a client that
// sends again.
func TestARequestThatIsSentAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		brokertest.Queues(t, brokertest.Channel(t, b), "rpc")
		script := b.Answer("rpc", warrentest.Hang())
		question := b.Ask("rpc", "?")
		script.Wait(1)
		script.Stop()
		b.Answer("rpc", warrentest.Reply("1"))
		question.RequireReply("1")
		b.RequireAnsweredOnce()
	})
}

func TestWhatWasNotAnsweredOnce(t *testing.T) {
	const head, tail = "warrentest: not every request was answered once:\n  ", "\nLet each server publish one reply, with the request's correlation id, to its ReplyTo."
	ask := func(b *warrentest.Broker, body string) {
		b.AskMessage("rpc", warren.Message{Body: []byte(body), CorrelationId: "7"})
	}
	for want, f := range map[string]func(t testing.TB, b *warrentest.Broker){
		`request "none" with correlation id "7" of queue "rpc": no reply` + "\n  " +
			`request "two" with correlation id "7" of queue "rpc": 2 replies`: func(_ testing.TB, b *warrentest.Broker) {
			b.Answer("rpc", warrentest.NoReply().For("none"), warrentest.Reply("").Twice().For("two"), warrentest.Reply(""))
			for _, body := range []string{"one", "none", "two"} {
				ask(b, body)
			}
		},
		`request "?" with correlation id "7" of queue "rpc": no reply, but one with the correlation id "8"`: func(_ testing.TB, b *warrentest.Broker) {
			b.Answer("rpc", warrentest.Reply("").CorrelationId("8"))
			ask(b, "?")
		},
		`request "?" with correlation id "7" from connection in process: no server got it`: func(t testing.TB, b *warrentest.Broker) {
			brokertest.Queues(t, brokertest.Channel(t, b), "rpc")
			ask(b, "?")
		},
		`request "?" with correlation id "7" of queue "rpc": 4 replies, and it was delivered 2 times`: func(t testing.TB, b *warrentest.Broker) {
			b.Answer("rpc", warrentest.Reply("").Twice())
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "replies")
			for range 2 {
				require.NoError(t, ch.Publish(t.Context(), "", "rpc", warren.Message{Body: []byte("?"), CorrelationId: "7", ReplyTo: "replies"}, warren.PublishOptions{}))
			}
		},
		`request "lost" with correlation id "7" from connection in process: no server got it`: func(t testing.TB, b *warrentest.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "replies")
			require.NoError(t, ch.Publish(t.Context(), "", "nowhere", warren.Message{Body: []byte("lost"), CorrelationId: "7", ReplyTo: "replies"}, warren.PublishOptions{}))
		},
		`request "quiet" with correlation id "7" of queue "rpc": no reply`: func(t testing.TB, b *warrentest.Broker) {
			_, err := b.Handle("rpc", func(context.Context, *warren.Request) (warren.Message, error) {
				return warren.Message{}, warren.ErrNoReply
			})
			require.NoError(t, err)
			ask(b, "quiet")
		},
	} {
		fails(t, head+want+tail, func(t testing.TB, b *warrentest.Broker) {
			f(t, b)
			synctest.Wait()
			b.RequireAnsweredOnce()
		})
	}
}
