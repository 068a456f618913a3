package same_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// letters makes a queue with a queue for its dead letters.
func (w *world) letters(ch *amqp091.Channel) (queue, dead string) {
	dead = w.queue(ch, "dead", nil)
	args := amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
	return w.queue(ch, "jobs", args), dead
}

// get waits for a message of a queue, which need not be there yet.
func (w *world) get(ch *amqp091.Channel, queue string) (d amqp091.Delivery) {
	w.Helper()
	w.eventually(func() (ok bool) {
		var err error
		d, ok, err = ch.Get(queue, true)
		if err != nil && ch.IsClosed() {
			_, ch = w.client()
			return false
		}
		require.NoError(w, err)
		return ok
	})
	return d
}

// isEmpty requires that nothing is in a queue, and nothing comes back to it when its
// consumers have gone.
func (w *world) isEmpty(ch *amqp091.Channel, queue string) {
	w.Helper()
	w.eventually(func() bool {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		require.NoError(w, err)
		return q.Consumers == 0
	})
	_, found, err := ch.Get(queue, true)
	require.NoError(w, err)
	require.False(w, found)
}

func TestOneWayRequests(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		q, dead := w.letters(ch)
		again := make(chan bool, 10)
		h, err := w.server.Handle(q, func(_ context.Context, req *warren.Request) (warren.Message, error) {
			require.Empty(w, req.ReplyTo)
			switch string(req.Body) {
			case "works":
				return warren.Message{Body: []byte("of no meaning")}, nil
			case "fails":
				return warren.Message{}, errors.New("by design")
			case "panics":
				panic("by design")
			case "silent":
				return warren.Message{}, errors.Join(warren.ErrNoReply, errors.New("by design"))
			}
			again <- req.Redelivered
			if req.Redelivered {
				return warren.Message{}, nil
			}
			return warren.Message{}, warren.ErrBusy
		}, warren.HandleOptions{Concurrency: 1, Requeue: func(err error) bool { return errors.Is(err, warren.ErrBusy) }})
		require.NoError(w, err)
		for _, body := range []string{"works", "fails", "panics", "silent", "again"} {
			require.NoError(w, ch.Publish("", q, false, false, amqp091.Publishing{Body: []byte(body)}))
		}
		require.False(w, receive(w, again))
		require.True(w, receive(w, again))
		for _, body := range []string{"fails", "panics", "silent"} {
			d := w.get(ch, dead)
			require.Equal(w, body, string(d.Body))
			require.Equal(w, "rejected", d.Headers["x-first-death-reason"])
		}
		require.NoError(w, h.Close())
		w.isEmpty(ch, q)
		w.isEmpty(ch, dead)
	})
}

// A client elsewhere answers in the handler's place.
func TestNoReply(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		q, dead := w.letters(ch)
		h, err := w.server.Handle(q, func(_ context.Context, req *warren.Request) (warren.Message, error) {
			if string(req.Body) == "fails" {
				return warren.Message{}, errors.Join(warren.ErrNoReply, errors.New("by design"))
			}
			return warren.Message{}, warren.ErrNoReply
		})
		require.NoError(w, err)
		for _, body := range []string{"", "fails"} {
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			_, err = w.caller.Call(ctx, q, warren.Message{Body: []byte(body)})
			cancel()
			require.ErrorIs(w, err, context.DeadlineExceeded)
		}
		if !w.inProcess { // there, the dead letter has gone with its caller
			require.Equal(w, "fails", string(w.get(ch, dead).Body))
		}
		require.NoError(w, h.Close())
		w.isEmpty(ch, q)
	})
}

func TestDurableCalls(t *testing.T) {
	everywhere(t, func(w *world) {
		got := make(chan warren.Message, 1)
		q := w.handle("durable", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got <- req.Message
			return warren.Message{Body: []byte("done")}, nil
		}, warren.HandleOptions{Durable: true})
		w.deletes(q)
		durable := warren.CallOptions{Durable: true}
		reply, err := w.call(q, warren.Message{}, durable)
		require.NoError(w, err)
		require.Equal(w, "done", string(reply.Body))
		req := receive(w, got)
		require.Equal(w, warren.Persistent, req.DeliveryMode)
		require.NotEmpty(w, req.MessageId)
		require.Equal(w, warren.Table{"x-warren-durable": true}, req.Headers)
		_, err = w.call(q, warren.Message{MessageId: "own"}, durable)
		require.NoError(w, err)
		require.Equal(w, "own", receive(w, got).MessageId)
		_, ch := w.client()
		state, err := ch.QueueDeclarePassive(q, true, false, false, false, nil)
		require.NoError(w, err)
		require.Equal(w, 1, state.Consumers)
		if *quorum && w.rabbit { // another type would be refused
			_, err = ch.QueueDeclare(q, true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
			require.NoError(w, err)
		}
	})
}

// The work on a durable request goes on without its caller, and its failure is not lost.
func TestADurableCallOutlivesItsCaller(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		q, dead := w.letters(ch)
		begun, release := make(chan context.Context, 1), make(chan struct{})
		h, err := w.server.Handle(q, func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			begun <- ctx
			<-release
			return warren.Message{}, errors.New("by design")
		}, warren.HandleOptions{Durable: true})
		require.NoError(w, err)
		conn, client := w.client() // a caller whose end the broker knows
		_, err = client.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		require.NoError(w, err)
		require.NoError(w, client.Publish("", q, false, false, amqp091.Publishing{
			ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "1", DeliveryMode: 2, Headers: amqp091.Table{"x-warren-durable": true},
		}))
		ctx := receive(w, begun)
		require.NoError(w, conn.Close())
		<-time.After(3 * heartbeat)
		require.NoError(w, ctx.Err())
		close(release)
		require.Equal(w, "rejected", w.get(ch, dead).Headers["x-first-death-reason"])
		require.NoError(w, h.Close())
		w.isEmpty(ch, q)
	})
}

// A durable request waits for a server, and is not lost with the first one.
func TestADurableCallWaitsForAServer(t *testing.T) {
	everywhere(t, func(w *world) {
		h, err := w.server.Handle(w.name("durable"), echo, warren.HandleOptions{Durable: true})
		require.NoError(w, err)
		w.deletes(h.Queue())
		require.NoError(w, h.Close())
		called := make(chan error, 1)
		go func() {
			_, err := w.call(h.Queue(), warren.Message{}, warren.CallOptions{Durable: true})
			called <- err
		}()
		_, err = w.server.Handle(h.Queue(), echo, warren.HandleOptions{Durable: true})
		require.NoError(w, err)
		require.NoError(w, receive(w, called))
	})
}
