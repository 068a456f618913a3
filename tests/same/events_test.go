package same_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// subscribe subscribes until the rule ends.
func (w *world) subscribe(p party, exchange, pattern string, f warren.DeliveryFunc, opts ...warren.SubscribeOptions) *warren.Subscription {
	s, err := p.Subscribe(exchange, pattern, f, opts...)
	require.NoError(w, err)
	w.Cleanup(func() { s.Close() })
	return s
}

// work works on a queue of the rule's own until the rule ends.
func (w *world) work(queue string, f warren.DeliveryFunc, opts ...warren.WorkOptions) *warren.Subscription {
	s, err := w.server.Work(queue, f, opts...)
	require.NoError(w, err)
	w.Cleanup(func() { s.Close() })
	return s
}

// exchange is the name of an exchange that ends with the rule.
func (w *world) exchange() string {
	x := w.name("x")
	w.Cleanup(func() {
		conn, err := w.connect()
		require.NoError(w, err)
		defer conn.Close()
		ch, err := conn.Channel()
		require.NoError(w, err)
		require.NoError(w, ch.ExchangeDelete(x, false, false))
	})
	return x
}

func TestEvents(t *testing.T) {
	everywhere(t, func(w *world) {
		x := w.exchange()
		require.NoError(w, w.caller.Publish(w.Context(), x, "nobody.listens", warren.Message{}))
		err := w.caller.Publish(w.Context(), x, "nobody.listens", warren.Message{}, warren.EventOptions{Mandatory: true})
		require.ErrorIs(w, err, warren.ErrNoRoute)
		type event struct{ who, key, body string }
		got := make(chan event, 10)
		to := func(who string) warren.DeliveryFunc {
			return func(_ context.Context, d warren.Delivery) error {
				require.Equal(w, x, d.Exchange)
				require.Equal(w, warren.Persistent, d.DeliveryMode)
				got <- event{who, d.RoutingKey, string(d.Body)}
				return nil
			}
		}
		w.subscribe(w.server, x, "order.*", to("orders"))
		w.subscribe(w.server, x, "#", to("all"))
		w.subscribe(w.caller, x, "order.paid", to("paid"))
		publish := func(key string, want ...string) {
			require.NoError(w, w.caller.Publish(w.Context(), x, key, warren.Message{Body: []byte("b")}, warren.EventOptions{Mandatory: true}))
			var who []string
			for range want {
				e := receive(w, got)
				require.Equal(w, event{e.who, key, "b"}, e)
				who = append(who, e.who)
			}
			require.ElementsMatch(w, want, who)
			require.Empty(w, got)
		}
		publish("order.paid", "orders", "all", "paid")
		publish("order.sent", "orders", "all")
		publish("other", "all")
	})
}

func TestEventsHaveAllProperties(t *testing.T) {
	everywhere(t, func(w *world) {
		got := make(chan warren.Message, 1)
		x := w.exchange()
		w.subscribe(w.server, x, "#", func(_ context.Context, d warren.Delivery) error {
			got <- d.Message
			return nil
		})
		headers := allTypes(time.Unix(1700000000, 0))
		sent := warren.Message{
			Headers: headers, ContentType: "text/plain", ContentEncoding: "identity", DeliveryMode: warren.Transient, Priority: 7,
			CorrelationId: "c", ReplyTo: "r", Expiration: "60000", MessageId: "m", Timestamp: time.Unix(1700000000, 0).UTC(),
			Type: "t", AppId: "a", Body: make([]byte, 200_000),
		}
		require.NoError(w, w.caller.Publish(w.Context(), x, "k", sent))
		m := receive(w, got)
		require.Equal(w, wide(headers), wide(m.Headers))
		m.Headers, m.Timestamp = headers, m.Timestamp.UTC()
		require.Equal(w, sent, m)
	})
}

func TestASharedSubscription(t *testing.T) {
	everywhere(t, func(w *world) {
		x, q := w.exchange(), w.name("mails")
		w.deletes(q)
		w.deletes(q + ".failed")
		got := make(chan string, 100)
		f := func(_ context.Context, d warren.Delivery) error {
			got <- string(d.Body)
			return nil
		}
		o := warren.SubscribeOptions{Queue: q}
		first, second := w.subscribe(w.caller, x, "a", f, o), w.subscribe(w.server, x, "a", f, o)
		publish := func(n int) {
			require.NoError(w, w.caller.Publish(w.Context(), x, "a", warren.Message{Body: fmt.Append(nil, n)}))
		}
		want := []string{}
		for n := range 20 {
			publish(n)
			want = append(want, fmt.Sprint(n))
		}
		var all []string
		for range want {
			all = append(all, receive(w, got))
		}
		require.ElementsMatch(w, want, all)
		require.NoError(w, first.Close())
		require.NoError(w, second.Close())
		publish(20) // it collects
		require.Empty(w, got)
		w.subscribe(w.server, x, "a", f, o)
		require.Equal(w, "20", receive(w, got))
	})
}

func TestJobsThatFail(t *testing.T) {
	everywhere(t, func(w *world) {
		q, dead := w.name("jobs"), w.name("jobs.failed")
		w.deletes(q)
		w.deletes(dead)
		attempts := make(chan int, 20)
		var calls atomic.Int32
		w.work(q, func(_ context.Context, d warren.Delivery) error {
			switch string(d.Body) {
			case "never":
				return warren.NoRetry(errors.New("hopeless"))
			case "panics":
				panic("by design")
			}
			attempts <- d.Attempt()
			if string(d.Body) == "later" && calls.Add(1) == 3 {
				return nil
			}
			return &warren.RemoteError{Code: "own", Text: "by design"}
		}, warren.WorkOptions{Retry: warren.Retry{Attempts: 3, Delay: 50 * time.Millisecond}})
		enqueue := func(body string) {
			require.NoError(w, w.caller.Enqueue(w.Context(), q, warren.Message{Body: []byte(body), Headers: warren.Table{"h": "v"}}))
		}
		_, ch := w.client()
		if *quorum && w.rabbit { // another type would be refused
			_, err := ch.QueueDeclare(q, true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
			require.NoError(w, err)
		}
		enqueue("later")
		for n := range 3 {
			require.Equal(w, n+1, receive(w, attempts))
		}
		for body, want := range map[string]amqp091.Table{
			"always": {"x-warren-attempts": int64(3), "x-warren-error": "own", "x-warren-error-text": "warren: the handler failed: own: by design"},
			"never":  {"x-warren-attempts": int64(1), "x-warren-error": "error", "x-warren-error-text": "hopeless"},
		} {
			enqueue(body)
			d := w.get(ch, dead)
			require.Equal(w, body, string(d.Body))
			require.Equal(w, "v", d.Headers["h"])
			for name, v := range want {
				require.EqualValues(w, v, d.Headers[name], name)
			}
		}
		enqueue("panics")
		require.Equal(w, "panic", w.get(ch, dead).Headers["x-warren-error"])
	})
}

func TestAJobThatWaits(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.name("jobs")
		w.deletes(q)
		w.deletes(q + ".failed")
		got := make(chan time.Time, 1)
		w.work(q, func(context.Context, warren.Delivery) error {
			got <- time.Now()
			return nil
		})
		began := time.Now()
		require.NoError(w, w.caller.Enqueue(w.Context(), q, warren.Message{}, warren.EnqueueOptions{Delay: 300 * time.Millisecond}))
		require.GreaterOrEqual(w, receive(w, got).Sub(began), 300*time.Millisecond)
	})
}

func TestJobsAreWorkedOnTogether(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.name("jobs")
		w.deletes(q)
		w.deletes(q + ".failed")
		begun, release := make(chan struct{}, 10), make(chan struct{})
		s := w.work(q, func(context.Context, warren.Delivery) error {
			begun <- struct{}{}
			<-release
			return nil
		}, warren.WorkOptions{Concurrency: 3})
		for range 5 {
			require.NoError(w, w.caller.Enqueue(w.Context(), q, warren.Message{}))
		}
		for range 3 {
			receive(w, begun)
		}
		<-time.After(200 * time.Millisecond)
		require.Empty(w, begun)
		s.Stop()
		close(release)
		receive(w, s.Done())
		_, ch := w.client()
		for range 2 {
			w.get(ch, q)
		}
		w.isEmpty(ch, q)
	})
}

// A handler has somebody else answer.
func TestAThirdPartyAnswers(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.handle("first", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			err := w.server.Enqueue(ctx, req.Type, req.Message)
			return warren.Message{}, errors.Join(warren.ErrNoReply, err)
		})
		_, ch := w.client()
		third := w.queue(ch, "third", nil)
		requests, err := ch.Consume(third, "", true, false, false, false, nil)
		require.NoError(w, err)
		type answer struct {
			reply warren.Message
			err   error
		}
		for range 2 {
			called := make(chan answer, 1)
			go func() {
				reply, err := w.call(q, warren.Message{Type: third, Body: []byte("x"), CorrelationId: "mine"})
				called <- answer{reply, err}
			}()
			d := receive(w, requests)
			require.Equal(w, "x", string(d.Body))
			require.NoError(w, ch.Publish("", d.ReplyTo, false, false, amqp091.Publishing{CorrelationId: d.CorrelationId, Body: []byte("of the third")}))
			a := receive(w, called)
			require.NoError(w, a.err)
			require.Equal(w, "of the third", string(a.reply.Body))
			require.Equal(w, "mine", a.reply.CorrelationId)
		}
	})
}

func TestASubscriptionThatCannotBe(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		q := w.queue(ch, "other", amqp091.Table{"x-max-length": int32(10)})
		_, err := w.server.Work(q, func(context.Context, warren.Delivery) error { return nil })
		_, ok := errors.AsType[*warren.QueueConflictError](err)
		require.True(w, ok, "%v", err)
		require.ErrorIs(w, err, warren.ErrPreconditionFailed)
		require.NoError(w, w.caller.Enqueue(w.Context(), q, warren.Message{}), "what is there is used as it is")
	})
}

func TestEventsThatABrokerRefuses(t *testing.T) {
	everywhere(t, func(w *world) {
		got := make(chan string, 10)
		x := w.exchange()
		w.subscribe(w.server, x, "#", func(_ context.Context, d warren.Delivery) error {
			got <- string(d.Body)
			return nil
		})
		publish := func(m warren.Message) error { return w.caller.Publish(w.Context(), x, "k", m) }
		err := publish(warren.Message{Headers: warren.Table{"large": string(make([]byte, 200_000))}, Body: []byte("large")})
		if w.inProcess {
			require.NoError(w, err)
			require.Equal(w, "large", receive(w, got))
		} else {
			require.ErrorIs(w, err, warren.ErrPreconditionFailed)
			require.ErrorIs(w, publish(warren.Message{UserId: "somebody"}), warren.ErrPreconditionFailed)
		}
		require.ErrorIs(w, publish(warren.Message{Expiration: "soon"}), warren.ErrPreconditionFailed)
		require.NoError(w, publish(warren.Message{Expiration: "9999999999", Body: []byte("long")}))
		require.Equal(w, "long", receive(w, got))
	})
}
