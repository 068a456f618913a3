package amqp_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// rawOnFullBroker is a broker whose memory is full, with the queue "q", and a
// client that has just published one message too many.
func rawOnFullBroker(t *testing.T, capabilities ...string) (*warren.Broker, *warren.Channel, *amqp.Server, *rawClient) {
	b, srv := brokertest.Serve(t, &warren.Options{MemoryLimit: 2000}, nil)
	ch := brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q")
	require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 3000)}, warren.PublishOptions{}))
	r := dialRaw(t, srv)
	r.open(10, capabilities...)
	r.send(1, &wire.ChannelOpen{})
	expect[*wire.ChannelOpenOk](r)
	r.publish(1, "q", "x")
	return b, ch, srv, r
}

func TestAPublisherIsToldThatItWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ch, _, r := rawOnFullBroker(t, "connection.blocked")
		require.Equal(t, "low on memory", expect[*wire.ConnectionBlocked](r).Reason)
		for range 20 { // its silence is not its own
			time.Sleep(10 * time.Second)
			require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
		}
		_, err := ch.QueuePurge("q")
		require.NoError(t, err)
		expect[*wire.ConnectionUnblocked](r)
		synctest.Wait()
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"), "the message that waited")
		r.hangUp()
	})
}

func TestAPublisherWithoutTheCapabilityIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ch, _, r := rawOnFullBroker(t)
		time.Sleep(time.Minute)
		_, err := ch.QueuePurge("q")
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
		r.hangUp()
	})
}

func TestAPublisherThatWaitsForMemoryCanBeEnded(t *testing.T) {
	t.Run("Close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, ch, srv, _ := rawOnFullBroker(t)
			synctest.Wait()
			start := time.Now()
			require.NoError(t, srv.Close())
			require.Zero(t, time.Since(start))
			require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
		})
	})
	t.Run("Shutdown", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, ch, srv, r := rawOnFullBroker(t)
			synctest.Wait()
			ended := make(chan error, 1)
			go func() { ended <- srv.Shutdown(context.Background()) }()
			r.closed(320, shutdownText)
			require.NoError(t, <-ended)
			require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
		})
	})
	t.Run("client vanishes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, ch, srv, r := rawOnFullBroker(t)
			synctest.Wait()
			r.conn.Close()
			time.Sleep(time.Minute) // a heartbeat finds out
			start := time.Now()
			require.NoError(t, srv.Shutdown(context.Background()))
			require.Zero(t, time.Since(start), "nobody was left")
			require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
		})
	})
	t.Run("broker closes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _, _, r := rawOnFullBroker(t)
			synctest.Wait()
			require.NoError(t, b.Close())
			r.closed(320, shutdownText)
		})
	})
}

// rawConsumer consumes without acknowledgement.
func rawConsumer(t *testing.T, srv *amqp.Server, queue string) *rawClient {
	r := rawChannel(t, srv)
	r.send(1, &wire.BasicConsume{Queue: []byte(queue), NoAck: true})
	expect[*wire.BasicConsumeOk](r)
	return r
}

func TestAConsumerThatDoesNotReadStallsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 16 << 10})
		ch := brokertest.Channel(t, b)
		defer ch.Close()
		for _, name := range []string{"q", "other"} {
			brokertest.Queues(t, ch, name)
		}
		r := rawConsumer(t, srv, "q")
		body := make([]byte, 1<<10)
		for range 1000 {
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: body}, warren.PublishOptions{}))
		}
		synctest.Wait()
		left := brokertest.Ready(t, ch, "q")
		require.Greater(t, left, 1000-100, "the buffers hold some, the queue keeps the rest")

		well := rawConsumer(t, srv, "other")
		require.NoError(t, ch.Publish(t.Context(), "", "other", warren.Message{Body: []byte("x")}, warren.PublishOptions{}))
		expect[*wire.BasicDeliver](well)

		for range 1000 { // it reads again: nothing is lost
			expect[*wire.BasicDeliver](r)
			r.nextFrame()
			r.nextFrame()
		}
		require.Zero(t, brokertest.Ready(t, ch, "q"))
		r.hangUp()
	})
}

func TestTwoLargeMessagesAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 4 << 10})
		ch := brokertest.Channel(t, b)
		defer ch.Close()
		brokertest.Queues(t, ch, "q")
		r := openRaw(t, srv)
		for number := range uint16(5) {
			r.send(number+1, &wire.ChannelOpen{}, &wire.BasicConsume{Queue: []byte("q"), NoAck: true})
			expect[*wire.ChannelOpenOk](r)
			expect[*wire.BasicConsumeOk](r)
		}
		for range 5 {
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 100<<10)}, warren.PublishOptions{}))
		}
		synctest.Wait()
		for range 5 {
			for range 2 + 1 { // a body of 100 KiB is one frame
				r.nextFrame()
			}
		}
		r.hangUp()
	})
}

func TestAFloodOfRepliesCutsWhoDoesNotReadThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 4 << 10})
		addresses := make(chan string, 1)
		h, err := b.Handle("ask", func(_ context.Context, q *warren.Request) (warren.Message, error) {
			addresses <- q.ReplyTo
			return warren.Message{}, nil
		})
		require.NoError(t, err)
		r := rawConsumer(t, srv, "amq.rabbitmq.reply-to")
		props := (&wire.Properties{ReplyTo: "amq.rabbitmq.reply-to"}).Append(nil)
		r.write(wire.AppendPublish(nil, 1, &wire.BasicPublish{RoutingKey: []byte("ask")}, props, nil, 4096))
		address := <-addresses
		ch := brokertest.Channel(t, b)
		defer ch.Close()
		sent := 0
		for err == nil && sent < 1000 {
			sent++
			err = ch.Publish(t.Context(), "", address, warren.Message{Body: make([]byte, 1<<10)}, warren.PublishOptions{Mandatory: true})
			synctest.Wait()
		}
		require.ErrorIs(t, err, warren.ErrNoRoute, "the requester has gone")
		require.Greater(t, sent, 50)
		require.Less(t, sent, 200)
		require.NoError(t, h.Close())
	})
}

// TestAnswersToWhoDoesNotReadAreBounded has a client that asks for ever and
// never reads: the server stops listening to it.
func TestAnswersToWhoDoesNotReadAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 16 << 10})
		ch := brokertest.Channel(t, b)
		defer ch.Close()
		brokertest.Queues(t, ch, "q")
		r := dialRaw(t, srv)
		r.open(10)
		r.send(1, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		ask := wire.AppendPublish(nil, 1, &wire.BasicPublish{RoutingKey: []byte("nowhere"), Mandatory: true}, nil, []byte(strings.Repeat("x", 1000)), 4096)
		ask = wire.AppendMethod(ask, 1, &wire.QueueDeclare{Queue: "q", Passive: true})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start, asked := time.Now(), 0
		for {
			if _, err := r.conn.Write(ask); err != nil {
				break // the heartbeat has found out
			}
			asked++
			require.Less(t, asked, 10000)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
		require.LessOrEqual(t, time.Since(start), 30*time.Second)
	})
}

func TestAClientThatReadsSlowlyGetsAllItsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 4 << 10})
		r := dialRaw(t, srv)
		r.open(10)
		r.send(1, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		const asked = 2000
		asking := make(chan error, 1)
		go func() {
			var err error
			for range asked {
				if _, err = r.conn.Write(wire.AppendMethod(nil, 1, &wire.BasicQos{})); err != nil {
					break
				}
				if _, err = r.conn.Write(wire.AppendPublish(nil, 1, &wire.BasicPublish{RoutingKey: []byte("nowhere"), Mandatory: true}, nil, make([]byte, 100), 4096)); err != nil {
					break
				}
			}
			asking <- err
		}()
		for range asked {
			time.Sleep(50 * time.Millisecond)
			expect[*wire.BasicQosOk](r)
			expect[*wire.BasicReturn](r)
			r.nextFrame()
			r.nextFrame()
		}
		require.NoError(t, <-asking)
		r.hangUp()
	})
}

func TestShutdownCutsAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 4 << 10})
		r := rawChannel(t, srv)
		asking := make(chan error, 1)
		go func() {
			for {
				if _, err := r.conn.Write(wire.AppendMethod(nil, 1, &wire.QueueDeclare{Queue: "q"})); err != nil {
					asking <- err
					return
				}
			}
		}()
		time.Sleep(time.Hour)
		require.Empty(t, asking, "without heartbeats it may wait")
		start := time.Now()
		require.NoError(t, srv.Shutdown(context.Background()))
		require.Equal(t, 10*time.Second, time.Since(start))
		require.Error(t, <-asking)
	})
}

// allocated returns how many bytes f allocates, with all that goes on until nothing does.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	synctest.Wait()
	runtime.ReadMemStats(&before)
	f()
	synctest.Wait()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestReturnsOfATransactionAreBounded: a client that does not read them is made to wait.
func TestReturnsOfATransactionAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 4 << 10})
		r := rawChannel(t, srv)
		r.send(1, &wire.TxSelect{})
		expect[*wire.TxSelectOk](r)
		const messages, size = 1000, 16 << 10
		publish := wire.AppendPublish(nil, 1, &wire.BasicPublish{RoutingKey: []byte("nowhere"), Mandatory: true}, nil, make([]byte, size), 131072)
		for range messages {
			r.write(publish)
		}
		require.Less(t, allocated(func() { r.send(1, &wire.TxCommit{}) }), uint64(messages*size/4))
		for range messages {
			expect[*wire.BasicReturn](r)
			require.Len(t, r.content(), size)
		}
		expect[*wire.TxCommitOk](r)
		r.hangUp()
	})
}

// TestWhatIsRecoveredIsBounded: what a client gets again waits until it reads, in order
// and before what is new.
func TestWhatIsRecoveredIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 4 << 10})
		ch := brokertest.Channel(t, b)
		defer ch.Close()
		brokertest.Queues(t, ch, "q")
		r := rawChannel(t, srv)
		r.send(1, &wire.BasicConsume{Queue: []byte("q")})
		expect[*wire.BasicConsumeOk](r)
		const messages, size = 1000, 16 << 10
		for i := range messages {
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: fmt.Appendf(nil, "%*d", size, i)}, warren.PublishOptions{}))
			expect[*wire.BasicDeliver](r)
			r.content()
		}
		require.Less(t, allocated(func() { r.send(1, &wire.BasicRecover{}) }), uint64(messages*size/4))
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte("new")}, warren.PublishOptions{}))
		expect[*wire.BasicRecoverOk](r)
		for i := range messages {
			require.True(t, expect[*wire.BasicDeliver](r).Redelivered)
			require.Equal(t, fmt.Sprint(i), strings.TrimSpace(r.content()))
		}
		require.False(t, expect[*wire.BasicDeliver](r).Redelivered)
		require.Equal(t, "new", r.content())
		require.Equal(t, messages+1, b.Stats().Unacked)
		r.hangUp()
	})
}

// TestAClientThatGoesWhileItRecovers: what it has not got again is in the queue.
func TestAClientThatGoesWhileItRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 4 << 10})
		ch := brokertest.Channel(t, b)
		defer ch.Close()
		brokertest.Queues(t, ch, "q")
		r := rawChannel(t, srv)
		r.send(1, &wire.BasicConsume{Queue: []byte("q")})
		expect[*wire.BasicConsumeOk](r)
		for range 100 {
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 16<<10)}, warren.PublishOptions{}))
			expect[*wire.BasicDeliver](r)
			r.content()
		}
		r.send(1, &wire.BasicRecover{})
		synctest.Wait()
		r.conn.Close()
		synctest.Wait()
		require.Equal(t, 100, b.Stats().Ready)
		require.Zero(t, b.Stats().Unacked)
	})
}

// TestBuffersOfAllConnectionsAreBoundedTogether has many clients that do not read. Alone
// each could have a whole Buffer waiting, and another being written.
func TestBuffersOfAllConnectionsAreBoundedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, limit = 60, 64 << 20
		b, srv := brokertest.Serve(t, &warren.Options{MemoryLimit: limit}, nil)
		ch := brokertest.Channel(t, b)
		var raw []*rawClient
		for i := range clients {
			name := fmt.Sprint("q", i)
			brokertest.Queues(t, ch, name)
			fill(t, ch, name, 60, 10<<10)
			r := dialRaw(t, srv)
			r.open(10)
			r.send(1, &wire.ChannelOpen{}, &wire.BasicConsume{Queue: []byte(name), NoAck: true})
			raw = append(raw, r)
		}
		synctest.Wait()
		held := b.Link().Buffers().Held()
		require.Greater(t, held, int64(limit/16))
		require.Less(t, held, int64(limit/8+clients*(64<<10)))
		first := raw[0]
		expect[*wire.ChannelOpenOk](first)
		expect[*wire.BasicConsumeOk](first)
		for range 60 {
			first.nextTag()
		}
		for _, r := range raw {
			r.conn.Close()
		}
		require.NoError(t, srv.Close())
		synctest.Wait()
		require.Zero(t, b.Link().Buffers().Held())
	})
}
