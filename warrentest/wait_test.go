package warrentest_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

// inBubble runs f with a broker in a bubble.
func inBubble(t *testing.T, f func(t *testing.T, b *warrentest.Broker)) {
	synctest.Test(t, func(t *testing.T) { f(t, warrentest.New(t)) })
}

// fails runs f in a bubble with a broker for a test that is to fail, and compares the text
// with which it does.
func fails(t *testing.T, want string, f func(t testing.TB, b *warrentest.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, want, failure(t, func(fake testing.TB) { f(fake, warrentest.New(fake)) }))
	})
}

const hint = "\nIf it only takes longer, give the wait a longer time as its last argument."

// named connects the official client with a name.
func named(t testing.TB, b *warrentest.Broker, name string) *amqp091.Connection {
	t.Helper()
	c := amqp091.Config{}
	if name != "" {
		c.Properties = amqp091.Table{"connection_name": name}
	}
	return brokertest.Dial(t, b.Dial, c)
}

func TestWaitsReturnWhenTheStateComes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		began := time.Now()
		ch := brokertest.Channel(t, b)
		go func() {
			time.Sleep(time.Second)
			brokertest.Queues(t, ch, "q")
			time.Sleep(time.Second)
			brokertest.Fill(t, ch, "q", "1", "2")
		}()
		b.WaitReady("q", 2)
		require.WithinDuration(t, began.Add(2*time.Second), time.Now(), 5*time.Millisecond)

		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		b.WaitConsumers("q", 1)
		b.WaitUnacked("q", 2)
		b.WaitReady("q", 0)
		go func() {
			time.Sleep(7 * time.Second)
			for range 2 {
				d := brokertest.Next(t, c)
				d.Ack(false)
			}
			c.Cancel()
		}()
		b.WaitUnacked("q", 0, 8*time.Second)
		b.WaitConsumers("q", 0)
		b.WaitIdle()

		asked := 0
		b.WaitFor("the third look", func() bool { asked++; return asked == 3 })
		require.Equal(t, 3, asked)
	})
}

func TestAStreamIsReadyToo(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "log", warren.QueueOptions{Durable: true})
		brokertest.Fill(t, ch, "log", "1", "2", "3")
		b.WaitReady("log", 3)
		require.NoError(t, ch.Qos(1, warren.QosOptions{}))
		from := brokertest.Consume(t, ch, "log", warren.ConsumeOptions{Offset: warren.StreamOffset(2)})
		d := brokertest.Next(t, from)
		require.NoError(t, d.Ack(false))
		b.WaitIdle() // though it has messages and a consumer
	})
}

func TestWaitCallsMissesNone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		brokertest.Handle(t, b, "fast", brokertest.Echo)
		for n := 1; n <= 2; n++ {
			_, err := b.Call(t.Context(), "fast", warren.Message{})
			require.NoError(t, err)
			b.WaitCalls("fast", n)
		}
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "slow", gate.Serve)
		call := brokertest.Call(t.Context(), b, "slow", "x")
		b.WaitCalls("slow", 1)
		close(gate.Release)
		_, err := brokertest.Answer(t, call)
		require.NoError(t, err)
	})
}

func TestWaitConnectionsKnowsOfThoseThatHaveGone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		first, second := named(t, b, "first"), named(t, b, "")
		b.WaitConnections(2)
		require.NoError(t, first.Close())
		b.WaitConnections(1)
		require.NoError(t, second.Close())
		b.WaitConnections(0)
	})
}

// TestIdleIsWhenNothingMovesAnyMore lets a message go through many queues, each with a
// consumer that sends it on.
func TestIdleIsWhenNothingMovesAnyMore(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		const queues = 30
		conn := named(t, b, "")
		ch := brokertest.ClientChannel(t, conn)
		for i := range queues {
			_, err := ch.QueueDeclare(strconv.Itoa(i), false, false, false, false, nil)
			require.NoError(t, err)
			if i == queues-1 {
				break
			}
			deliveries, err := ch.Consume(strconv.Itoa(i), "", false, false, false, false, nil)
			require.NoError(t, err)
			go func() {
				for d := range deliveries {
					ch.Publish("", strconv.Itoa(i+1), false, false, amqp091.Publishing{Body: d.Body})
					d.Ack(false)
				}
			}()
		}
		require.NoError(t, ch.Publish("", "0", false, false, amqp091.Publishing{Body: []byte("x")}))
		b.WaitIdle()
		b.RequireMessages(strconv.Itoa(queues-1), "x")
	})
}

func TestAWaitInVainShowsTheQueue(t *testing.T) {
	fails(t, `warrentest: waited 5s in vain for queue 'q' to have 3 ready messages; there is now:
  queue 'q': 2 ready, 0 unacked, no consumers
  queue 'other': 0 ready, 1 unacked, 1 consumer
  queue 'x' of virtual host 'v': 0 ready, 1 unacked, 1 consumer`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			ch := brokertest.Channel(t, b)
			v, err := b.VirtualHostDeclare("v")
			require.NoError(t, err)
			brokertest.Queues(t, ch, "q", "other", "idle")
			brokertest.Fill(t, ch, "q", "1", "2")
			brokertest.Fill(t, ch, "other", "1")
			brokertest.Consume(t, ch, "other", warren.ConsumeOptions{})
			elsewhere := brokertest.Channel(t, v)
			brokertest.Queues(t, elsewhere, "x")
			brokertest.Fill(t, elsewhere, "x", "1")
			brokertest.Consume(t, elsewhere, "x", warren.ConsumeOptions{})
			b.WaitReady("q", 3)
		})
	fails(t, `warrentest: waited 1s in vain for queue 'q' to have no ready messages; there is now:
  queue 'q': 1 ready, 1 unacked, 1 consumer`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
			brokertest.Fill(t, ch, "q", "1", "2")
			b.WaitReady("q", 0, time.Second)
		})
	fails(t, `warrentest: waited 5s in vain for queue 'q' to have 2 consumers; there is now:
  queue 'q': 0 ready, 0 unacked, no consumers`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			brokertest.Queues(t, brokertest.Channel(t, b), "q")
			b.WaitConsumers("q", 2)
		})
	fails(t, `warrentest: waited 5s in vain for queue 'q' to have no unacked messages; there is now:
  queue 'q': 0 ready, 1 unacked, no consumers`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Fill(t, ch, "q", "1")
			brokertest.Take(t, ch, "q")
			b.WaitUnacked("q", 0)
		})
}

func TestAWaitForAnUnknownQueueShowsTheOthers(t *testing.T) {
	fails(t, `warrentest: waited 5s in vain for queue 'ordres' to have 1 ready message; there is now:
  no queue 'ordres', but 'jobs', 'orders'`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			brokertest.Queues(t, brokertest.Channel(t, b), "orders", "jobs")
			b.WaitReady("ordres", 1)
		})
	fails(t, `warrentest: waited 5s in vain for queue 'q' to have 1 unacked message; there is now:
  no queue 'q', nor any other`+hint,
		func(t testing.TB, b *warrentest.Broker) { b.WaitUnacked("q", 1) })
	fails(t, `warrentest: waited 0s in vain for queue 'q' to have 1 unacked message; there is now:
  no queue 'q', but 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'r', 's', 't', 'u', 3 more`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			brokertest.Queues(t, brokertest.Channel(t, b), strings.Split("abcdefghijklmnoprstuvwx", "")...)
			b.WaitUnacked("q", 1, 0)
		})
}

func TestAWaitForCallsInVainShowsWhoServes(t *testing.T) {
	fails(t, `warrentest: waited 5s in vain for queue 'rpc' to have got 3 calls; there is now:
  queue 'rpc': 0 ready, 1 unacked, 2 consumers
  2 requests so far in it, served or not
  a handler of queue 'rpc': serves 0, has served 1
  a handler of queue 'rpc': serves 1, has served 0
  1 call that waits for an answer`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			gate := brokertest.NewGate()
			brokertest.Handle(t, b, "rpc", gate.Serve, warren.HandleOptions{Concurrency: 1})
			brokertest.Call(t.Context(), b, "rpc", "x")
			<-gate.Entered
			brokertest.Handle(t, b, "rpc", brokertest.Echo)
			_, err := b.Call(t.Context(), "rpc", warren.Message{})
			require.NoError(t, err)
			b.WaitCalls("rpc", 3)
		})
}

func TestAWaitForConnectionsInVainShowsThem(t *testing.T) {
	fails(t, `warrentest: waited 5s in vain for 1 connection to be open; there is now:
  connection 'worker' of user 'guest' with 2 channels
  a connection without a name of user 'guest' with no channels`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			worker := named(t, b, "worker")
			brokertest.ClientChannel(t, worker)
			brokertest.ClientChannel(t, worker)
			time.Sleep(time.Second) // the oldest comes first
			named(t, b, "")
			b.WaitConnections(1)
		})
	fails(t, `warrentest: waited 5s in vain for 2 connections to be open; there is now:
  no connection`+hint,
		func(t testing.TB, b *warrentest.Broker) { b.WaitConnections(2) })
}

func TestAConnectionWithASocketShowsItsPort(t *testing.T) {
	text := failure(t, func(t testing.TB) {
		b := warrentest.New(t)
		conn, err := amqp091.Dial(b.URL())
		require.NoError(t, err)
		defer conn.Close()
		b.WaitConnections(2, 0)
	})
	require.Regexp(t, `\n  a connection without a name of user 'guest' from 127\.0\.0\.1:\d+ with no channels\n`, text)
}

func TestAWaitForIdleInVainShowsAllThatIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := failure(t, func(t testing.TB) {
			b := warrentest.New(t, warrentest.Options{Broker: &warren.Options{MemoryLimit: 1 << 20}})
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q", "full")
			brokertest.Handle(t, b, "rpc", brokertest.NewGate().Serve)
			brokertest.Call(t.Context(), b, "rpc", "x")
			synctest.Wait() // the request is there before memory is full
			brokertest.Fill(t, ch, "q", "1", "2")
			brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
			conn := named(t, b, "publisher")
			client := brokertest.ClientChannel(t, conn)
			body := strings.Repeat("x", 400<<10)
			brokertest.Fill(t, ch, "full", body, body)
			require.NoError(t, client.Publish("", "full", false, false, amqp091.Publishing{Body: []byte(body)}))
			brokertest.Blocked(t, t.Context(), brokertest.Channel(t, b), "full", body)
			b.WaitIdle(time.Second)
		})
		require.Equal(t, `warrentest: waited 1s in vain for the broker to be idle; there is now:
  queue 'q': 1 ready, 1 unacked, 1 consumer
  queue 'rpc': 0 ready, 1 unacked, 1 consumer
  a handler of queue 'rpc': serves 1, has served 0
  1 call that waits for an answer
  2 publishers blocked for want of memory
  connection 'publisher' of user 'guest' with 1 channel, blocked: low on memory`+hint, text)
	})
}

func TestAWaitForWhateverSaysWhatItWas(t *testing.T) {
	fails(t, `warrentest: waited 2s in vain for the worker to reconnect; there is now:
  nothing to do: the broker is idle`+hint,
		func(t testing.TB, b *warrentest.Broker) {
			b.WaitFor("the worker to reconnect", func() bool { return false }, 2*time.Second)
		})
}
