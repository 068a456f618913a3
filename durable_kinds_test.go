package warren_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// messageKinds are kinds of messages that survive, with what is known of them.
func messageKinds() []durableKind {
	properties := warren.Message{
		Headers: warren.Table{
			"text": "é", "octets": []byte{0, 255}, "time": time.Unix(1234567890, 0).UTC(), "list": []any{int64(1), warren.Table{"deep": true}},
			"decimal": warren.Decimal{Scale: 2, Value: -5}, "number": int64(-4), "nil": nil, "float": 0.5,
		},
		ContentType: "a", ContentEncoding: "b", DeliveryMode: warren.Persistent, Priority: 200, CorrelationId: "c", ReplyTo: "d", Expiration: "3600000",
		MessageId: "e", Timestamp: time.Unix(1234567890, 0), Type: "f", AppId: "g", Body: []byte("body\x00"),
	}
	return []durableKind{
		{
			name:   "a message with all properties",
			before: queueNamed("q", warren.QueueOptions{Durable: true}),
			create: func(t testing.TB, b *warren.Broker) { confirmed(t, b, "amq.direct", "key", "q", properties) },
			remove: purged("q"),
			exists: onlyMessage("q", func(t testing.TB, d warren.Delivery) {
				require.Equal(t, []string{"amq.direct", "key"}, []string{d.Exchange, d.RoutingKey})
				got := d.Message
				got.Timestamp = time.Unix(got.Timestamp.Unix(), 0)
				require.Equal(t, properties, got)
			}),
		},
		{
			name:   "the places of messages",
			before: queueNamed("q", warren.QueueOptions{Durable: true}),
			create: func(t testing.TB, b *warren.Broker) {
				for i := range 5 {
					confirmed(t, b, "", "q", "q", warren.Message{Body: []byte(fmt.Sprint(i)), DeliveryMode: warren.Persistent})
				}
				require.Equal(t, brokertest.Numbers(0, 4), looked(t, b, "q"))
				ch := channelOf(t, b, "/")
				first, second := brokertest.Take(t, ch, "q"), brokertest.Take(t, ch, "q")
				require.NoError(t, second.Ack(false))
				require.NoError(t, first.Nack(false, true))
				synced(t, b)
			},
			remove: purged("q"),
			exists: func(t testing.TB, b *warren.Broker) bool {
				bodies := looked(t, b, "q")
				if len(bodies) == 0 {
					return false
				}
				require.Equal(t, []string{"0", "2", "3", "4"}, bodies)
				return true
			},
		},
		{
			name:   "priorities",
			before: queueNamed("q", warren.QueueOptions{Durable: true, MaxPriority: 9}),
			create: func(t testing.TB, b *warren.Broker) {
				for _, p := range []uint8{1, 9, 0, 9, 5} {
					confirmed(t, b, "", "q", "q", warren.Message{Body: []byte(fmt.Sprint(p)), Priority: p, DeliveryMode: warren.Persistent})
				}
			},
			remove: purged("q"),
			exists: func(t testing.TB, b *warren.Broker) bool {
				bodies := looked(t, b, "q")
				if len(bodies) == 0 {
					return false
				}
				require.Equal(t, []string{"9", "9", "5", "1", "0"}, bodies)
				return true
			},
		},
		{
			name:   "a count of deliveries",
			before: queueNamed("q", warren.QueueOptions{Durable: true, DeliveryLimit: 1000}),
			create: func(t testing.TB, b *warren.Broker) {
				confirmed(t, b, "", "q", "q", warren.Message{DeliveryMode: warren.Persistent})
				for range 3 {
					requeue(t, b, "q")
				}
				synced(t, b)
			},
			remove: purged("q"),
			exists: onlyMessage("q", func(t testing.TB, d warren.Delivery) {
				require.GreaterOrEqual(t, d.Headers["x-delivery-count"], int64(3), "each look counts, too")
				require.True(t, d.Redelivered)
			}),
		},
		{
			name:   "that a message was delivered before",
			before: queueNamed("q", warren.QueueOptions{Durable: true}),
			create: func(t testing.TB, b *warren.Broker) {
				confirmed(t, b, "", "q", "q", warren.Message{DeliveryMode: warren.Persistent})
				requeue(t, b, "q")
				synced(t, b)
			},
			remove: purged("q"),
			exists: onlyMessage("q", func(t testing.TB, d warren.Delivery) { require.True(t, d.Redelivered) }),
		},
		{
			name: "a dead letter with its history",
			before: func(t testing.TB, b *warren.Broker) {
				queueNamed("dead", warren.QueueOptions{Durable: true})(t, b)
				queueNamed("q", warren.QueueOptions{Durable: true, DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})(t, b)
			},
			create: func(t testing.TB, b *warren.Broker) {
				confirmed(t, b, "", "q", "q", warren.Message{DeliveryMode: warren.Persistent})
				d := brokertest.Take(t, channelOf(t, b, "/"), "q")
				require.NoError(t, d.Reject(false))
				synced(t, b)
			},
			remove: purged("dead"),
			exists: func(t testing.TB, b *warren.Broker) bool {
				require.Empty(t, looked(t, b, "q"))
				return onlyMessage("dead", func(t testing.TB, d warren.Delivery) {
					deaths := d.Headers["x-death"].([]any)
					require.Len(t, deaths, 1)
					death := deaths[0].(warren.Table)
					require.Equal(t, []any{"q", "rejected", int64(1)}, []any{death["queue"], death["reason"], death["count"]})
				})(t, b)
			},
		},
		{
			name: "a stream",
			create: func(t testing.TB, b *warren.Broker) {
				queueNamed("s", warren.QueueOptions{Type: warren.Stream, Durable: true})(t, b)
				for i := range 4 {
					confirmed(t, b, "", "s", "s", warren.Message{Body: []byte(fmt.Sprint(i)), Headers: warren.Table{"x-stream-filter-value": fmt.Sprint(i % 2)}})
				}
			},
			remove: func(t testing.TB, b *warren.Broker) {
				_, err := channelOf(t, b, "/").QueueDelete("s", warren.QueueDeleteOptions{})
				require.NoError(t, err)
			},
			exists: func(t testing.TB, b *warren.Broker) bool {
				ch := channelOf(t, b, "/")
				if _, err := ch.QueueDeclarePassive("s"); !isThere(t, err) {
					return false
				}
				for _, read := range []struct {
					o    warren.ConsumeOptions
					want []int64
				}{
					{warren.ConsumeOptions{Offset: warren.StreamFirst()}, []int64{0, 1, 2, 3}},
					{warren.ConsumeOptions{Offset: warren.StreamOffset(2)}, []int64{2, 3}},
					{warren.ConsumeOptions{Offset: warren.StreamSince(time.Hour)}, []int64{0, 1, 2, 3}},
					{warren.ConsumeOptions{Offset: warren.StreamFirst(), Filter: []string{"1"}}, []int64{1, 3}},
				} {
					read.o.Prefetch = 10
					c := brokertest.Consume(t, ch, "s", read.o)
					var got []warren.Delivery
					for range read.want {
						d, err := c.Next(t.Context())
						require.NoError(t, err)
						got = append(got, d)
					}
					require.Equal(t, read.want, offsetsOf(t, got))
					require.NoError(t, c.Cancel())
				}
				return true
			},
		},
		{
			name: "a delayed message",
			create: func(t testing.TB, b *warren.Broker) {
				ch := channelOf(t, b, "/")
				require.NoError(t, ch.Confirm())
				laterExchange(t, ch)
				putLater(t, ch, "q", "late", time.Hour)
			},
			remove: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, channelOf(t, b, "/").ExchangeDelete("later", warren.ExchangeDeleteOptions{}))
			},
			exists: func(t testing.TB, b *warren.Broker) bool { return b.Stats().Delayed == 1 },
		},
		{
			name: "that what is transient is gone",
			before: func(t testing.TB, b *warren.Broker) {
				queueNamed("q", warren.QueueOptions{Durable: true})(t, b)
				queueNamed("t", warren.QueueOptions{Durable: true})(t, b)
			},
			create: func(t testing.TB, b *warren.Broker) {
				confirmed(t, b, "", "t", "t", warren.Message{Body: []byte("transient")})
				confirmed(t, b, "", "q", "q", warren.Message{DeliveryMode: warren.Persistent})
			},
			remove: purged("q"),
			exists: func(t testing.TB, b *warren.Broker) bool {
				require.Empty(t, looked(t, b, "t"))
				return len(looked(t, b, "q")) == 1
			},
		},
	}
}

// queueNamed declares a queue, which amq.direct sends messages with the key "key".
func queueNamed(name string, o warren.QueueOptions) func(t testing.TB, b *warren.Broker) {
	return func(t testing.TB, b *warren.Broker) {
		ch := channelOf(t, b, "/")
		brokertest.Queue(t, ch, name, o)
		require.NoError(t, ch.QueueBind(name, "key", "amq.direct", nil))
	}
}

// confirmed publishes a message and waits for the confirm.
func confirmed(t testing.TB, b *warren.Broker, exchange, key, queue string, msg warren.Message) {
	t.Helper()
	ch := channelOf(t, b, "/")
	require.NoError(t, ch.Confirm())
	require.NoError(t, ch.Publish(t.Context(), exchange, key, msg, warren.PublishOptions{Mandatory: true}), queue)
}

// synced returns when all that was settled before is on disk, too.
func synced(t testing.TB, b *warren.Broker) {
	t.Helper()
	brokertest.Queue(t, channelOf(t, b, "/"), "synced", warren.QueueOptions{Durable: true})
	confirmed(t, b, "", "synced", "synced", warren.Message{DeliveryMode: warren.Persistent})
	_, err := channelOf(t, b, "/").QueueDelete("synced", warren.QueueDeleteOptions{})
	require.NoError(t, err)
}

// purged purges a queue for good.
func purged(queue string) func(t testing.TB, b *warren.Broker) {
	return func(t testing.TB, b *warren.Broker) {
		_, err := channelOf(t, b, "/").QueuePurge(queue)
		require.NoError(t, err)
		synced(t, b)
	}
}

// requeue lets the first message of a queue be delivered and return.
func requeue(t testing.TB, b *warren.Broker, queue string) {
	t.Helper()
	d := brokertest.Take(t, channelOf(t, b, "/"), queue)
	require.NoError(t, d.Nack(false, true))
}

// looked returns the bodies of a queue, and leaves all in it.
func looked(t testing.TB, b *warren.Broker, queue string) (bodies []string) {
	t.Helper()
	ch := channelOf(t, b, "/")
	for {
		d, ok, err := ch.Get(queue, false)
		require.NoError(t, err)
		if !ok {
			require.NoError(t, ch.Close())
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

// onlyMessage looks at the message of a queue, which has one at most.
func onlyMessage(queue string, look func(t testing.TB, d warren.Delivery)) func(t testing.TB, b *warren.Broker) bool {
	return func(t testing.TB, b *warren.Broker) bool {
		ch := channelOf(t, b, "/")
		d, ok, err := ch.Get(queue, false)
		require.NoError(t, err)
		if !ok {
			return false
		}
		look(t, d)
		require.Zero(t, d.MessageCount)
		require.NoError(t, ch.Close())
		return true
	}
}

// killedVariable has the directory in which the test's program, which is a child then,
// makes one of each durable kind, before it is killed.
const killedVariable = "WARREN_TEST_KILLED"

// TestWhatWasAnsweredSurvivesAKill kills a process that has brokers with all durable
// kinds, each as soon as it was answered. The kernel has what was written, so this shows
// that nothing waits in the process.
func TestWhatWasAnsweredSurvivesAKill(t *testing.T) {
	if dir := os.Getenv(killedVariable); dir != "" {
		makeAllKinds(t, dir)
		return
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestWhatWasAnsweredSurvivesAKill$")
	child.Env = append(os.Environ(), killedVariable+"="+dir)
	child.Stderr = os.Stderr
	_, err := child.StdinPipe()
	require.NoError(t, err)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		ready = lines.Text() == "ready"
		if !ready {
			t.Log(lines.Text())
		}
	}
	if ready {
		_, err = warren.Open(filepath.Join(dir, "0"), nil)
		var locked *warren.LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, child.Process.Pid, locked.PID, "the child has the directory")
	}
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.True(t, ready, "the child has made all")
	for i, k := range allKinds() {
		t.Run(k.name, func(t *testing.T) {
			for range 2 {
				b, err := warren.Open(filepath.Join(dir, fmt.Sprint(i)), nil)
				require.NoError(t, err)
				require.True(t, k.exists(t, b))
				require.NoError(t, b.Close())
			}
		})
	}
}

func allKinds() []durableKind { return append(durableKinds(), messageKinds()...) }

// makeAllKinds is what the child does: it never returns if all is well.
func makeAllKinds(t *testing.T, dir string) {
	for i, k := range allKinds() {
		b, err := warren.Open(filepath.Join(dir, fmt.Sprint(i)), nil)
		require.NoError(t, err)
		if k.before != nil {
			k.before(t, b)
		}
		k.create(t, b)
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin) // until the parent ends, at the latest
}
