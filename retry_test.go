package warren_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// order is an event and a job in these tests.
type order struct{ Number int }

// work subscribes to the queue "jobs".
func work(t testing.TB, s warren.Subscriber, f func(context.Context, order) error, opts ...warren.WorkOptions) *warren.Subscription {
	t.Helper()
	sub, err := warren.WorkFor(s, "jobs", f, opts...)
	require.NoError(t, err)
	return sub
}

// enqueue puts jobs with these numbers into the queue "jobs".
func enqueue(t testing.TB, p warren.Publisher, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		require.NoError(t, warren.EnqueueFor(t.Context(), p, "jobs", order{n}))
	}
}

// queueNames are the names of all queues.
func queueNames(t testing.TB, b *warren.Broker) (names []string) {
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	for _, q := range v.Queues() {
		names = append(names, q.Name)
	}
	return names
}

const second = time.Second

func TestDelaysOfRetries(t *testing.T) {
	for name, test := range map[string]struct {
		retry warren.Retry
		want  []time.Duration // when it is tried
	}{
		"the zero value":              {warren.Retry{}, []time.Duration{0, second, 3 * second, 7 * second, 15 * second}},
		"no retry":                    {warren.Retry{Attempts: 1}, []time.Duration{0}},
		"the same delay":              {warren.Retry{Attempts: 4, Delay: time.Minute, Factor: 1}, []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute}},
		"a longest delay":             {warren.Retry{Attempts: 4, Factor: 10, MaxDelay: 5 * second}, []time.Duration{0, second, 6 * second, 11 * second}},
		"no delay":                    {warren.Retry{Attempts: 3, Delay: -1}, []time.Duration{0, 0, 0}},
		"parts of a millisecond":      {warren.Retry{Attempts: 3, Delay: 100, Factor: 1}, []time.Duration{0, time.Millisecond, 2 * time.Millisecond}},
		"a delay beyond the longest":  {warren.Retry{Attempts: 2, Delay: 2 * time.Hour}, []time.Duration{0, 2 * time.Hour}},
		"a factor beyond all bounds":  {warren.Retry{Attempts: 3, Factor: math.Inf(1)}, []time.Duration{0, second, second + time.Hour}},
		"a longest delay below Delay": {warren.Retry{Attempts: 2, MaxDelay: time.Millisecond}, []time.Duration{0, time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				begin := time.Now()
				var at []time.Duration
				work(t, b, func(ctx context.Context, o order) error {
					at = append(at, time.Since(begin))
					require.Equal(t, len(at), warren.DeliveryFrom(ctx).Attempt())
					return errWork
				}, warren.WorkOptions{Retry: test.retry})
				enqueue(t, b, 1)
				brokertest.Later(24 * time.Hour)
				require.Equal(t, test.want, at)
				require.ElementsMatch(t, []string{"jobs", "jobs.failed"}, queueNames(t, b), "queues for delays have expired")
				require.Equal(t, []string{`{"Number":1}`}, brokertest.Drain(t, brokertest.Channel(t, b), "jobs.failed"))
				require.EqualValues(t, len(test.want), b.Stats().Failed)
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestARetryForEver(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		n := 0
		sub := work(t, b, func(context.Context, order) error {
			if n++; n < 1000 {
				return errWork
			}
			return nil
		}, warren.WorkOptions{Retry: warren.Retry{Attempts: -1, Delay: time.Minute, MaxDelay: time.Minute}})
		enqueue(t, b, 1)
		brokertest.Later(24 * time.Hour)
		require.Equal(t, 1000, n)
		require.Equal(t, []string{"jobs"}, queueNames(t, b))
		require.NoError(t, sub.Err())
		brokertest.Clean(t, b)
	})
}

func TestOthersAreWorkedOnMeanwhile(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var did []string
		work(t, b, func(ctx context.Context, o order) error {
			attempt := warren.DeliveryFrom(ctx).Attempt()
			did = append(did, fmt.Sprintf("%d at attempt %d", o.Number, attempt))
			if o.Number == 1 && attempt == 1 || o.Number == 3 && attempt < 3 {
				return errWork
			}
			return nil
		})
		enqueue(t, b, 1, 2, 3, 4)
		brokertest.Later(second / 2)
		require.Equal(t, []string{"1 at attempt 1", "2 at attempt 1", "3 at attempt 1", "4 at attempt 1"}, did)
		enqueue(t, b, 5)
		brokertest.Later(time.Minute)
		require.Equal(t, []string{"5 at attempt 1", "1 at attempt 2", "3 at attempt 2", "3 at attempt 3"}, did[4:])
		brokertest.Clean(t, b)
	})
}

// The ways in which a subscription's function fails on a job, and what its dead letter says.
var waysToFailOnAJob = map[string]struct {
	f          func(context.Context, order) error
	attempts   int64
	code, text string
}{
	"an error":      {func(context.Context, order) error { return errWork }, 3, "error", "the work failed"},
	"a code":        {func(context.Context, order) error { return &warren.RemoteError{Code: "sold-out", Text: "none left"} }, 3, "sold-out", "warren: the handler failed: sold-out: none left"},
	"a panic":       {func(context.Context, order) error { panic("oh dear") }, 3, "panic", "warren: the handler failed: panic: oh dear"},
	"no retry":      {func(context.Context, order) error { return warren.NoRetry(errWork) }, 1, "error", "the work failed"},
	"no retry here": {func(context.Context, order) error { return fmt.Errorf("at the end: %w", warren.NoRetry(errWork)) }, 1, "error", "at the end: the work failed"},
	"a long text":   {func(context.Context, order) error { return errors.New(strings.Repeat("€", 1000)) }, 3, "error", strings.Repeat("€", 341)},
	"no text":       {func(context.Context, order) error { return errors.New("\xff") }, 3, "error", "\uFFFD"},
}

func TestADeadLetterSaysWhy(t *testing.T) {
	for name, test := range waysToFailOnAJob {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				calls := 0
				work(t, b, func(ctx context.Context, o order) error { calls++; return test.f(ctx, o) },
					warren.WorkOptions{Retry: warren.Retry{Attempts: 3, DeadLetter: "dead"}})
				enqueue(t, b, 1, 2)
				brokertest.Later(time.Hour)
				require.EqualValues(t, 2*test.attempts, calls)
				ch := brokertest.Channel(t, b)
				for n := range 2 {
					d := brokertest.Take(t, ch, "dead")
					require.Equal(t, fmt.Sprintf(`{"Number":%d}`, n+1), string(d.Body))
					require.Equal(t, warren.Table{
						warren.AttemptsHeader: test.attempts, warren.ErrorCodeHeader: test.code, warren.ErrorTextHeader: test.text,
						warren.ExchangeHeader: "", warren.RoutingKeyHeader: "jobs",
					}, d.Headers)
					require.NoError(t, d.Ack(false))
				}
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestWhatCannotBeDecodedIsADeadLetterAtOnce(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var got []int
		work(t, b, func(_ context.Context, o order) error { got = append(got, o.Number); return nil })
		require.NoError(t, b.Enqueue(t.Context(), "jobs", warren.Message{Body: []byte("no JSON")}))
		enqueue(t, b, 2)
		synctest.Wait()
		require.Equal(t, []int{2}, got)
		d := brokertest.Take(t, brokertest.Channel(t, b), "jobs.failed")
		require.Equal(t, "no JSON", string(d.Body))
		require.Equal(t, warren.CodeCodec, d.Headers[warren.ErrorCodeHeader])
		require.Contains(t, d.Headers[warren.ErrorTextHeader], "cannot be decoded")
		require.NoError(t, d.Ack(false))
	})
}

func TestAJobWhoseFunctionEndsItsGoroutineComesAgain(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		first := work(t, b, func(context.Context, order) error { runtime.Goexit(); return nil })
		enqueue(t, b, 1)
		<-first.Done()
		require.ErrorIs(t, first.Err(), warren.ErrClosed)
		var got int
		work(t, b, func(ctx context.Context, o order) error { got = warren.DeliveryFrom(ctx).Attempt(); return nil })
		brokertest.Later(time.Minute)
		require.Equal(t, 2, got)
		brokertest.Clean(t, b)
	})
}

func TestHeadersAndPropertiesAreKept(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		sent := warren.Message{
			Headers: warren.Table{
				"trace": "17", "n": int64(3), "CC": []any{"copies"}, "x-death": []any{}, "x-first-death-queue": "q",
				"x-last-death-reason": "expired", "x-delivery-count": int64(4), warren.DeduplicationHeader: "d",
			},
			ContentType: "text/plain", ContentEncoding: "none", Priority: 3, CorrelationId: "c", Expiration: "36000000",
			MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "t", AppId: "a", ReplyTo: "somewhere",
		}
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "copies")
		var got []warren.Delivery
		_, err := b.Subscribe("events", "order.#", func(ctx context.Context, d warren.Delivery) error {
			require.Equal(t, d, *warren.DeliveryFrom(ctx))
			got = append(got, d)
			return errWork
		}, warren.SubscribeOptions{Queue: "jobs", Retry: warren.Retry{Attempts: 2, Delay: time.Hour}})
		require.NoError(t, err)
		require.NoError(t, ch.QueueBind("copies", "copies", "events", nil))
		require.NoError(t, warren.PublishFor(t.Context(), b, "events", "order.paid", order{1}, warren.EventOptions{Properties: sent}))
		brokertest.Later(2 * time.Hour)
		require.Len(t, got, 2)
		require.Equal(t, 1, brokertest.Ready(t, ch, "copies"), "only the event itself goes there")
		require.Len(t, brokertest.Drain(t, ch, "copies"), 1)
		dead := brokertest.Take(t, ch, "jobs.failed")
		for _, d := range append(got, dead) {
			require.Equal(t, `{"Number":1}`, string(d.Body))
			require.Equal(t, "17", d.Headers["trace"])
			require.Equal(t, int64(3), d.Headers["n"])
			d.Headers, d.Body, d.Expiration = nil, nil, ""
			want := sent
			want.Headers, want.Expiration, want.DeliveryMode = nil, "", warren.Persistent
			require.Equal(t, want, d.Message)
		}
		for _, d := range got {
			require.Equal(t, [2]string{"events", "order.paid"}, [2]string{d.Exchange, d.RoutingKey}, "also when it comes again")
		}
		require.Equal(t, warren.Table{
			"trace": "17", "n": int64(3), warren.AttemptsHeader: int64(2), warren.ErrorCodeHeader: "error",
			warren.ErrorTextHeader: "the work failed", warren.ExchangeHeader: "events", warren.RoutingKeyHeader: "order.paid",
		}, dead.Headers)
		require.NoError(t, dead.Ack(false))
		brokertest.Clean(t, b)
	})
}

func TestACopyIsNoDuplicate(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		for i, header := range []string{"", "id"} {
			n, calls := 0, 0
			o := warren.WorkOptions{QueueOptions: warren.QueueOptions{Deduplicate: &warren.Deduplication{Header: header}}}
			queue := fmt.Sprint("jobs", i)
			_, err := warren.WorkFor(b, queue, func(context.Context, order) error { calls++; return errWork }, o)
			require.NoError(t, err)
			headers := warren.Table{"id": "7", warren.DeduplicationHeader: "7"}
			for range 2 {
				err := warren.EnqueueFor(t.Context(), b, queue, order{1}, warren.EnqueueOptions{Properties: warren.Message{Headers: headers}})
				if n++; n == 2 {
					require.ErrorIs(t, err, warren.ErrNoRoute, "a duplicate is returned")
				} else {
					require.NoError(t, err)
				}
			}
			brokertest.Later(time.Hour)
			require.Equal(t, 5, calls, "header %q", header)
		}
	})
}

func TestRetriesThatHaveNoMeaning(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		long := strings.Repeat("x", 240)
		for want, r := range map[string]warren.Retry{
			"PRECONDITION_FAILED - a retry's factor of 0.5 is less than 1":           {Factor: 0.5},
			"PRECONDITION_FAILED - a retry's factor of NaN is less than 1":           {Factor: math.NaN()},
			"PRECONDITION_FAILED - a retry's longest delay of -1s is negative":       {MaxDelay: -second},
			"PRECONDITION_FAILED - a retry's longest delay of 744h0m0s exceeds 720h": {MaxDelay: 31 * 24 * time.Hour},
			"dead letter queue name of 480 bytes exceeds 255":                        {DeadLetter: long + long},
		} {
			_, err := b.Work("jobs", func(context.Context, warren.Delivery) error { return nil }, warren.WorkOptions{Retry: r})
			require.ErrorContains(t, err, want)
		}
		_, err := b.Work(long, func(context.Context, warren.Delivery) error { return nil })
		require.ErrorContains(t, err, "delay queue name of 257 bytes exceeds 255")
		require.Empty(t, queueNames(t, b))
		require.Empty(t, b.Sessions(), "what has failed leaves nothing")
		require.NoError(t, warren.NoRetry(nil))
	})
}
