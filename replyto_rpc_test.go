package warren_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// handle serves the queue "rpc".
func (w *replyWorld) handle(h warren.HandlerFunc) {
	w.Helper()
	_, err := w.b.Handle("rpc", h)
	require.NoError(w, err)
}

// ask sends a request to the queue "rpc" the way an AMQP client does.
func (w *replyWorld) ask(msg warren.Message) {
	w.Helper()
	msg.ReplyTo = w.name
	require.NoError(w, w.requester.Publish(w.Context(), "", "rpc", msg, warren.PublishOptions{Mandatory: true}))
}

// An AMQP client asks a handler with nothing but reply_to and correlation_id.
func TestReplyToRequestServedByAHandler(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		w.handle(func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Type: "answer", Body: append([]byte("re: "), req.Body...)}, nil
		})
		w.ask(warren.Message{CorrelationId: "42", Body: []byte("question")})
		d := brokertest.Next(w.T, w.replies)
		require.Equal(w, warren.Message{CorrelationId: "42", Type: "answer", Body: []byte("re: question")}, d.Message)
		require.Equal(w, w.replies.Tag(), d.ConsumerTag)
		require.Equal(w, uint64(1), d.DeliveryTag)
		require.Empty(w, d.Exchange)
		require.Equal(w, w.address(), d.RoutingKey)

		w.Log("A request without correlation id gets a reply without.")
		w.ask(warren.Message{})
		require.Empty(w, brokertest.Next(w.T, w.replies).CorrelationId)
		synctest.Wait()
		s := w.b.Stats()
		require.Equal(w, uint64(2), s.Replies)
		require.Zero(w, s.Unacked, "both requests are acknowledged")
	})
}

// A handler may choose the correlation id of its reply itself.
func TestReplyToHandlerWithItsOwnCorrelationId(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		w.handle(func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{CorrelationId: "mine"}, nil
		})
		w.ask(warren.Message{CorrelationId: "yours"})
		require.Equal(w, "mine", brokertest.Next(w.T, w.replies).CorrelationId)
	})
}

// The failure of a handler comes to an AMQP client as a reply with an empty
// body and two headers.
func TestReplyToHandlerErrorHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		handler    warren.HandlerFunc
		code, text string
	}{
		"error": {
			func(context.Context, *warren.Request) (warren.Message, error) {
				return warren.Message{Body: []byte("not sent"), Type: "not sent"}, errors.New("no such price")
			}, "error", "the handler returned an error",
		},
		"error with a code": {
			func(context.Context, *warren.Request) (warren.Message, error) {
				return warren.Message{}, fmt.Errorf("price: %w", &warren.RemoteError{Code: "sold-out", Text: "none left"})
			}, "sold-out", "none left",
		},
		"panic": {
			func(context.Context, *warren.Request) (warren.Message, error) { panic("oh dear") },
			"panic", "the handler panicked",
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachReplyName(t, func(w *replyWorld) {
				w.handle(c.handler)
				w.ask(warren.Message{CorrelationId: "42"})
				require.Equal(w, warren.Message{
					CorrelationId: "42",
					Headers:       warren.Table{"x-warren-error": c.code, "x-warren-error-text": c.text},
				}, brokertest.Next(w.T, w.replies).Message)
			})
		})
	}
}

// answerRequest publishes the reply that an AMQP server sends to a request.
func answerRequest(w *replyWorld, req *warren.Delivery, reply warren.Message) error {
	return w.server.Publish(w.Context(), "", req.ReplyTo, reply, warren.PublishOptions{Mandatory: true})
}

// A Call can be served by any AMQP consumer that publishes its reply to the
// request's reply_to; the broker matches them, so the correlation id is the
// server's to repeat or not.
func TestReplyToCallServedByAConsumer(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		for _, reply := range []warren.Message{
			{CorrelationId: "42", Body: []byte("answer")},
			{Body: []byte("answer")},
			{CorrelationId: "another", Type: "t", Headers: warren.Table{"h": "v"}},
		} {
			call := brokertest.CallWith(w.Context(), w.b, "work", warren.Message{CorrelationId: "42", Body: []byte("question")})
			req := brokertest.Next(w.T, w.work)
			require.Equal(w, "42", req.CorrelationId)
			require.Equal(w, "question", string(req.Body))
			require.NoError(w, answerRequest(w, &req, reply))
			got, err := brokertest.Answer(w, call)
			require.NoError(w, err)
			require.Equal(w, reply, got)
		}
		brokertest.Nothing(w.T, w.replies)
	})
}

// A Call without a correlation id gets one, for servers that want it.
func TestReplyToCallHasACorrelationId(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		ids := make(map[string]bool)
		for range 10 {
			call := brokertest.CallWith(w.Context(), w.b, "work", warren.Message{})
			req := brokertest.Next(w.T, w.work)
			require.NotEmpty(w, req.CorrelationId)
			ids[req.CorrelationId] = true
			require.NoError(w, answerRequest(w, &req, warren.Message{CorrelationId: req.CorrelationId}))
			got, err := brokertest.Answer(w, call)
			require.NoError(w, err)
			require.Equal(w, req.CorrelationId, got.CorrelationId)
		}
		require.Len(w, ids, 10)
	})
}

// A server in any language tells a Call of its failure in the headers.
func TestReplyToCallServedByAConsumerThatFails(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		call := brokertest.CallWith(w.Context(), w.b, "work", warren.Message{})
		req := brokertest.Next(w.T, w.work)
		headers := warren.Table{warren.ErrorCodeHeader: "sold-out", warren.ErrorTextHeader: "none left"}
		require.NoError(w, answerRequest(w, &req, warren.Message{Headers: headers}))
		_, err := brokertest.Answer(w, call)
		var remote *warren.RemoteError
		require.ErrorAs(w, err, &remote)
		require.Equal(w, warren.RemoteError{Code: "sold-out", Text: "none left"}, *remote)
	})
}

// The first reply is the answer. Others, and those that come when the caller
// has given up, are late: counted, and returned if mandatory.
func TestReplyToLateRepliesToACall(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		call := brokertest.CallWith(w.Context(), w.b, "work", warren.Message{})
		req := brokertest.Next(w.T, w.work)
		_, err := w.server.QueueDeclarePassive(req.ReplyTo)
		require.NoError(w, err, "the caller is there")
		require.NoError(w, answerRequest(w, &req, warren.Message{Body: []byte("first")}))
		require.ErrorIs(w, answerRequest(w, &req, warren.Message{Body: []byte("second")}), warren.ErrNoRoute)
		got, err := brokertest.Answer(w, call)
		require.NoError(w, err)
		require.Equal(w, "first", string(got.Body))

		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		call = brokertest.CallWith(ctx, w.b, "work", warren.Message{})
		req = brokertest.Next(w.T, w.work)
		_, err = brokertest.Answer(w, call)
		require.ErrorIs(w, err, context.DeadlineExceeded)
		_, err = w.server.QueueDeclarePassive(req.ReplyTo)
		require.ErrorIs(w, err, warren.ErrNotFound, "the caller has gone")
		require.ErrorIs(w, answerRequest(w, &req, warren.Message{}), warren.ErrNoRoute)

		w.Log("A late reply does not answer the next call.")
		call = brokertest.CallWith(w.Context(), w.b, "work", warren.Message{})
		next := brokertest.Next(w.T, w.work)
		require.ErrorIs(w, answerRequest(w, &req, warren.Message{Body: []byte("late")}), warren.ErrNoRoute)
		require.NoError(w, answerRequest(w, &next, warren.Message{Body: []byte("in time")}))
		got, err = brokertest.Answer(w, call)
		require.NoError(w, err)
		require.Equal(w, "in time", string(got.Body))

		s := w.b.Stats()
		require.Equal(w, uint64(2), s.Replies)
		require.Equal(w, uint64(3), s.RepliesTooLate)
		require.Zero(w, s.Unroutable)
	})
}

// A reply that comes as the caller gives up is its answer or is late, never
// both and never another call's.
func TestReplyToCallGivesUpAsTheReplyComes(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		const rounds = 500
		answered := uint64(0)
		for i := range rounds {
			ctx, cancel := context.WithCancel(w.Context())
			call := brokertest.CallWith(ctx, w.b, "work", warren.Message{})
			req := brokertest.Next(w.T, w.work)
			if i%2 == 0 {
				cancel() // the caller may see it before the reply or after
			} else {
				go cancel()
			}
			late := answerRequest(w, &req, warren.Message{Body: fmt.Append(nil, i)})
			got, err := brokertest.Answer(w, call)
			cancel()
			if late == nil {
				answered++
				require.NoError(w, err)
				require.Equal(w, fmt.Sprint(i), string(got.Body))
			} else {
				require.ErrorIs(w, late, warren.ErrNoRoute)
				require.ErrorIs(w, err, context.Canceled)
			}
		}
		s := w.b.Stats()
		require.Equal(w, answered, s.Replies)
		require.Equal(w, rounds-answered, s.RepliesTooLate)
		require.Equal(w, 1, s.Requesters)
	})
}

// A handler's reply can be too late as well.
func TestReplyToLateReplyOfAHandler(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		w.handle(func(context.Context, *warren.Request) (warren.Message, error) {
			time.Sleep(time.Minute)
			return warren.Message{}, nil
		})
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err := w.b.Call(ctx, "rpc", warren.Message{})
		require.ErrorIs(w, err, context.DeadlineExceeded)
		w.ask(warren.Message{})
		time.Sleep(time.Second)
		require.NoError(w, w.replies.Cancel())
		time.Sleep(2 * time.Minute)
		s := w.b.Stats()
		require.Equal(w, uint64(2), s.RepliesTooLate)
		require.Zero(w, s.Replies)
		require.Zero(w, s.Unroutable)
		require.Zero(w, s.Unacked)
	})
}

// A handler passes a request on with its ReplyTo as it is and returns
// ErrNoReply; a third party answers. Caller, forwarder and third party can each
// be of either kind.
func TestReplyToForwardedByAHandler(t *testing.T) {
	forward := func(w *replyWorld, to string) {
		w.handle(func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			ch, err := w.b.Channel()
			if err != nil {
				return warren.Message{}, err
			}
			defer ch.Close()
			if err := ch.Publish(ctx, "", to, req.Message, warren.PublishOptions{Mandatory: true}); err != nil {
				return warren.Message{}, err
			}
			return warren.Message{Body: []byte("not sent")}, warren.ErrNoReply
		})
	}
	t.Run("to a consumer", func(t *testing.T) {
		eachReplyName(t, func(w *replyWorld) {
			forward(w, "work")
			call := brokertest.CallWith(w.Context(), w.b, "rpc", warren.Message{CorrelationId: "42", Body: []byte("question")})
			req := brokertest.Next(w.T, w.work)
			require.Equal(w, "42", req.CorrelationId)
			require.NoError(w, answerRequest(w, &req, warren.Message{Body: []byte("answer")}))
			got, err := brokertest.Answer(w, call)
			require.NoError(w, err)
			require.Equal(w, "answer", string(got.Body))

			w.ask(warren.Message{CorrelationId: "43"})
			req = brokertest.Next(w.T, w.work)
			require.Equal(w, "43", req.CorrelationId)
			require.NoError(w, answerRequest(w, &req, warren.Message{Body: []byte("answer")}))
			w.gets("answer")
		})
	})
	t.Run("to a handler", func(t *testing.T) {
		eachReplyName(t, func(w *replyWorld) {
			forward(w, "third")
			_, err := w.b.Handle("third", func(_ context.Context, req *warren.Request) (warren.Message, error) {
				return warren.Message{Body: append([]byte("third: "), req.Body...)}, nil
			})
			require.NoError(w, err)
			got, err := w.b.Call(w.Context(), "rpc", warren.Message{CorrelationId: "42", Body: []byte("question")})
			require.NoError(w, err)
			require.Equal(w, warren.Message{CorrelationId: "42", Body: []byte("third: question")}, got)

			w.ask(warren.Message{CorrelationId: "43", Body: []byte("question")})
			require.Equal(w, warren.Message{CorrelationId: "43", Body: []byte("third: question")}, brokertest.Next(w.T, w.replies).Message)
		})
	})
}

// The context of a handler ends when the AMQP client that asked goes away,
// whether the handler waits for that or looks only afterwards.
func TestReplyToHandlerContextEndsWithTheRequester(t *testing.T) {
	for how, leave := range waysToGo {
		t.Run(how, func(t *testing.T) {
			eachReplyName(t, func(w *replyWorld) {
				began := time.Now()
				ended := make(chan time.Duration, 2)
				w.handle(func(ctx context.Context, req *warren.Request) (warren.Message, error) {
					if string(req.Body) == "look late" {
						time.Sleep(2 * time.Second)
						if !errors.Is(ctx.Err(), context.Canceled) {
							w.Errorf("the context's error is %v", ctx.Err())
						}
					}
					select {
					case <-ctx.Done():
						ended <- time.Since(began)
					case <-time.After(time.Hour):
						ended <- time.Hour
					}
					return warren.Message{}, nil
				})
				w.ask(warren.Message{Body: []byte("wait")})
				w.ask(warren.Message{Body: []byte("look late")})
				time.Sleep(time.Second)
				leave(w)
				require.Equal(w, time.Second, <-ended)
				require.Equal(w, 2*time.Second, <-ended)
			})
		})
	}
}

// A request that has waited until its requester was gone is served, but its
// context has ended from the start.
func TestReplyToHandlerContextOfARequesterThatHasGone(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		_, err := w.server.QueueDeclare("rpc", warren.QueueOptions{})
		require.NoError(w, err)
		w.ask(warren.Message{})
		require.NoError(w, w.replies.Cancel())
		seen := make(chan error, 1)
		w.handle(func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			seen <- ctx.Err()
			return warren.Message{}, nil
		})
		require.ErrorIs(w, <-seen, context.Canceled)
		synctest.Wait()
		require.Equal(w, uint64(1), w.b.Stats().RepliesTooLate)
	})
}

// It does not end for less: not with another requester, and not for requests
// whose reply goes to an ordinary queue or nowhere.
func TestReplyToHandlerContextStaysWhileTheRequesterDoes(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		sibling, err := w.session.Channel()
		require.NoError(w, err)
		siblings := consumeReplies(w.T, sibling, w.name)
		seen := make(chan error, 4)
		w.handle(func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			before := ctx.Err()
			time.Sleep(time.Minute)
			seen <- errors.Join(before, ctx.Err())
			return warren.Message{Body: []byte("answer")}, nil
		})
		w.ask(warren.Message{})
		for _, to := range []string{"", "work", "no such queue"} {
			require.NoError(w, w.server.Publish(w.Context(), "", "rpc", warren.Message{ReplyTo: to}, warren.PublishOptions{}))
		}
		time.Sleep(time.Second)
		require.NoError(w, siblings.Cancel())
		require.NoError(w, sibling.Close())
		for range 4 {
			require.NoError(w, <-seen)
		}
		synctest.Wait()
		w.gets("answer")
		require.Equal(w, "answer", string(brokertest.Next(w.T, w.work).Body))
	})
}

// A slow requester that is cancelled has gone, too.
func TestReplyToHandlerContextEndsWithASlowRequester(t *testing.T) {
	withReplyWorld(t, &warren.Options{ReplyBuffer: 1}, func(w *replyWorld) {
		address := w.address()
		began := time.Now()
		ended := make(chan time.Duration, 1)
		w.handle(func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
			}
			ended <- time.Since(began)
			return warren.Message{}, nil
		})
		w.ask(warren.Message{})
		time.Sleep(time.Second)
		require.NoError(w, w.reply(address, "1", warren.PublishOptions{}))
		time.Sleep(time.Second)
		require.NoError(w, w.reply(address, "2", warren.PublishOptions{}))
		require.Equal(w, 2*time.Second, <-ended)
	})
}

// A Call can be sent to a reply address, as to any queue. The requester gets it
// as a reply that asks back; when it goes without a look, the call fails.
func TestReplyToCallToAnAddress(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		call := brokertest.CallWith(w.Context(), w.b, address, warren.Message{Body: []byte("which one?")})
		d := brokertest.Next(w.T, w.replies)
		require.NoError(w, w.requester.Publish(w.Context(), "", d.ReplyTo, warren.Message{Body: []byte("this one")}, warren.PublishOptions{Mandatory: true}))
		got, err := brokertest.Answer(w, call)
		require.NoError(w, err)
		require.Equal(w, "this one", string(got.Body))

		call = brokertest.CallWith(w.Context(), w.b, address, warren.Message{})
		synctest.Wait()
		require.NoError(w, w.replies.Cancel())
		_, err = brokertest.Answer(w, call)
		require.ErrorIs(w, err, warren.ErrRequestDropped)

		_, err = w.b.Call(w.Context(), address, warren.Message{})
		require.ErrorIs(w, err, warren.ErrNoRoute)
	})
}

// Requesters counts calls that wait and reply consumers.
func TestReplyToRequestersAreCounted(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		require.Equal(w, 1, w.b.Stats().Requesters)
		calls := make([]<-chan brokertest.CallResult, 3)
		for i := range calls {
			calls[i] = brokertest.CallWith(w.Context(), w.b, "work", warren.Message{})
		}
		synctest.Wait()
		require.Equal(w, 4, w.b.Stats().Requesters)
		for range calls {
			req := brokertest.Next(w.T, w.work)
			require.NoError(w, answerRequest(w, &req, warren.Message{}))
		}
		for _, call := range calls {
			_, err := brokertest.Answer(w, call)
			require.NoError(w, err)
		}
		require.Equal(w, 1, w.b.Stats().Requesters)
		require.NoError(w, w.replies.Cancel())
		require.Zero(w, w.b.Stats().Requesters)
	})
}
