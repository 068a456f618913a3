package remote_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/remote"
)

var anyURL = []string{"amqp://guest:guest@localhost/"}

// linked makes a link that ends with the test.
func linked(t *testing.T, local remote.Local, dial func(network, addr string) (net.Conn, error), o remote.LinkOptions) *remote.Linked {
	t.Helper()
	o.Dial = dial
	l, err := remote.Link(t.Context(), local, anyURL, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func put(t *testing.T, b *warren.Broker, queue, body string) {
	t.Helper()
	require.NoError(t, b.Enqueue(t.Context(), queue, warren.Message{Body: []byte(body)}))
}

// bodies are those of the messages in a queue.
func bodies(t *testing.T, b *warren.Broker, queue string) []string {
	t.Helper()
	ch, err := b.Channel()
	require.NoError(t, err)
	defer ch.Close()
	return brokertest.Drain(t, ch, queue)
}

func TestALinkMovesMessagesAsTheyAre(t *testing.T) {
	msg := warren.Message{
		Headers: warren.Table{
			"n": int64(1), "b": true, "nil": nil, "bytes": []byte("x"), "decimal": warren.Decimal{Scale: 2, Value: 5},
			"time": time.Unix(7, 0), "float": 1.5, "small": int8(1), "table": warren.Table{"list": []any{"x", warren.Table{"y": int32(2)}}},
		},
		ContentType: "text/plain", ContentEncoding: "none", DeliveryMode: warren.Persistent, Priority: 3, CorrelationId: "c", ReplyTo: "r",
		Expiration: "60000", MessageId: "m", Timestamp: time.Unix(5, 0), Type: "t", UserId: "guest", AppId: "a", Body: []byte("body"),
	}
	rule := remote.LinkRule{Queue: "from", ToQueue: "to"}
	for kind, o := range map[remote.LinkKind]remote.LinkOptions{
		remote.LinkPull: {Pull: []remote.LinkRule{rule}},
		remote.LinkPush: {Push: []remote.LinkRule{rule}},
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here := brokertest.New(t, nil)
				there, srv := brokertest.Serve(t, nil, nil)
				from, to, user := here, there, ""
				if kind == remote.LinkPull {
					from, to, user = there, here, msg.UserId
				}
				require.NoError(t, from.Enqueue(t.Context(), "from", msg))
				l := linked(t, here, srv.Dial, o)
				synctest.Wait()
				ch, err := to.Channel()
				require.NoError(t, err)
				got := brokertest.Take(t, ch, "to").Message
				passed := got.Headers[remote.PassedHeader]
				require.Len(t, passed, 1)
				delete(got.Headers, remote.PassedHeader)
				require.True(t, msg.Timestamp.Equal(got.Timestamp))
				require.True(t, msg.Headers["time"].(time.Time).Equal(got.Headers["time"].(time.Time)))
				want := msg
				want.UserId, want.Timestamp = user, got.Timestamp
				got.Headers["time"] = msg.Headers["time"]
				got.Headers["small"], got.Headers["table"].(warren.Table)["list"].([]any)[1].(warren.Table)["y"] = int8(1), int32(2)
				require.Equal(t, want, got)
				require.Equal(t, []remote.LinkStats{{Kind: kind, Queue: "from", Running: true, Passed: 1}}, l.Stats())
				require.Empty(t, bodies(t, from, "from"))
				require.Zero(t, from.Stats().Unacked)
			})
		})
	}
}

// Messages go with their keys to an exchange of the same name, and come back to no broker
// where they have been.
func TestALinkOfExchangesHasNoLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b", "c"}
		brokers := map[string]*warren.Broker{}
		servers := map[string]*amqp.Server{}
		var mu sync.Mutex
		got := map[string][]string{}
		for _, n := range names {
			brokers[n], servers[n] = brokertest.Serve(t, nil, nil)
			_, err := brokers[n].Subscribe("news", "#", func(_ context.Context, d warren.Delivery) error {
				mu.Lock()
				defer mu.Unlock()
				got[n] = append(got[n], d.RoutingKey+" "+string(d.Body))
				return nil
			})
			require.NoError(t, err)
		}
		var links []*remote.Linked
		for i, n := range names { // a triangle, in both directions
			next := names[(i+1)%3]
			links = append(links, linked(t, brokers[n], servers[next].Dial, remote.LinkOptions{
				Push: []remote.LinkRule{{Queue: "to." + next, Exchange: "news", Key: "#"}},
				Pull: []remote.LinkRule{{Queue: "to." + n, Exchange: "news", Key: "#"}},
			}))
		}
		require.NoError(t, brokers["a"].Publish(t.Context(), "news", "k", warren.Message{Body: []byte("1")}))
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []string{"k 1"}, got["a"])
		require.Len(t, got["b"], 2, "one by each way")
		require.Len(t, got["c"], 2)
		var looped uint64
		for _, l := range links {
			for _, s := range l.Stats() {
				looped += s.Looped
			}
		}
		// To b and c directly and by the other; from each of these back to a and to where it
		// came from.
		require.Equal(t, uint64(6), looped)
	})
}

func TestALoopCanBecomeADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := brokertest.New(t, nil)
		_, srv := brokertest.Serve(t, nil, nil)
		ch, err := here.Channel()
		require.NoError(t, err)
		_, err = ch.QueueDeclare("dead", warren.QueueOptions{})
		require.NoError(t, err)
		_, err = ch.QueueDeclare("q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
		require.NoError(t, err)
		l := linked(t, here, srv.Dial, remote.LinkOptions{
			Elsewhere: "there", Push: []remote.LinkRule{{Queue: "q", RejectLoops: true}},
		})
		list := make([]any, 16)
		for i := range list {
			list[i] = fmt.Sprint(i)
		}
		for _, passed := range [][]any{{"x", "there"}, list, {"x"}} {
			headers := warren.Table{remote.PassedHeader: passed}
			require.NoError(t, here.Enqueue(t.Context(), "q", warren.Message{Headers: headers}))
		}
		synctest.Wait()
		require.Len(t, bodies(t, here, "dead"), 2)
		s := l.Stats()[0]
		require.Equal(t, [2]uint64{2, 1}, [2]uint64{s.Looped, s.Passed})
	})
}

// What a queue does not take stays where it is.
func TestALinkWaitsForAQueueThatIsFull(t *testing.T) {
	rule := []remote.LinkRule{{Queue: "from", ToQueue: "to", Prefetch: 10}}
	for kind, o := range map[remote.LinkKind]remote.LinkOptions{remote.LinkPull: {Pull: rule}, remote.LinkPush: {Push: rule}} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here := brokertest.New(t, nil)
				there, srv := brokertest.Serve(t, nil, nil)
				from, to := here, there
				if kind == remote.LinkPull {
					from, to = there, here
				}
				ch, err := to.Channel()
				require.NoError(t, err)
				_, err = ch.QueueDeclare("to", warren.QueueOptions{MaxLength: 25, Overflow: warren.RejectPublish})
				require.NoError(t, err)
				var want []string
				for i := range 100 {
					want = append(want, fmt.Sprint(i))
					put(t, from, "from", want[i])
				}
				l := linked(t, here, srv.Dial, o)
				var got []string
				for began := time.Now(); len(got) < 100; {
					require.Less(t, time.Since(began), 10*time.Minute)
					time.Sleep(20 * time.Second)
					n := len(bodiesOf(t, ch, "to", &got))
					require.LessOrEqual(t, n, 25)
				}
				require.ElementsMatch(t, want, got, "each once")
				require.ErrorIs(t, l.Stats()[0].Err, warren.ErrNacked)
				require.Equal(t, uint64(100), l.Stats()[0].Passed)
			})
		})
	}
}

// bodiesOf adds what is in a queue to a list.
func bodiesOf(t *testing.T, ch *warren.Channel, queue string, all *[]string) []string {
	got := brokertest.Drain(t, ch, queue)
	*all = append(*all, got...)
	return got
}

// A queue that is deleted loses nothing that was not in it.
func TestALinkToAQueueThatIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := brokertest.New(t, nil)
		there, srv := brokertest.Serve(t, nil, nil)
		l := linked(t, here, srv.Dial, remote.LinkOptions{Push: []remote.LinkRule{{Queue: "from", ToQueue: "to"}}})
		ch, err := there.Channel()
		require.NoError(t, err)
		_, err = ch.QueueDelete("to", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		put(t, here, "from", "x")
		synctest.Wait()
		require.ErrorIs(t, l.Stats()[0].Err, warren.ErrNoRoute)
		require.False(t, l.Stats()[0].Running)
		time.Sleep(time.Second)
		require.True(t, l.Stats()[0].Running)
		require.Equal(t, []string{"x"}, bodies(t, there, "to"))
	})
}

// A message that the other side cannot take does not hold up the others.
func TestALinkRejectsWhatIsRefused(t *testing.T) {
	rule := []remote.LinkRule{{Queue: "from", ToQueue: "to", Prefetch: 10}}
	for kind, o := range map[remote.LinkKind]remote.LinkOptions{remote.LinkPull: {Pull: rule}, remote.LinkPush: {Push: rule}} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				small := &warren.Options{MaxMessageSize: 1000}
				large := &warren.Options{}
				to, from := small, large
				if kind == remote.LinkPull {
					here := brokertest.New(t, to)
					there, srv := brokertest.Serve(t, from, nil)
					refused(t, there, here, func() *remote.Linked { return linked(t, here, srv.Dial, o) })
					return
				}
				there, srv := brokertest.Serve(t, to, nil)
				here := brokertest.New(t, from)
				refused(t, here, there, func() *remote.Linked { return linked(t, here, srv.Dial, o) })
			})
		})
	}
}

func refused(t *testing.T, from, to *warren.Broker, link func() *remote.Linked) {
	ch, err := from.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("dead", warren.QueueOptions{})
	require.NoError(t, err)
	_, err = ch.QueueDeclare("from", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
	require.NoError(t, err)
	var want []string
	for i := range 100 {
		body := fmt.Sprint(i)
		if i%30 == 17 {
			body = strings.Repeat("x", 2000)
		} else {
			want = append(want, body)
		}
		put(t, from, "from", body)
	}
	l := link()
	time.Sleep(time.Minute)
	got := map[string]bool{}
	for _, body := range bodies(t, to, "to") {
		got[body] = true
	}
	for _, body := range want {
		require.True(t, got[body], body)
	}
	require.Len(t, bodies(t, from, "dead"), 3)
	require.Equal(t, uint64(3), l.Stats()[0].Refused)
}

func TestALinkThatCannotBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := brokertest.New(t, nil)
		there, srv := brokertest.Serve(t, nil, nil)
		o := remote.LinkOptions{Push: []remote.LinkRule{{Queue: "q"}}, Pull: []remote.LinkRule{{Queue: "amq.none"}}}
		o.Dial = srv.Dial
		_, err := remote.Link(t.Context(), here, anyURL, o)
		require.ErrorContains(t, err, "pull of queue 'amq.none'")
		_, err = remote.Link(t.Context(), here, nil, o)
		require.Error(t, err)
		require.NoError(t, here.Close())
		_, err = remote.Link(t.Context(), here, anyURL, o)
		require.ErrorIs(t, err, warren.ErrClosed)
		synctest.Wait()
		require.Empty(t, there.Sessions())
	})
}

// Shutdown lets arrive what is on its way, so that nothing comes twice.
func TestALinkShutsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := brokertest.New(t, nil)
		there, srv := brokertest.Serve(t, nil, nil)
		for i := range 1000 {
			put(t, here, "a", fmt.Sprint(i))
			put(t, there, "b", fmt.Sprint(i))
		}
		o := remote.LinkOptions{Push: []remote.LinkRule{{Queue: "a"}}, Pull: []remote.LinkRule{{Queue: "b"}}}
		for range 5 {
			l := linked(t, here, srv.Dial, o)
			require.NoError(t, l.Shutdown(t.Context()))
			for _, s := range l.Stats() {
				require.False(t, s.Running)
				require.ErrorIs(t, s.Err, warren.ErrClosed)
			}
		}
		synctest.Wait()
		require.Len(t, append(bodies(t, here, "a"), bodies(t, there, "a")...), 1000)
		require.Len(t, append(bodies(t, here, "b"), bodies(t, there, "b")...), 1000)
	})
}

// A broker that takes nothing holds up what is for it, and nothing else.
func TestALinkWaitsForMemory(t *testing.T) {
	rules := remote.LinkOptions{
		Push: []remote.LinkRule{{Queue: "a", Prefetch: 10}}, Pull: []remote.LinkRule{{Queue: "b", Prefetch: 10}},
	}
	for _, short := range []string{"here", "there"} {
		t.Run(short, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here := brokertest.New(t, nil)
				there, srv := brokertest.Serve(t, nil, nil)
				for i := range 100 {
					put(t, here, "a", fmt.Sprint(i))
					put(t, there, "b", fmt.Sprint(i))
				}
				full, blocked, free := here, 0, 1
				if short == "there" {
					full, blocked, free = there, 1, 0
				}
				clear := full.Link().RaiseAlarm(memory.Memory)
				defer clear()
				l := linked(t, here, srv.Dial, rules)
				time.Sleep(time.Minute)
				require.Zero(t, l.Stats()[blocked].Passed)
				require.Equal(t, uint64(100), l.Stats()[free].Passed)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				require.ErrorIs(t, l.Shutdown(ctx), context.DeadlineExceeded)
				require.LessOrEqual(t, time.Since(began), time.Minute+10*time.Second, "with a heartbeat, if there is no answer to the close")
				clear()
				l = linked(t, here, srv.Dial, rules)
				time.Sleep(time.Minute)
				for i, got := range [][]string{bodies(t, here, "b"), bodies(t, there, "a")} {
					twice := len(got) - 100 // those on their way at the end, if they were taken in the end
					slices.Sort(got)
					require.Len(t, slices.Compact(got), 100)
					require.LessOrEqual(t, twice, int(l.Stats()[i].Redelivered))
				}
			})
		})
	}
}

func TestQueuesOfALinkAreQuorumQueuesIfAskedFor(t *testing.T) {
	for _, quorum := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			here := brokertest.New(t, nil)
			there, srv := brokertest.Serve(t, nil, nil)
			linked(t, here, srv.Dial, remote.LinkOptions{
				Options: remote.Options{QuorumQueues: quorum},
				Pull:    []remote.LinkRule{{Queue: "pulled"}},
				Push:    []remote.LinkRule{{Queue: "pushed"}},
			})
			for _, queue := range []string{"pulled", "pushed"} {
				q, err := there.VirtualHosts()[0].Queue(queue)
				require.NoError(t, err)
				require.True(t, q.Durable)
				require.Equal(t, quorum, q.Arguments["x-queue-type"] == "quorum")
			}
		})
	}
}
