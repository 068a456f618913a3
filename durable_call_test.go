package warren_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

var durably = warren.CallOptions{Durable: true}

func TestADurableCallIsAnsweredAsAnyOther(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var got []warren.Message
		brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			value, _ := ctx.Value(contextKey{}).(string)
			d, ok := ctx.Deadline()
			got = append(got, req.Message)
			if string(req.Body) == "fail" {
				return warren.Message{}, warren.ErrBusy
			}
			return warren.Message{Body: fmt.Append(nil, string(req.Body), value, ok), Timestamp: d}, nil
		}, warren.HandleOptions{Durable: true})
		reply, err := b.Call(context.WithValue(t.Context(), contextKey{}, "v"), "q", aRequest, durably)
		require.NoError(t, err)
		require.Equal(t, "xvfalse", string(reply.Body))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Nanosecond)
		defer cancel()
		want, _ := ctx.Deadline()
		headers := warren.Table{"own": "header"}
		reply, err = b.Call(ctx, "q", warren.Message{Body: []byte("x"), MessageId: "key", Headers: headers}, durably)
		require.NoError(t, err)
		require.Equal(t, want, reply.Timestamp)
		require.Equal(t, warren.Table{"own": "header"}, headers, "the caller's own is as it was")
		_, err = b.Call(ctx, "q", warren.Message{Body: []byte("fail")}, durably)
		require.ErrorIs(t, err, warren.ErrBusy)
		require.True(t, warren.Repeatable(err))

		require.Len(t, got, 3)
		for _, msg := range got {
			require.Equal(t, warren.Persistent, msg.DeliveryMode)
			require.NotEmpty(t, msg.MessageId)
			require.Equal(t, true, msg.Headers[warren.DurableHeader])
		}
		require.NotEqual(t, got[0].MessageId, got[2].MessageId)
		require.Equal(t, "key", got[1].MessageId)
		require.NotContains(t, got[0].Headers, warren.DeadlineHeader)
		require.Equal(t, want.UnixMilli()+1, got[1].Headers[warren.DeadlineHeader], "not before the caller's")
		require.Equal(t, "header", got[1].Headers["own"])
		brokertest.Clean(t, b)
	})
}

// The queue of a durable handler stays, and no handler makes a transient one durable.
func TestADurableHandlersQueue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		h := brokertest.Handle(t, b, "q", brokertest.Echo, warren.HandleOptions{Durable: true})
		require.NoError(t, h.Close())
		call := brokertest.Call(t.Context(), b, "q", "x", durably)
		synctest.Wait()
		brokertest.Handle(t, b, "q", brokertest.Echo)
		reply, err := brokertest.Answer(t, call)
		require.NoError(t, err)
		require.Equal(t, "x", string(reply.Body))

		brokertest.Handle(t, b, "transient", brokertest.Echo)
		_, err = b.Handle("transient", brokertest.Echo, warren.HandleOptions{Durable: true})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		require.ErrorContains(t, err, "inequivalent arg 'durable' for queue 'transient' in vhost '/': received 'true' but current is 'false'")
	})
}

// The caller may go: the handler goes on until the deadline. What it returns in vain is
// lost, but not its failure.
func TestADurableRequestOutlivesItsCaller(t *testing.T) {
	for _, overNet := range []bool{false, true} {
		t.Run(fmt.Sprint("over the network: ", overNet), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, srv := brokertest.Serve(t, nil, nil)
				ch := brokertest.Channel(t, b)
				brokertest.Queue(t, ch, "failed", warren.QueueOptions{})
				brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true, DeadLetter: &warren.DeadLetter{RoutingKey: "failed"}})
				var served []string
				release := make(chan struct{})
				brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
					<-release
					if err := ctx.Err(); err != nil {
						return warren.Message{}, err
					}
					served = append(served, string(req.Body))
					if string(req.Body) == "fail" {
						return warren.Message{}, errors.New("failed")
					}
					return warren.Message{}, nil
				}, warren.HandleOptions{Concurrency: 1})
				for _, body := range []string{"work", "fail"} {
					if overNet {
						conn := brokertest.Dial(t, srv.Dial, amqp091.Config{})
						client := brokertest.ClientChannel(t, conn)
						_, err := client.Consume(warren.DirectReplyTo, "", true, false, false, false, nil)
						require.NoError(t, err)
						require.NoError(t, client.PublishWithContext(t.Context(), "", "q", false, false, amqp091.Publishing{
							ReplyTo: warren.DirectReplyTo, DeliveryMode: 2, Headers: amqp091.Table{warren.DurableHeader: true}, Body: []byte(body),
						}))
						synctest.Wait()
						require.NoError(t, conn.Close())
					} else {
						ctx, cancel := context.WithCancel(t.Context())
						call := brokertest.Call(ctx, b, "q", body, durably)
						synctest.Wait()
						cancel()
						require.ErrorIs(t, (<-call).Err, context.Canceled)
					}
				}
				close(release)
				synctest.Wait()
				require.Equal(t, []string{"work", "fail"}, served)
				require.Equal(t, []string{"fail"}, brokertest.Drain(t, ch, "failed"), "nobody was told, so that it is a dead letter")
				brokertest.Clean(t, b)

				t.Log("The deadline ends it, whether the caller is there or not.")
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				h := brokertest.Handle(t, b, "slow", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
					<-ctx.Done()
					served = append(served, fmt.Sprint(ctx.Err()))
					return warren.Message{}, warren.ErrNoReply
				}, warren.HandleOptions{Durable: true})
				call := brokertest.Call(ctx, b, "slow", "x", durably)
				synctest.Wait()
				cancel()
				require.ErrorIs(t, (<-call).Err, context.Canceled)
				began := time.Now()
				require.NoError(t, h.Close())
				require.Equal(t, time.Second, time.Since(began))
				require.Equal(t, "context deadline exceeded", served[2])
			})
		})
	}
}

// A server over AMQP that dies with the request leaves it to another one, which the
// waiting caller does not notice.
func TestADurableCallOutlivesItsServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
		first := brokertest.Dial(t, srv.Dial, amqp091.Config{})
		requests, err := brokertest.ClientChannel(t, first).Consume("q", "", false, false, false, false, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		call := brokertest.Call(ctx, b, "q", "x", durably)
		d := <-requests
		require.Equal(t, uint8(2), d.DeliveryMode)
		require.Equal(t, "60000", d.Expiration)
		require.Equal(t, time.Now().Add(time.Minute).UnixMilli(), d.Headers[warren.DeadlineHeader])
		require.False(t, d.Redelivered)
		key := d.MessageId
		require.NotEmpty(t, key)
		require.NoError(t, first.Close())
		time.Sleep(time.Second)

		second := brokertest.ClientChannel(t, brokertest.Dial(t, srv.Dial, amqp091.Config{}))
		requests, err = second.Consume("q", "", false, false, false, false, nil)
		require.NoError(t, err)
		d = <-requests
		require.True(t, d.Redelivered)
		require.Equal(t, key, d.MessageId)
		require.NoError(t, second.PublishWithContext(t.Context(), "", d.ReplyTo, false, false, amqp091.Publishing{CorrelationId: d.CorrelationId, Body: []byte("done")}))
		require.NoError(t, d.Ack(false))
		reply, err := brokertest.Answer(t, call)
		require.NoError(t, err)
		require.Equal(t, "done", string(reply.Body))
		brokertest.Clean(t, b)
	})
}

// endDurably are the ways in which a broker with a directory ends and begins anew.
var endDurably = map[string]func(t *testing.T, b *warren.Broker, dir *filestest.Dir) *warren.Broker{
	"closed": func(t *testing.T, b *warren.Broker, dir *filestest.Dir) *warren.Broker { return reopened(t, b, dir) },
	"killed": func(t *testing.T, b *warren.Broker, dir *filestest.Dir) *warren.Broker {
		time.Sleep(2 * time.Second) // until what nobody waits for is synced
		image := dir.Image(rand.New(rand.NewPCG(1, 2)))
		require.NoError(t, b.Close())
		return openFiles(t, image, nil)
	},
}

// What a handler had when the broker ended is served again, what was served is not, and
// what nobody needs any more is not served either.
func TestADurableCallOutlivesTheBroker(t *testing.T) {
	for how, end := range endDurably {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filestest.New()
				b := openFiles(t, dir, nil)
				gate := brokertest.NewGate()
				brokertest.Handle(t, b, "served", brokertest.Echo, warren.HandleOptions{Durable: true})
				brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Durable: true, Concurrency: 1})
				_, err := b.Call(t.Context(), "served", aRequest, durably)
				require.NoError(t, err)
				short, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				long, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
				defer cancel()
				calls := map[string]<-chan brokertest.CallResult{
					"running": brokertest.Call(long, b, "q", "running", durably),
				}
				<-gate.Entered
				calls["waiting"] = brokertest.Call(long, b, "q", "waiting", durably)
				synctest.Wait()
				calls["overdue"] = brokertest.Call(short, b, "q", "overdue", durably)
				calls["plain"] = brokertest.Call(long, b, "q", "plain")
				synctest.Wait()

				b = end(t, b, dir)
				for body, call := range calls {
					require.ErrorIs(t, (<-call).Err, warren.ErrClosed, body)
				}
				time.Sleep(2 * time.Hour)
				var served []string
				serve := func(ctx context.Context, req *warren.Request) (warren.Message, error) {
					require.NoError(t, ctx.Err(), "the requester has gone with the old broker")
					require.NotEmpty(t, req.MessageId)
					require.Zero(t, warren.RequesterFrom(ctx))
					d, ok := ctx.Deadline()
					require.True(t, ok)
					want, _ := long.Deadline()
					require.WithinDuration(t, want, d, time.Millisecond)
					served = append(served, string(req.Body))
					return warren.Message{}, nil
				}
				brokertest.Handle(t, b, "q", serve, warren.HandleOptions{Durable: true, Concurrency: 1})
				brokertest.Handle(t, b, "served", serve, warren.HandleOptions{Durable: true, Concurrency: 1})
				synctest.Wait()
				require.Equal(t, []string{"running", "waiting"}, served)
				brokertest.Clean(t, b)
				b = reopened(t, b, dir)
				if how == "closed" {
					require.Zero(t, brokertest.Ready(t, brokertest.Channel(t, b), "q"), "once")
				}
			})
		})
	}
}

// A client of the listener has its durable requests served after a restart, too.
func TestADurableRequestOfAClientOutlivesTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		brokertest.Queue(t, brokertest.Channel(t, b), "q", warren.QueueOptions{Durable: true})
		srv := amqp.NewServer(b, nil)
		ch := brokertest.ClientChannel(t, brokertest.Dial(t, srv.Dial, amqp091.Config{}))
		_, err := ch.Consume(warren.DirectReplyTo, "", true, false, false, false, nil)
		require.NoError(t, err)
		require.NoError(t, ch.Confirm(false))
		for _, durable := range []bool{false, true} {
			sent, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp091.Publishing{
				DeliveryMode: 2, ReplyTo: warren.DirectReplyTo, Headers: amqp091.Table{warren.DurableHeader: durable}, Body: fmt.Append(nil, durable),
			})
			require.NoError(t, err)
			require.True(t, sent.Wait())
		}
		require.NoError(t, srv.Close())
		b = reopened(t, b, dir)
		var served []string
		brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			served = append(served, fmt.Sprint(string(req.Body), " ", ctx.Err()))
			return warren.Message{}, nil
		}, warren.HandleOptions{Concurrency: 1})
		synctest.Wait()
		require.Equal(t, []string{"false context canceled", "true <nil>"}, served)
		require.NoError(t, b.Close())
	})
}

// What the broker's end interrupts is no failure of the request: it is no dead letter, and
// nobody is asked whether to put it back.
func TestADurableRequestIsNoDeadLetterOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "failed", warren.QueueOptions{Durable: true})
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true, DeadLetter: &warren.DeadLetter{RoutingKey: "failed"}})
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Requeue: func(err error) bool {
			t.Error("asked", err)
			return false
		}})
		call := brokertest.Call(t.Context(), b, "q", "x", durably)
		<-gate.Entered
		require.NoError(t, b.Close())
		require.ErrorIs(t, (<-call).Err, warren.ErrClosed)
		require.Zero(t, b.Stats().Failed)
		b = openFiles(t, dir, nil)
		ch = brokertest.Channel(t, b)
		require.Empty(t, brokertest.Drain(t, ch, "failed"))
		require.Equal(t, []string{"x"}, brokertest.Drain(t, ch, "q"))
		require.NoError(t, b.Close())
	})
}
