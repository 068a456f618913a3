package remote_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/remote"
)

// events runs f in a bubble with a broker and two programs that use it by remote.
func events(t *testing.T, o *remote.Options, f func(t *testing.T, real *warren.Broker, one, two *remote.Broker)) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		dial := func() *remote.Broker {
			all := remote.Options{}
			if o != nil {
				all = *o
			}
			all.Dial, all.Logger = srv.Dial, slog.New(slog.NewTextHandler(t.Output(), nil))
			r, err := remote.Dial(t.Context(), []string{"amqp://guest:guest@localhost/"}, &all)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			return r
		}
		f(t, b, dial(), dial())
	})
}

// cut closes all connections to a broker.
func cut(b *warren.Broker) {
	for _, s := range b.Sessions() {
		if s.Remote {
			b.SessionClose(s.ID, "by hand")
		}
	}
}

// collected is what functions of subscriptions have got.
type collected struct {
	mu   sync.Mutex
	list []string
}

func (c *collected) add(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, s)
}

func (c *collected) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.list)
}

func (c *collected) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

func (c *collected) get(_ context.Context, s string) error {
	c.add(s)
	return nil
}

// ready returns how many messages are in a queue for everybody.
func ready(t *testing.T, b *warren.Broker, queue string) int {
	t.Helper()
	q, err := brokertest.Channel(t, b).QueueDeclarePassive(queue)
	require.NoError(t, err)
	return q.Messages
}

// drain gets all that is in a queue.
func drain(t *testing.T, b *warren.Broker, queue string) (list []warren.Delivery) {
	t.Helper()
	ch := brokertest.Channel(t, b)
	for {
		d, ok, err := ch.Get(queue, true)
		require.NoError(t, err)
		if !ok {
			return list
		}
		list = append(list, d)
	}
}

// queues lists the queues of a broker.
func queues(t *testing.T, b *warren.Broker) []warren.QueueInfo {
	t.Helper()
	v, err := b.VirtualHost(warren.DefaultVirtualHost)
	require.NoError(t, err)
	return v.Queues()
}

func TestEventsGoToAllThatSubscribe(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		require.NoError(t, warren.PublishFor(t.Context(), one, "shop", "order.paid", "nobody"))
		require.ErrorIs(t, warren.PublishFor(t.Context(), one, "shop", "order.paid", "nobody", warren.EventOptions{Mandatory: true}), warren.ErrNoRoute)
		var a, b, shared collected
		sa, err := warren.SubscribeFor(one, "shop", "order.*", a.get)
		require.NoError(t, err)
		_, err = warren.SubscribeFor(two, "shop", "#", b.get)
		require.NoError(t, err)
		for _, r := range []*remote.Broker{one, two} {
			_, err = warren.SubscribeFor(r, "shop", "order.#", func(_ context.Context, s string) error {
				time.Sleep(time.Second)
				shared.add(s)
				return nil
			}, warren.SubscribeOptions{Queue: "mails"})
			require.NoError(t, err)
		}
		start := time.Now()
		for i := range 4 {
			require.NoError(t, warren.PublishFor(t.Context(), one, "shop", "order.paid", fmt.Sprint(i)))
		}
		require.NoError(t, warren.PublishFor(t.Context(), real, "shop", "other", "x"))
		synctest.Wait()
		require.Equal(t, []string{"0", "1", "2", "3"}, a.take())
		require.Equal(t, []string{"0", "1", "2", "3", "x"}, b.take())
		for shared.len() < 4 {
			brokertest.Later(time.Second)
		}
		require.Less(t, time.Since(start), 3*time.Second, "two share the work")
		got := shared.take()
		slices.Sort(got)
		require.Equal(t, []string{"0", "1", "2", "3"}, got)
		require.NoError(t, sa.Close())
		require.ErrorIs(t, sa.Err(), warren.ErrClosed)
		_, err = brokertest.Channel(t, real).QueueDeclarePassive(sa.Queue())
		require.ErrorIs(t, err, warren.ErrNotFound, "the subscription's own queue ends with it")
	})
}

// tracer collects what it is told of.
type tracer struct{ to *collected }

func (r tracer) Start(ctx context.Context, op *warren.Operation) (context.Context, func(error)) {
	r.to.add(fmt.Sprintf("traced: %v %s %s %s", op.Kind, op.Exchange, op.RoutingKey, op.Queue))
	return ctx, nil
}

func TestDeliveryOfAnEvent(t *testing.T) {
	var order collected
	o := &remote.Options{Tracer: tracer{&order}, Intercept: warren.Interceptors{
		Publish: []func(warren.PublishFunc) warren.PublishFunc{func(next warren.PublishFunc) warren.PublishFunc {
			return func(ctx context.Context, ch *warren.Channel, exchange, key string, msg warren.Message, o warren.PublishOptions) error {
				order.add("publish " + exchange + " " + key)
				return next(ctx, ch, exchange, key, msg, o)
			}
		}},
		Consume: []func(warren.DeliveryFunc) warren.DeliveryFunc{func(next warren.DeliveryFunc) warren.DeliveryFunc {
			return func(ctx context.Context, d warren.Delivery) error {
				order.add("consume " + d.Exchange + " " + d.RoutingKey)
				return next(ctx, d)
			}
		}},
	}}
	events(t, o, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		got := make(chan warren.Delivery, 10)
		_, err := two.Subscribe("x", "#", func(ctx context.Context, d warren.Delivery) error {
			got <- *warren.DeliveryFrom(ctx)
			if d.Attempt() < 2 {
				return &warren.RemoteError{Code: "own", Text: "words"}
			}
			return nil
		}, warren.SubscribeOptions{Queue: "q"})
		require.NoError(t, err)
		nested := warren.Table{"table": warren.Table{"list": []any{int32(1), warren.Table{"n": 7}}}, "int": math.MaxInt, "CC": []any{"also"}}
		msg := warren.Message{
			Headers: nested, ContentType: "t/t", CorrelationId: "c", MessageId: "m", Type: "ty", AppId: "app", Priority: 3,
			Expiration: "60000", ReplyTo: "to", Timestamp: time.Unix(7, 0), Body: []byte("body"),
		}
		require.NoError(t, one.Publish(t.Context(), "x", "k", msg))
		for attempt := 1; attempt <= 2; attempt++ {
			d := <-got
			require.Equal(t, attempt, d.Attempt())
			require.Equal(t, []string{"x", "k", "body", "t/t", "c", "m", "ty", "app", "to"}, []string{
				d.Exchange, d.RoutingKey, string(d.Body), d.ContentType, d.CorrelationId, d.MessageId, d.Type, d.AppId, d.ReplyTo,
			})
			require.Equal(t, warren.Persistent, d.DeliveryMode)
			require.Equal(t, uint8(3), d.Priority)
			require.True(t, d.Timestamp.Equal(time.Unix(7, 0)))
			require.Equal(t, int64(math.MaxInt), d.Headers["int"])
			require.Equal(t, warren.Table{"list": []any{int64(1), warren.Table{"n": int64(7)}}}, d.Headers["table"])
			require.False(t, d.Redelivered)
			if attempt == 1 {
				require.Equal(t, "60000", d.Expiration)
				continue
			}
			require.Empty(t, d.Expiration, "it has been taken in time")
			require.Equal(t, "own", d.Headers[warren.ErrorCodeHeader])
		}
		synctest.Wait()
		require.Equal(t, []string{
			"publish x k", "traced: 1 x k ", "traced: 5 x k q", "consume x k",
			"publish  q.delay.1000", "traced: 1  q.delay.1000 ", "traced: 5  q q", "consume x k",
		}, order.take())
		require.Zero(t, ready(t, real, "q"))
	})
}

func TestJobsComeAgainAndBecomeDeadLetters(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		var got collected
		start := time.Now()
		w, err := warren.WorkFor(two, "jobs", func(ctx context.Context, s string) error {
			got.add(fmt.Sprint(s, warren.DeliveryFrom(ctx).Attempt(), " ", time.Since(start).Round(time.Second)))
			switch s {
			case "never":
				return warren.NoRetry(errors.New("no use"))
			case "panics":
				panic("oh")
			}
			return errors.New("not yet")
		}, warren.WorkOptions{Retry: warren.Retry{Attempts: 3}, Concurrency: 3})
		require.NoError(t, err)
		for _, s := range []string{"never", "panics", "fails"} {
			require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", s))
		}
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", 7)) // cannot be decoded
		brokertest.Later(time.Minute)
		list := got.take()
		slices.Sort(list)
		require.Equal(t, []string{"fails1 0s", "fails2 1s", "fails3 3s", "never1 0s", "panics1 0s", "panics2 1s", "panics3 3s"}, list)
		codes := map[string]any{}
		for _, d := range drain(t, real, "jobs.failed") {
			codes[string(d.Body)] = d.Headers[warren.ErrorCodeHeader]
		}
		require.Equal(t, map[string]any{`"never"`: "error", `"panics"`: "panic", `"fails"`: "error", `7`: "codec"}, codes)
		require.Zero(t, ready(t, real, "jobs"))
		require.NoError(t, w.Close())
		brokertest.Later(2 * time.Minute)
		for _, q := range queues(t, real) {
			require.NotContains(t, q.Name, "delay", "it expires")
		}
	})
}

func TestAJobWaitsForItsDelay(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "late", warren.EnqueueOptions{Delay: time.Minute}))
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "now"))
		var got collected
		_, err := warren.WorkFor(two, "jobs", got.get)
		require.NoError(t, err)
		brokertest.Later(59 * time.Second)
		require.Equal(t, []string{"now"}, got.take())
		brokertest.Later(2 * time.Second)
		require.Equal(t, []string{"late"}, got.take())
	})
}

// TestRefusals have the errors that a broker in this process gives.
func TestRefusals(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		var got collected
		ch := brokertest.Channel(t, real)
		_, err := ch.QueueDeclare("other", warren.QueueOptions{})
		require.NoError(t, err)
		_, err = warren.WorkFor(one, "other", got.get)
		conflict, ok := errors.AsType[*warren.QueueConflictError](err)
		require.True(t, ok, err)
		require.Equal(t, "other", conflict.Queue)
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		_, here := warren.WorkFor(real, "other", got.get)
		require.EqualError(t, err, here.Error())
		require.NoError(t, ch.ExchangeDeclare("inside", warren.Topic, warren.ExchangeOptions{Internal: true}))
		err = one.Publish(t.Context(), "inside", "k", warren.Message{})
		require.ErrorIs(t, err, warren.ErrAccessRefused)
		require.EqualError(t, err, real.Publish(t.Context(), "inside", "k", warren.Message{}).Error())
		err = one.Publish(t.Context(), "amq.no", "k", warren.Message{})
		require.ErrorIs(t, err, warren.ErrAccessRefused, "it cannot be declared")
		require.EqualError(t, err, real.Publish(t.Context(), "amq.no", "k", warren.Message{}).Error())
		err = one.Publish(t.Context(), "amq.topic", "k", warren.Message{UserId: "somebody"})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed, "over there")
		err = one.Publish(t.Context(), "amq.topic", "k", warren.Message{Expiration: "soon"})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed, "here")
		require.NoError(t, one.Publish(t.Context(), "amq.topic", "k", warren.Message{}), "the channel is open again")
		_, err = ch.QueueDeclare("full", warren.QueueOptions{Durable: true, MaxLength: 1, Overflow: warren.RejectPublish})
		require.NoError(t, err)
		require.NoError(t, one.Enqueue(t.Context(), "full", warren.Message{}))
		require.ErrorIs(t, one.Enqueue(t.Context(), "full", warren.Message{}), warren.ErrNacked)
	})
}

// TestManyPublishAtOnce mixes messages that are returned, refused and taken.
func TestManyPublishAtOnce(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		ch := brokertest.Channel(t, real)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "yes", "amq.topic", nil))
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				key, want := "yes", error(nil)
				if i%3 == 0 {
					key, want = "no", warren.ErrNoRoute
				}
				body := warren.Message{Body: []byte{byte(i % 2)}}
				err := one.Publish(t.Context(), "amq.topic", key, body, warren.EventOptions{Mandatory: true})
				require.ErrorIs(t, err, want)
				if r, ok := errors.AsType[*warren.Return](err); ok {
					require.Equal(t, body.Body, r.Body)
				}
			})
		}
		all.Wait()
		require.Equal(t, 133, ready(t, real, "q"))
	})
}

func TestWhatIsLostWithAConnection(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		var named, own, jobs collected
		_, err := warren.SubscribeFor(two, "x", "#", named.get, warren.SubscribeOptions{Queue: "q"})
		require.NoError(t, err)
		s, err := warren.SubscribeFor(two, "x", "#", own.get)
		require.NoError(t, err)
		calls := 0
		_, err = warren.WorkFor(two, "jobs", func(ctx context.Context, s string) error {
			calls++
			jobs.add(fmt.Sprint(s, " ", warren.DeliveryFrom(ctx).Redelivered))
			time.Sleep(10 * time.Second)
			if calls == 1 {
				return errors.New("on a connection that is gone")
			}
			return nil
		}, warren.WorkOptions{Prefetch: 3})
		require.NoError(t, err)
		for _, j := range []string{"a", "b", "c", "d"} {
			require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", j))
		}
		brokertest.Later(time.Second)
		cut(real)
		synctest.Wait()
		require.NoError(t, real.Publish(t.Context(), "x", "k", warren.Message{Body: []byte(`"meanwhile"`)}))
		require.NoError(t, warren.PublishFor(t.Context(), one, "x", "k", "first"), "it waits for the connection")
		brokertest.Later(5 * time.Second)
		require.NoError(t, warren.PublishFor(t.Context(), one, "x", "k", "later"))
		brokertest.Later(time.Minute)
		require.Subset(t, named.take(), []string{"meanwhile", "first", "later"})
		require.Contains(t, own.take(), "later")
		require.Equal(t, []string{"a false", "a true", "b true", "c true", "d false"}, jobs.take(),
			"what was not begun does not come twice, and the failure has made no copy")
		require.Zero(t, ready(t, real, "jobs"))
		for _, q := range queues(t, real) {
			require.NotContains(t, q.Name, "jobs.", "nothing has failed at the broker")
		}
		require.NoError(t, s.Err())
	})
}

// TestAPublishThatIsNotConfirmed holds the confirm back by an alarm, and cuts the
// connection.
func TestAPublishThatIsNotConfirmed(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "before"))
		clear := raise(real)
		result := make(chan error, 1)
		go func() { result <- warren.EnqueueFor(t.Context(), one, "jobs", "held") }()
		brokertest.Later(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := warren.EnqueueFor(ctx, one, "jobs", "waits")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, remote.ErrBlocked)
		_, err = one.Call(ctx, "jobs", warren.Message{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		select {
		case err := <-result:
			t.Fatal("not blocked", err)
		default:
		}
		cut(real)
		err = <-result
		require.ErrorIs(t, err, remote.ErrConnectionLost)
		require.NotErrorIs(t, err, remote.ErrConnection)
		clear()
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "after"))
		require.Equal(t, 2, ready(t, real, "jobs"))
	})
}

func TestABlockedPublishGoesOn(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "before"))
		clear := raise(real)
		results := make(chan error, 10)
		for i := range cap(results) {
			go func() { results <- one.Enqueue(t.Context(), "jobs", warren.Message{Body: make([]byte, 1+i*100)}) }()
		}
		brokertest.Later(time.Minute)
		require.Empty(t, results)
		clear()
		for range cap(results) {
			require.NoError(t, <-results)
		}
		require.Equal(t, 1+cap(results), ready(t, real, "jobs"))
	})
}

// raise holds publishers of a broker back.
func raise(b *warren.Broker) (clear func()) {
	var l link.Broker = b.Link()
	return l.RaiseAlarm(memory.Memory)
}

func TestAPublishWithoutAConnectionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		_ = b
		r, err := remote.Dial(t.Context(), []string{"amqp://guest:guest@localhost/"}, &remote.Options{Dial: srv.Dial})
		require.NoError(t, err)
		var got collected
		s, err := warren.WorkFor(r, "jobs", got.get)
		require.NoError(t, err)
		require.NoError(t, srv.Close())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = r.Publish(ctx, "x", "k", warren.Message{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, remote.ErrConnection)
		require.NoError(t, s.Close(), "it does not wait for a connection")
		_, err = warren.WorkFor(r, "jobs", got.get)
		require.ErrorIs(t, err, remote.ErrConnection)
		waits := make(chan error)
		go func() { waits <- r.Enqueue(t.Context(), "jobs", warren.Message{}) }()
		synctest.Wait()
		require.NoError(t, r.Close())
		require.ErrorIs(t, <-waits, warren.ErrClosed)
		require.ErrorIs(t, r.Publish(t.Context(), "x", "k", warren.Message{}), warren.ErrClosed)
	})
}

// TestASubscriptionEnds in each way that there is. What it did not finish is for others.
func TestASubscriptionEnds(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		for range 5 {
			require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "j"))
		}
		release := make(chan struct{})
		began := make(chan struct{}, 5)
		work := func(context.Context, string) error {
			began <- struct{}{}
			<-release
			return nil
		}
		w, err := warren.WorkFor(two, "jobs", work, warren.WorkOptions{Prefetch: 4})
		require.NoError(t, err)
		<-began
		synctest.Wait()
		require.Equal(t, 1, ready(t, real, "jobs"))
		w.Stop()
		brokertest.Later(time.Second)
		require.Equal(t, 4, ready(t, real, "jobs"), "what was not begun is back at once")
		select {
		case <-w.Done():
			t.Fatal("it waits for the function")
		default:
		}
		close(release)
		require.NoError(t, w.Close())
		require.Equal(t, 4, ready(t, real, "jobs"), "the one was acknowledged before Close returned")

		release, began = make(chan struct{}), make(chan struct{}, 5)
		w, err = warren.WorkFor(two, "jobs", work)
		require.NoError(t, err)
		<-began
		_, err = brokertest.Channel(t, real).QueueDelete("jobs", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		synctest.Wait()
		close(release)
		<-w.Done()
		require.ErrorIs(t, w.Err(), warren.ErrConsumerCancelled)

		w, err = warren.WorkFor(two, "jobs", func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		require.NoError(t, err)
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "j"))
		synctest.Wait()
		require.NoError(t, two.Close())
		require.ErrorIs(t, w.Err(), warren.ErrClosed)
		synctest.Wait()
		require.Equal(t, 1, ready(t, real, "jobs"))
	})
}

// TestAChannelThatTheBrokerClosesIsOpenedAgain closes the channel of a subscription.
func TestAChannelThatTheBrokerClosesIsOpenedAgain(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "j"))
		calls := 0
		o := warren.WorkOptions{QueueOptions: warren.QueueOptions{ConsumerTimeout: time.Second}}
		_, err := brokertest.Channel(t, real).QueueDelete("jobs", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		_, err = warren.WorkFor(two, "jobs", func(context.Context, string) error {
			if calls++; calls == 1 {
				time.Sleep(time.Minute)
			}
			return nil
		}, o)
		require.NoError(t, err)
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "slow", warren.EnqueueOptions{QueueOptions: o.QueueOptions}))
		brokertest.Later(2 * time.Minute)
		require.Equal(t, 2, calls)
		require.Zero(t, ready(t, real, "jobs"))
	})
}
