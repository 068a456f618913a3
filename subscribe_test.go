package warren_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// seen are the numbers of the events that some subscription got.
type seen struct {
	mu   sync.Mutex
	list []int
}

func (s *seen) order(_ context.Context, o order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, o.Number)
	return nil
}

// numbers are those it has got, in order.
func (s *seen) numbers() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.list))
}

// subscribe subscribes to the exchange "events".
func subscribe(t testing.TB, s warren.Subscriber, pattern string, f func(context.Context, order) error, opts ...warren.SubscribeOptions) *warren.Subscription {
	t.Helper()
	sub, err := warren.SubscribeFor(s, "events", pattern, f, opts...)
	require.NoError(t, err)
	return sub
}

func publish(t testing.TB, p warren.Publisher, key string, number int) {
	t.Helper()
	require.NoError(t, warren.PublishFor(t.Context(), p, "events", key, order{number}))
}

func TestEventsReachThoseWhoSubscribedToTheirKeys(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		publish(t, b, "order.new", 0) // nobody has subscribed: it is dropped
		var all, paid, one, other seen
		subscribe(t, b, "#", all.order)
		subscribe(t, b, "*.paid", paid.order, warren.SubscribeOptions{Queue: "billing"})
		subscribe(t, b, "order.*", one.order, warren.SubscribeOptions{Queue: "shared"})
		subscribe(t, b, "order.*", other.order, warren.SubscribeOptions{Queue: "shared"})
		for n := range 10 {
			publish(t, b, []string{"order.new", "order.paid"}[n%2], n)
			synctest.Wait()
		}
		publish(t, b, "stock", 10)
		synctest.Wait()
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, all.numbers())
		require.Equal(t, []int{1, 3, 5, 7, 9}, paid.numbers())
		require.Len(t, one.numbers(), 5)
		require.Len(t, other.numbers(), 5)
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, slices.Sorted(slices.Values(append(one.list, other.list...))))
		brokertest.Clean(t, b)
	})
}

func TestASubscriptionsOwnQueueEndsWithIt(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var got seen
		own := subscribe(t, b, "#", func(ctx context.Context, o order) error { return errors.Join(got.order(ctx, o), errWork) })
		require.Equal(t, []string{own.Queue()}, queueNames(t, b))
		publish(t, b, "k", 1)
		synctest.Wait()
		require.Len(t, queueNames(t, b), 2, "it has a queue for the delay")
		ch := brokertest.Channel(t, b)
		require.NoError(t, own.Close())
		require.Empty(t, queueNames(t, b))
		require.ErrorIs(t, own.Err(), warren.ErrClosed)

		got.list = nil
		dropped := subscribe(t, b, "#", func(ctx context.Context, o order) error { return errors.Join(got.order(ctx, o), errWork) })
		publish(t, b, "k", 2)
		brokertest.Later(time.Hour)
		require.Equal(t, []int{2, 2, 2, 2, 2}, got.numbers())
		require.Equal(t, []string{dropped.Queue()}, queueNames(t, b), "it has no dead letters")

		named := warren.SubscribeOptions{Retry: warren.Retry{Attempts: 1, DeadLetter: "dead"}}
		kept := subscribe(t, b, "#", func(context.Context, order) error { return errWork }, named)
		publish(t, b, "k", 3)
		brokertest.Later(time.Hour)
		require.NoError(t, kept.Close())
		require.NoError(t, dropped.Close())
		require.Equal(t, []string{`{"Number":3}`}, brokertest.Drain(t, ch, "dead"), "unless they ask for it")
		brokertest.Clean(t, b)
	})
}

func TestASharedQueueCollectsWhileNobodySubscribes(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		o := warren.SubscribeOptions{Queue: "mails"}
		var got seen
		require.NoError(t, subscribe(t, b, "#", got.order, o).Close())
		publish(t, b, "k", 1)
		require.Empty(t, got.numbers())
		subscribe(t, b, "#", got.order, o)
		synctest.Wait()
		require.Equal(t, []int{1}, got.numbers())
		brokertest.Clean(t, b)
	})
}

func TestPublishAndSubscribeDeclareWhatIsMissing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, err := b.VirtualHost("/")
		require.NoError(t, err)
		publish(t, b, "k", 1)
		x, err := v.Exchange("events")
		require.NoError(t, err)
		require.Equal(t, warren.Topic, x.Type)
		require.True(t, x.Durable)

		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.ExchangeDeclare("mine", warren.Fanout, warren.ExchangeOptions{}))
		var got seen
		_, err = warren.SubscribeFor(b, "mine", "ignored", got.order)
		require.NoError(t, err, "what exists is used as it is")
		require.NoError(t, warren.PublishFor(t.Context(), b, "mine", "k", order{1}))
		synctest.Wait()
		require.Equal(t, []int{1}, got.numbers())

		err = warren.PublishFor(t.Context(), b, "events", "nobody", order{1}, warren.EventOptions{Mandatory: true})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		err = warren.PublishFor(t.Context(), b, "amq.mine", "k", order{1})
		require.ErrorIs(t, err, warren.ErrAccessRefused)
		_, err = warren.SubscribeFor(b, "amq.mine", "k", got.order)
		require.ErrorIs(t, err, warren.ErrAccessRefused)
		_, err = warren.SubscribeFor(b, "", "k", got.order)
		require.ErrorIs(t, err, warren.ErrAccessRefused)

		enqueue(t, b, 1)
		q, err := v.Queue("jobs")
		require.NoError(t, err)
		require.True(t, q.Durable)
		require.Equal(t, 1, q.Ready)
		require.ErrorIs(t, warren.EnqueueFor(t.Context(), b, "amq.jobs", order{1}), warren.ErrAccessRefused)
		require.Len(t, b.Sessions(), 3, "of publishers there is one")
	})
}

func TestAQueueThatExistsWithOtherOptions(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "jobs", warren.QueueOptions{Durable: true, MaxLength: 7})
		f := func(context.Context, order) error { return nil }
		for name, test := range map[string]struct {
			o    warren.WorkOptions
			text string
		}{
			"limit":     {warren.WorkOptions{}, "inequivalent arg 'x-max-length'"},
			"transient": {warren.WorkOptions{Transient: true, QueueOptions: warren.QueueOptions{MaxLength: 7}}, "inequivalent arg 'durable'"},
		} {
			_, err := warren.WorkFor(b, "jobs", f, test.o)
			conflict, ok := errors.AsType[*warren.QueueConflictError](err)
			require.True(t, ok, name)
			require.Equal(t, "jobs", conflict.Queue)
			require.ErrorIs(t, err, warren.ErrPreconditionFailed)
			require.ErrorContains(t, err, test.text)
			require.ErrorContains(t, err, "delete the queue")
			_, err = warren.SubscribeFor(b, "events", "#", f, warren.SubscribeOptions{Queue: "jobs", QueueOptions: test.o.QueueOptions, Transient: test.o.Transient})
			require.ErrorAs(t, err, &conflict)
		}
		enqueue(t, b, 1)
		work(t, b, f, warren.WorkOptions{QueueOptions: warren.QueueOptions{MaxLength: 7}})
		synctest.Wait()
		require.Zero(t, brokertest.Ready(t, ch, "jobs"), "with the options that it has it goes")

		brokertest.Queue(t, brokertest.Channel(t, b), "mine", warren.QueueOptions{Exclusive: true})
		_, err := warren.WorkFor(b, "mine", f)
		require.ErrorIs(t, err, warren.ErrResourceLocked)
		conflict, ok := errors.AsType[*warren.QueueConflictError](err)
		require.True(t, ok)
		require.Equal(t, "mine", conflict.Queue)

		_, err = warren.WorkFor(b, "bad", f, warren.WorkOptions{QueueOptions: warren.QueueOptions{Args: warren.Table{"x-max-length": "no number"}}})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		require.False(t, errors.As(err, &conflict), "%v is no conflict", err)
	})
}

func TestSubscriptionsThatHaveNoMeaning(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		f := func(context.Context, order) error { return nil }
		for _, try := range []func() (*warren.Subscription, error){
			func() (*warren.Subscription, error) { return warren.WorkFor[order](b, "jobs", nil) },
			func() (*warren.Subscription, error) { return warren.SubscribeFor[order](b, "events", "#", nil) },
			func() (*warren.Subscription, error) { return warren.WorkFor(b, "", f) },
			func() (*warren.Subscription, error) {
				return warren.WorkFor(b, "jobs", f, warren.WorkOptions{Concurrency: -1})
			},
			func() (*warren.Subscription, error) {
				return warren.WorkFor(b, "jobs", f, warren.WorkOptions{Prefetch: 1 << 16})
			},
			func() (*warren.Subscription, error) {
				return warren.WorkFor(b, "jobs", f, warren.WorkOptions{QueueOptions: warren.QueueOptions{Exclusive: true}})
			},
			func() (*warren.Subscription, error) {
				return warren.WorkFor(b, "jobs", f, warren.WorkOptions{QueueOptions: warren.QueueOptions{AutoDelete: true}})
			},
			func() (*warren.Subscription, error) {
				return warren.WorkFor(b, "jobs", f, warren.WorkOptions{QueueOptions: warren.QueueOptions{Type: warren.Stream}})
			},
		} {
			_, err := try()
			require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		}
		require.Empty(t, b.Sessions())
		err := warren.EnqueueFor(t.Context(), b, "jobs", func() {})
		require.ErrorContains(t, err, "encode the job for queue 'jobs'")
		err = warren.PublishFor(t.Context(), b, "events", "k", func() {})
		require.ErrorContains(t, err, "encode the event 'k' for exchange 'events'")
		require.NoError(t, b.Close())
		_, err = warren.WorkFor(b, "jobs", f)
		require.ErrorIs(t, err, warren.ErrClosed)
		require.ErrorIs(t, warren.EnqueueFor(t.Context(), b, "jobs", order{}), warren.ErrClosed)
		require.ErrorIs(t, warren.PublishFor(t.Context(), b, "events", "k", order{}), warren.ErrClosed)
	})
}

// gobs is a codec other than JSON.
type gobs struct{}

func (gobs) ContentType() string { return "application/x-gob" }

func (gobs) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (gobs) Unmarshal(body []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(body)).Decode(v)
}

func TestAnotherCodec(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var got seen
		work(t, b, func(ctx context.Context, o order) error {
			require.Equal(t, "application/x-gob", warren.DeliveryFrom(ctx).ContentType)
			return got.order(ctx, o)
		}, warren.WorkOptions{Codec: gobs{}})
		require.NoError(t, warren.EnqueueFor(t.Context(), b, "jobs", order{1}, warren.EnqueueOptions{Codec: gobs{}}))
		subscribe(t, b, "#", func(ctx context.Context, o order) error {
			require.Equal(t, "own", warren.DeliveryFrom(ctx).ContentType)
			return got.order(ctx, o)
		}, warren.SubscribeOptions{Codec: gobs{}})
		require.NoError(t, warren.PublishFor(t.Context(), b, "events", "k", order{2},
			warren.EventOptions{Codec: gobs{}}, warren.EventOptions{Properties: warren.Message{ContentType: "own"}}))
		synctest.Wait()
		require.Equal(t, []int{1, 2}, got.numbers())
		brokertest.Clean(t, b)
	})
}

func TestAJobWithADelay(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		begin := time.Now()
		came := make(map[int]time.Duration)
		want := make(map[int]time.Duration)
		for n, delay := range []time.Duration{
			0, -1, 1, time.Millisecond, 999 * time.Millisecond, time.Second, 1001 * time.Millisecond, 61234 * time.Millisecond, 30 * 24 * time.Hour,
		} {
			require.NoError(t, warren.EnqueueFor(t.Context(), b, "jobs", order{n}, warren.EnqueueOptions{Delay: delay}))
			want[n] = delay
		}
		want[1], want[2], want[6], want[7] = 0, time.Millisecond, 1010*time.Millisecond, 61300*time.Millisecond
		want[8] = 2_600_000 * time.Second // 2,592,000 seconds have more than three digits
		work(t, b, func(ctx context.Context, o order) error {
			came[o.Number] = time.Since(begin)
			require.Equal(t, 1, warren.DeliveryFrom(ctx).Attempt())
			return nil
		})
		brokertest.Later(60 * 24 * time.Hour)
		require.Equal(t, want, came)
		require.Equal(t, []string{"jobs"}, queueNames(t, b))
		err := warren.EnqueueFor(t.Context(), b, "jobs", order{}, warren.EnqueueOptions{Delay: 31 * 24 * time.Hour})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		err = warren.EnqueueFor(t.Context(), b, strings.Repeat("x", 250), order{}, warren.EnqueueOptions{Delay: 1})
		require.ErrorContains(t, err, "delay queue name")
		brokertest.Clean(t, b)
	})
}

func TestADelayOfARetriedJobKeepsItsPlaceInTime(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		n := 0
		var at time.Duration
		begin := time.Now()
		work(t, b, func(ctx context.Context, o order) error {
			if n++; n < 3 {
				return errWork
			}
			at = time.Since(begin)
			return nil
		}, warren.WorkOptions{Retry: warren.Retry{Delay: time.Second, Factor: 1}})
		require.NoError(t, warren.EnqueueFor(t.Context(), b, "jobs", order{1}, warren.EnqueueOptions{Delay: time.Second}))
		brokertest.Later(time.Minute)
		require.Equal(t, 3*time.Second, at, "the same queue delays it three times")
		brokertest.Clean(t, b)
	})
}

func TestConcurrencyOfASubscription(t *testing.T) {
	for name, test := range map[string]struct {
		o    warren.WorkOptions
		most int
	}{
		"one":      {warren.WorkOptions{}, 1},
		"three":    {warren.WorkOptions{Concurrency: 3}, 3},
		"prefetch": {warren.WorkOptions{Concurrency: 5, Prefetch: 2}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				var mu sync.Mutex
				running, most := 0, 0
				did := 0
				f := func(context.Context, order) error {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					running--
					did++
					mu.Unlock()
					return nil
				}
				for n := range 12 {
					enqueue(t, b, n)
				}
				sub := work(t, b, f, test.o)
				tally := func() (int, int) {
					mu.Lock()
					defer mu.Unlock()
					return did, most
				}
				brokertest.Later(time.Duration(12/test.most)*time.Second - time.Millisecond)
				n, at := tally()
				require.Equal(t, test.most, at, "at the same time")
				require.Equal(t, 12-test.most, n)
				brokertest.Later(time.Millisecond)
				n, _ = tally()
				require.Equal(t, 12, n)
				require.NoError(t, sub.Close())
			})
		})
	}
}

func TestFailuresAreLogged(t *testing.T) {
	var log logText
	brokertest.RunWith(t, &warren.Options{Logger: log.logger(slog.LevelWarn)}, func(t *testing.T, b *warren.Broker) {
		work(t, b, func(context.Context, order) error { return errWork }, warren.WorkOptions{Retry: warren.Retry{Attempts: 2}})
		_, err := b.Subscribe("events", "#", func(context.Context, warren.Delivery) error { panic(fmt.Sprint("oh", " dear")) },
			warren.SubscribeOptions{Retry: warren.Retry{Attempts: 1}})
		require.NoError(t, err)
		enqueue(t, b, 1)
		brokertest.Later(time.Minute)
		publish(t, b, "k", 1)
		synctest.Wait()
		require.EqualValues(t, 3, b.Stats().Failed)
	})
	text := log.String()
	for _, want := range []string{
		`msg="consumer failed" vhost=/ queue=jobs error="attempt 1: the work failed; it comes again in 1s" requeued=false`,
		`msg="consumer failed" vhost=/ queue=jobs error="attempt 2: the work failed; it goes to queue 'jobs.failed'" requeued=false`,
		`msg="subscription panicked" vhost=/ queue=subscription-`,
		`error="attempt 1: warren: the handler failed: panic: oh dear; it is dropped" requeued=false`,
	} {
		require.Contains(t, text, want)
	}
}

func TestInterceptorsStandAroundASubscriptionsFunction(t *testing.T) {
	var saw []string
	note := func(who string) func(warren.DeliveryFunc) warren.DeliveryFunc {
		return func(next warren.DeliveryFunc) warren.DeliveryFunc {
			return func(ctx context.Context, d warren.Delivery) error {
				attempt := warren.DeliveryFrom(ctx).Attempt()
				saw = append(saw, fmt.Sprint(who, attempt))
				if who == "broker" && attempt == 1 {
					return errWork // it never calls next
				}
				err := next(ctx, d)
				saw = append(saw, fmt.Sprint(err))
				return err
			}
		}
	}
	o := &warren.Options{Intercept: warren.Interceptors{Consume: []func(warren.DeliveryFunc) warren.DeliveryFunc{note("broker")}}}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		work(t, b, func(ctx context.Context, o order) error {
			if warren.DeliveryFrom(ctx).Attempt() == 2 {
				return errWork
			}
			return nil
		}, warren.WorkOptions{Intercept: []func(warren.DeliveryFunc) warren.DeliveryFunc{note("first"), note("second")}})
		enqueue(t, b, 1)
		brokertest.Later(time.Minute)
		require.Equal(t, []string{
			"broker1",
			"broker2", "first2", "second2", "the work failed", "the work failed", "the work failed",
			"broker3", "first3", "second3", "<nil>", "<nil>", "<nil>",
		}, saw)
		require.EqualValues(t, 2, b.Stats().Failed)
		brokertest.Clean(t, b)
	})
}
