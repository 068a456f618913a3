package warren_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestZeroArgumentsOfCallAndHandle(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{}, func(t *testing.T, b *warren.Broker) {
		_, err := b.Call(t.Context(), "", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		_, err = b.Call(t.Context(), strings.Repeat("x", 256), warren.Message{})
		require.Error(t, err)

		_, err = b.Handle("q", nil)
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		_, err = warren.HandleFor[int, int](b, "q", nil)
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		_, err = b.Handle("q", brokertest.Echo, warren.HandleOptions{Concurrency: -1})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		_, err = b.Handle("amq.mine", brokertest.Echo)
		require.ErrorIs(t, err, warren.ErrAccessRefused)
		_, err = b.Handle(strings.Repeat("x", 256), brokertest.Echo)
		require.Error(t, err)
		require.Zero(t, b.Stats().Queues)

		brokertest.Handle(t, b, "q", brokertest.Echo, warren.HandleOptions{}, warren.HandleOptions{Concurrency: 0}, warren.HandleOptions{Codec: nil})
		for _, body := range [][]byte{nil, {}} {
			reply, err := b.Call(t.Context(), "q", warren.Message{Body: body}, warren.CallOptions{}, warren.CallOptions{Exchange: ""}, warren.CallOptions{Codec: nil})
			require.NoError(t, err)
			require.Empty(t, reply.Body)
		}
		null, err := warren.CallFor[any](t.Context(), b, "q", nil)
		require.NoError(t, err)
		require.Nil(t, null)
		brokertest.Clean(t, b)
	})
}

// A handler of the queue "" gets one whose name the broker chooses.
func TestHandlerOfAServerNamedQueue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		one, two := brokertest.Handle(t, b, "", brokertest.Reply("one")), brokertest.Handle(t, b, "", brokertest.Reply("two"))
		require.Regexp(t, "^amq.gen-", one.Queue())
		require.NotEqual(t, one.Queue(), two.Queue())
		reply, err := b.Call(t.Context(), two.Queue(), warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "two", string(reply.Body))
		require.NoError(t, one.Close())
		require.NoError(t, two.Close())
		require.Zero(t, b.Stats().Queues)

		// Line ends are taken out of declared names.
		broken := brokertest.Handle(t, b, "a\r\nb", brokertest.Echo)
		require.Equal(t, "ab", broken.Queue())
	})
}

func TestZeroArgumentsOfChannels(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.Publish(t.Context(), "", "", warren.Message{}, warren.PublishOptions{}))
		_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, nil)
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		for name, err := range map[string]error{
			"consume": func() error { _, err := ch.Consume("", warren.ConsumeOptions{}); return err }(),
			"get":     func() error { _, _, err := ch.Get("", true); return err }(),
			"purge":   func() error { _, err := ch.QueuePurge(""); return err }(),
			"bind":    ch.QueueBind("", "", "amq.direct", nil),
			"passive": func() error { _, err := ch.QueueDeclarePassive(""); return err }(),
		} {
			require.ErrorIs(t, err, warren.ErrNotFound, name)
			require.ErrorContains(t, err, "NOT_FOUND - no previously declared queue", name)
		}
		q, err := ch.QueueDeclare("", warren.QueueOptions{})
		require.NoError(t, err)
		require.NoError(t, ch.QueueBind("", "", "amq.direct", nil))
		require.NoError(t, ch.Publish(t.Context(), "amq.direct", q.Name, warren.Message{}, warren.PublishOptions{Mandatory: true}))
		d, ok, err := ch.Get("", false)
		require.NoError(t, err)
		require.True(t, ok)
		require.Empty(t, d.Body)
		require.NoError(t, d.Ack(false))
		require.NoError(t, ch.Cancel(""))
		require.NoError(t, ch.Qos(0, warren.QosOptions{}))
	})
}

func TestDeliveriesAreSettledOnceAndWhereTheyCameFrom(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 2)...)
		refused := func(err error, text string) {
			t.Helper()
			require.ErrorIs(t, err, warren.ErrPreconditionFailed)
			var amqp *warren.Error
			require.ErrorAs(t, err, &amqp)
			require.Equal(t, "PRECONDITION_FAILED - "+text, amqp.Text)
		}
		var zero warren.Delivery
		refused(zero.Ack(false), "unknown delivery tag 0")
		refused(zero.Ack(true), "unknown delivery tag 0")
		refused(zero.Nack(true, true), "unknown delivery tag 0")
		refused(zero.Reject(true), "unknown delivery tag 0")

		d, _, err := ch.Get("q", false)
		require.NoError(t, err)
		require.EqualValues(t, 1, d.DeliveryTag)
		refused(other.Ack(1, false), "unknown delivery tag 1")
		refused(ch.Ack(0, false), "unknown delivery tag 0")
		refused(ch.Ack(2, true), "unknown delivery tag 2")
		require.Equal(t, 1, b.Stats().Unacked, "nothing of this settled it")
		require.NoError(t, d.Ack(false))
		refused(d.Ack(false), "unknown delivery tag 1")
		refused(d.Nack(false, true), "unknown delivery tag 1")
		refused(d.Reject(false), "unknown delivery tag 1")
		noAck, _, err := ch.Get("q", true)
		require.NoError(t, err)
		refused(noAck.Ack(false), "unknown delivery tag 2")

		last, _, err := ch.Get("q", false)
		require.NoError(t, err)
		require.NoError(t, ch.Close())
		require.ErrorIs(t, last.Ack(false), warren.ErrClosed)
		require.Equal(t, 1, b.Stats().Ready)
	})
}

func TestConsumerIsCancelledWhileMessagesArrive(t *testing.T) {
	for _, test := range consumeOptions {
		t.Run(test.name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				const all = 1000
				published := make(chan struct{})
				go func() {
					defer close(published)
					for range all {
						ch.Publish(context.Background(), "", "q", warren.Message{}, warren.PublishOptions{})
					}
				}()
				got := 0
				for running := true; running; {
					c, err := ch.Consume("q", test.o)
					require.NoError(t, err)
					var wg sync.WaitGroup
					wg.Go(func() {
						for d, err := range c.Deliveries(t.Context()) {
							if err != nil {
								return
							}
							got++
							if !test.o.NoAck {
								d.Ack(false)
							}
						}
					})
					wg.Go(func() { c.Cancel() })
					wg.Go(func() { ch.Cancel(c.Tag()) })
					wg.Wait()
					select {
					case <-published:
						running = false
					default:
					}
				}
				bodies, _ := brokertest.DrainAgain(t, ch, "q")
				require.Equal(t, all, got+len(bodies))
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestQueueIsDeletedUnderConsumersAndWaitingPublishers(t *testing.T) {
	runWithFullMemory(t, &warren.Options{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		consumer := brokertest.Channel(t, b)
		c, err := consumer.Consume("q", warren.ConsumeOptions{Prefetch: 2})
		require.NoError(t, err)
		var waiting []<-chan error
		for range 3 {
			waiting = append(waiting, brokertest.Blocked(t, t.Context(), ch, "q", "x"))
		}
		call := brokertest.Call(t.Context(), b, "q", "x")
		synctest.Wait()
		n, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, 8, n)
		for _, result := range waiting {
			require.NoError(t, <-result, "not mandatory: dropped silently")
		}
		require.ErrorIs(t, (<-call).Err, warren.ErrNoRoute)
		require.EqualValues(t, 3, b.Stats().Unroutable)

		for range 2 { // what had arrived can be read, and settled to no effect
			d, err := c.Next(t.Context())
			require.NoError(t, err)
			require.NoError(t, d.Ack(false))
		}
		_, err = c.Next(t.Context())
		require.ErrorIs(t, err, warren.ErrConsumerCancelled)
		brokertest.Clean(t, b)
		require.Zero(t, b.Stats().Queues)
	})
}

// A panicking or failing handler, and one that never answers, take nothing
// away from others.
func TestHandlerThatDoesNotAnswer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "silent", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{}, warren.ErrNoReply
		})
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		start := time.Now()
		_, err := b.Call(ctx, "silent", warren.Message{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 24*time.Hour, time.Since(start))
		brokertest.Clean(t, b)
	})
}

func TestReplyToForgedAddressesReachesNobody(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		gate := brokertest.NewGate()
		var address string
		brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			address = req.ReplyTo
			return gate.Serve(ctx, req)
		})
		call := brokertest.Call(t.Context(), b, "q", "mine")
		<-gate.Entered
		for _, forged := range []string{
			address[:len(address)-1], address + "0", address + "x", strings.ToUpper(address[:30]) + address[30:],
			strings.Replace(address, "direct", "rabbitmq", 1),
			warren.DirectReplyTo + ".", warren.DirectReplyTo + ".0", warren.DirectReplyTo + "." + strings.Repeat("A", 28),
		} {
			err := ch.Publish(t.Context(), "", forged, warren.Message{Body: []byte("forged")}, warren.PublishOptions{Mandatory: true})
			require.ErrorIs(t, err, warren.ErrNoRoute, forged)
		}
		close(gate.Release)
		require.Equal(t, "mine", string((<-call).Reply.Body))
		// The address has served its time.
		err := ch.Publish(t.Context(), "", address, warren.Message{}, warren.PublishOptions{Mandatory: true})
		require.ErrorIs(t, err, warren.ErrNoRoute)
	})
}

// A reply address carries exactly one answer, however many are sent at once.
func TestOnlyOneOfManyRepliesIsTheAnswer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		for range 50 {
			call := brokertest.Call(t.Context(), b, "q", "x")
			synctest.Wait()
			d, ok, err := ch.Get("q", true)
			require.NoError(t, err)
			require.True(t, ok)
			var wg sync.WaitGroup
			var mu sync.Mutex
			taken := 0
			for range 4 {
				wg.Go(func() {
					err := ch.Publish(t.Context(), "", d.ReplyTo, warren.Message{Body: []byte("re")}, warren.PublishOptions{Mandatory: true})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						taken++
					} else if !errors.Is(err, warren.ErrNoRoute) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.Equal(t, 1, taken)
			require.Equal(t, "re", string((<-call).Reply.Body))
		}
		brokertest.Clean(t, b)
	})
}
