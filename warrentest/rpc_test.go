package warrentest_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

// clientAsks asks by the official client, with a queue of its own for the replies, or with
// the direct reply-to pseudo-queue. It returns the replies.
func clientAsks(t *testing.T, b *warrentest.Broker, replyTo string, bodies ...string) <-chan amqp091.Delivery {
	t.Helper()
	ch := brokertest.ClientChannel(t, brokertest.Dial(t, b.Dial, amqp091.Config{}))
	if replyTo == "" {
		q, err := ch.QueueDeclare("", false, true, true, false, nil)
		require.NoError(t, err)
		replyTo = q.Name
	}
	replies, err := ch.Consume(replyTo, "", true, false, false, false, nil)
	require.NoError(t, err)
	for i, body := range bodies {
		require.NoError(t, ch.Publish("", "rpc", false, false, amqp091.Publishing{
			ReplyTo: replyTo, CorrelationId: strconv.Itoa(i + 1), Body: []byte(body),
		}))
	}
	return replies
}

// TestAScriptAnswersClients asks by both ways that clients have.
func TestAScriptAnswersClients(t *testing.T) {
	for name, replyTo := range map[string]string{"direct": "amq.rabbitmq.reply-to", "queue": ""} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *warrentest.Broker) {
				script := b.Answer("rpc",
					warrentest.Fail("busy", "try again"),
					warrentest.Reply("42").For("AAPL", "MSFT"),
					warrentest.Reply("twice").Twice().For("2"),
					warrentest.Reply("wrong").CorrelationId("x").For("wrong"),
					warrentest.Panic().For("panic"),
					warrentest.NoReply().For("silent"),
					warrentest.Reply("other"))
				replies := clientAsks(t, b, replyTo, "AAPL", "AAPL", "MSFT", "2", "wrong", "panic", "silent", "what", "else")
				for _, want := range []struct{ id, body, code string }{
					{"1", "", "busy"}, {"2", "42", ""}, {"3", "42", ""}, {"4", "twice", ""}, {"4", "twice", ""},
					{"x", "wrong", ""}, {"6", "", warren.CodePanic}, {"8", "other", ""}, {"9", "other", ""},
				} {
					d := <-replies
					require.Equal(t, want.id, d.CorrelationId)
					require.Equal(t, want.body, string(d.Body))
					code, _ := d.Headers[warren.ErrorCodeHeader].(string)
					require.Equal(t, want.code, code)
				}
				b.WaitUnacked("rpc", 0)
				require.Empty(t, replies)
				requests := script.Requests()
				require.Len(t, requests, 9)
				require.Equal(t, "AAPL", string(requests[0].Body))
				require.Equal(t, "9", requests[8].CorrelationId)
			})
		})
	}
}

// TestAScriptIsReadInOrder has answers that are used up.
func TestAScriptIsReadInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		b.Answer("rpc",
			warrentest.Reply("first").Times(2),
			warrentest.ReplyFunc(func(d warren.Delivery) (warren.Message, error) { return d.Message, nil }).For("echo"),
			warrentest.ReplyFunc(func(warren.Delivery) (warren.Message, error) { return warren.Message{}, errors.New("private") }).For("error"),
			warrentest.ReplyFunc(func(warren.Delivery) (warren.Message, error) {
				return warren.Message{}, &warren.RemoteError{Code: "no", Text: "never"}
			}).For("no"),
			warrentest.ReplyFunc(func(warren.Delivery) (warren.Message, error) { panic("oh") }).For("panic"),
			warrentest.Reply("7").CorrelationId("x").Twice().For("id"),
			warrentest.Reply("once").Times(1).If(func(d warren.Delivery) bool { return d.Type == "t" }),
			warrentest.Reply("late").Late(time.Minute).For("late"))
		ask := func(body string) string {
			m, err := b.Call(t.Context(), "rpc", warren.Message{Body: []byte(body), Type: "t"})
			if remote, ok := errors.AsType[*warren.RemoteError](err); ok {
				return remote.Code + ": " + remote.Text
			}
			require.NoError(t, err)
			return string(m.Body)
		}
		for _, c := range [][2]string{
			{"any", "first"}, {"echo", "first"}, {"echo", "echo"}, {"error", "error: the handler returned an error"},
			{"no", "no: never"}, {"panic", "panic: the handler panicked"}, {"id", "7"}, {"id", "7"}, {"any", "once"},
			{"any", "unscripted: the script has no answer for this request"},
		} {
			require.Equal(t, c[1], ask(c[0]))
		}
		start := time.Now()
		require.Equal(t, "late", ask("late"))
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestWhatHangsIsHeldUntilItIsReleased(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		script := b.Answer("rpc", warrentest.Hang(), warrentest.Reply("then").Held().Late(time.Minute), warrentest.Reply("now"))
		silent, held, other := b.Ask("rpc", "1"), b.Ask("rpc", "2"), b.Ask("rpc", "3")
		other.RequireReply("now")
		require.Len(t, script.Wait(3), 3)
		silent.RequireNoReply(time.Hour)
		held.RequireNoReply(0)
		b.WaitUnacked("rpc", 2)
		start := time.Now()
		script.Release()
		b.WaitUnacked("rpc", 1)
		held.RequireReply("then", 2*time.Minute)
		require.WithinDuration(t, start.Add(time.Minute), time.Now(), time.Second)
		b.WaitUnacked("rpc", 0)
		silent.RequireNoReply(time.Hour)
	})
}

// TestACallGivesUp has a server that answers when the caller has gone.
func TestACallGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		script := b.Answer("rpc", warrentest.Reply("late").Late(2*time.Minute))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := b.Call(ctx, "rpc", warren.Message{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		question := b.Ask("rpc", "?")
		script.Wait(2)
		question.Leave()
		time.Sleep(time.Hour)
		require.Empty(t, question.Replies())
		b.WaitUnacked("rpc", 0)
	})
}

func TestAScriptTakesWhatNeedsNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "rpc")
		brokertest.Fill(t, ch, "rpc", "one way")
		script := b.Answer("rpc", warrentest.Reply("ignored"))
		script.Wait(1)
		b.WaitIdle()
	})
}

// TestAScriptStops has a server that dies with requests unanswered.
func TestAScriptStops(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		brokertest.Queues(t, brokertest.Channel(t, b), "kept")
		script := b.Answer("kept", warrentest.Hang())
		question := b.Ask("kept", "?")
		script.Wait(1)
		script.Stop()
		b.WaitReady("kept", 1)
		b.Answer("kept", warrentest.Reply("another server"))
		question.RequireReply("another server")

		script = b.Answer("dropped", warrentest.Hang())
		failed := make(chan error)
		go func() {
			_, err := b.Call(t.Context(), "dropped", warren.Message{})
			failed <- err
		}()
		script.Wait(1)
		script.Stop()
		require.ErrorIs(t, <-failed, warren.ErrRequestDropped)
		script.Stop()
	})
}

// TestAQuestionSeesEveryReply asks a client that serves, and does so badly.
func TestAQuestionSeesEveryReply(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		ch := brokertest.ClientChannel(t, brokertest.Dial(t, b.Dial, amqp091.Config{}))
		q, err := ch.QueueDeclare("rpc", false, false, false, false, nil)
		require.NoError(t, err)
		requests, err := ch.Consume(q.Name, "", true, false, false, false, nil)
		require.NoError(t, err)
		question := b.AskMessage("rpc", warren.Message{Body: []byte("?"), Type: "t", CorrelationId: "mine"})
		d := <-requests
		require.Equal(t, []string{"?", "t", "mine"}, []string{string(d.Body), d.Type, d.CorrelationId})
		for _, body := range []string{"1", "2"} {
			require.NoError(t, ch.Publish("", d.ReplyTo, false, false, amqp091.Publishing{CorrelationId: d.CorrelationId, Body: []byte(body)}))
		}
		question.RequireReply("1")
		synctest.Wait()
		require.Len(t, question.Replies(), 2)
	})
}

func TestAnswersAreChecked(t *testing.T) {
	require.Panics(t, func() { warrentest.Reply("").Times(0) })
}

// TestWhatRPCFailsWith has the texts of all failures.
func TestWhatRPCFailsWith(t *testing.T) {
	reply := func(answers ...warrentest.Answer) func(b *warrentest.Broker) *warrentest.Question {
		return func(b *warrentest.Broker) *warrentest.Question {
			b.Answer("rpc", answers...)
			return b.AskMessage("rpc", warren.Message{Body: []byte("?"), CorrelationId: "7"})
		}
	}
	for want, f := range map[string]func(b *warrentest.Broker){
		`nobody can be asked "?": there is no queue "rpc"; start the server first, or declare its queue`: func(b *warrentest.Broker) { b.Ask("rpc", "?") },
		"waited 5s in vain for the answer to the question \"?\" to queue \"rpc\"; there is now:\n  queue \"rpc\": 0 ready, 1 unacked, 1 consumers" + hint: func(b *warrentest.Broker) {
			reply(warrentest.Hang())(b).Reply()
		},
		"waited 1s in vain for the answer to the question \"?\" to queue \"rpc\"; there is now:\n  queue \"rpc\": warren: 404 NOT_FOUND - no queue 'rpc' in vhost '/'" + hint: func(b *warrentest.Broker) {
			s := b.Answer("rpc", warrentest.Hang())
			q := b.Ask("rpc", "?")
			s.Stop() // the queue goes with its only consumer
			q.Reply(time.Second)
		},
		`the answer "1" to the question "?" to queue "rpc" has the correlation id "x", not "7": let the server copy it from the request`: func(b *warrentest.Broker) {
			reply(warrentest.Reply("1").CorrelationId("x"))(b).Reply()
		},
		`the question "?" to queue "rpc" was answered with "1", not with "2"`: func(b *warrentest.Broker) {
			reply(warrentest.Reply("1"))(b).RequireReply("2")
		},
		`the question "?" to queue "rpc" was answered with the error "no" (never), not with "2"`: func(b *warrentest.Broker) {
			reply(warrentest.Fail("no", "never"))(b).RequireReply("2")
		},
		`the question "?" to queue "rpc" was answered with "1", not with an error of the code "no"`: func(b *warrentest.Broker) {
			reply(warrentest.Reply("1"))(b).RequireError("no")
		},
		`the question "?" to queue "rpc" was answered with the error "yes" (sure), not with one of the code "no"`: func(b *warrentest.Broker) {
			reply(warrentest.Fail("yes", "sure"))(b).RequireError("no")
		},
		`within 1m0s the question "?" to queue "rpc" was to have no answer, and it has 1 answer ("1")`: func(b *warrentest.Broker) {
			reply(warrentest.Reply("1").Late(time.Minute - 1))(b).RequireNoReply(time.Minute)
		},
		`within 1s the question "?" to queue "rpc" was to have one answer, and it has 2 answers ("1", "1")`: func(b *warrentest.Broker) {
			reply(warrentest.Reply("1").Twice())(b).RequireOneReply(time.Second)
		},
		"waited 5s in vain for 2 requests at the script of queue \"rpc\"; there is now:\n  1 request (\"?\")" + hint: func(b *warrentest.Broker) {
			s := b.Answer("rpc", warrentest.Reply("1"))
			b.Ask("rpc", "?")
			s.Wait(2)
		},
		"waited 1m0s in vain for 1 requests at the script of queue \"rpc\"; there is now:\n  0 requests" + hint: func(b *warrentest.Broker) {
			b.Answer("rpc").Wait(1, time.Minute)
		},
	} {
		fails(t, "warrentest: "+want, func(_ testing.TB, b *warrentest.Broker) { f(b) })
	}
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		b.Answer("rpc", warrentest.Fail("no", ""))
		q := b.Ask("rpc", "?")
		q.RequireError("no")
		q.RequireOneReply(time.Hour)
	})
}
