package warren_test

import (
	"context"
	"testing"
	"testing/synctest"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// requesters serves the queue "who" and notes who asks.
func requesters(t *testing.T, b *warren.Broker) chan warren.Requester {
	found := make(chan warren.Requester, 8)
	brokertest.Handle(t, b, "who", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
		found <- warren.RequesterFrom(context.WithValue(ctx, contextKey{}, "of the handler's"))
		return warren.Message{}, nil
	})
	return found
}

func TestRequesterInTheProcess(t *testing.T) {
	require.Zero(t, warren.RequesterFrom(t.Context()))
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		found := requesters(t, b)
		_, err := b.Call(t.Context(), "who", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, warren.Requester{InProcess: true}, <-found)
		_, err = b.Call(t.Context(), "who", warren.Message{UserId: "ann"})
		require.NoError(t, err)
		require.Equal(t, warren.Requester{InProcess: true, User: "ann"}, <-found)

		t.Log("A session of the program, by direct reply-to and by a queue of its own.")
		s := brokertest.Session(t, b)
		ch := brokertest.Channel(t, s)
		_, err = ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		require.NoError(t, err)
		own, err := ch.QueueDeclare("", warren.QueueOptions{Exclusive: true})
		require.NoError(t, err)
		for _, to := range []string{warren.DirectReplyTo, own.Name} {
			require.NoError(t, ch.Publish(t.Context(), "", "who", warren.Message{ReplyTo: to}, warren.PublishOptions{}))
			require.Equal(t, warren.Requester{Session: s.ID()}, <-found)
		}

		t.Log("Nobody who is known.")
		brokertest.Queue(t, ch, "shared", warren.QueueOptions{})
		for _, msg := range []warren.Message{{}, {ReplyTo: "shared"}, {ReplyTo: "nowhere"}, {UserId: "ann"}} {
			require.NoError(t, ch.Publish(t.Context(), "", "who", msg, warren.PublishOptions{}))
			require.Zero(t, <-found)
		}
		require.NoError(t, ch.Publish(t.Context(), "", "who", warren.Message{ReplyTo: "shared", UserId: "ann"}, warren.PublishOptions{}))
		require.Equal(t, warren.Requester{User: "ann"}, <-found)
	})
}

// A requester over the network is known by its login. Who passes its request on does
// not take its place, and nobody does when it has gone.
func TestRequesterOverTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		found := requesters(t, b)
		brokertest.Handle(t, b, "front", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			ch := brokertest.Channel(t, b)
			defer ch.Close()
			require.NoError(t, ch.Publish(ctx, "", "who", req.Message, warren.PublishOptions{}))
			return warren.Message{}, warren.ErrNoReply
		})
		conn := brokertest.Dial(t, srv.Dial, amqp091.Config{})
		ch := brokertest.ClientChannel(t, conn)
		replies, err := ch.Consume(warren.DirectReplyTo, "", true, false, false, false, nil)
		require.NoError(t, err)
		own, err := ch.QueueDeclare("", false, false, true, false, nil)
		require.NoError(t, err)
		var session string
		for _, s := range b.Sessions() {
			if s.User == "guest" {
				session = s.ID
			}
		}
		require.NotEmpty(t, session)
		for _, queue := range []string{"who", "front"} {
			for _, to := range []string{warren.DirectReplyTo, own.Name} {
				require.NoError(t, ch.PublishWithContext(t.Context(), "", queue, false, false, amqp091.Publishing{ReplyTo: to}))
				require.Equal(t, warren.Requester{Session: session, User: "guest"}, <-found)
			}
		}
		<-replies

		gone := make(chan struct{})
		brokertest.Handle(t, b, "late", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			<-gone
			found <- warren.RequesterFrom(ctx)
			return warren.Message{}, nil
		})
		require.NoError(t, ch.PublishWithContext(t.Context(), "", "late", false, false, amqp091.Publishing{ReplyTo: warren.DirectReplyTo}))
		synctest.Wait()
		require.NoError(t, conn.Close())
		synctest.Wait()
		close(gone)
		require.Zero(t, <-found)
	})
}
