package warren_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkOthers makes one client do what costs much. It shows how long that took,
// and for how long it held up at most somebody else in the virtual host, who declares
// queues and publishes to them: stall-ms. Run it with -benchtime 1x.
func BenchmarkOthers(b *testing.B) {
	for _, c := range []struct {
		name string
		// prepare returns what is measured.
		prepare func(b *testing.B, broker *warren.Broker) func()
	}{
		{"TopicPatterns1024", publishToPatterns},
		{"Headers1000Keys", publishToHeaders},
		{"ExclusiveQueuesFanout40000", endOfSession(warren.Fanout, "")},
		{"ExclusiveQueuesDirect40000", endOfSession(warren.Direct, "k")},
		{"ExclusiveQueuesTopic40000", endOfSession(warren.Topic, "k.*")},
		{"ExclusiveQueuesHeaders40000", endOfSession(warren.Headers, "")},
		{"DeleteHashBound40000", deleteBound(warren.ConsistentHash)},
		{"DeleteTopicBound40000", deleteBound(warren.Topic)},
		{"DeleteExchange40000", deleteExchange},
		{"ExchangeOf40000Exchanges", publishToExchanges},
		{"DeleteQueueOfMillion", deleteLong},
		{"RequeueMillion", returnMillion(func(b *testing.B, ch *warren.Channel) { must(b, ch.Nack(0, true, true)) })},
		{"CloseWithMillionUnacked", returnMillion(func(_ *testing.B, ch *warren.Channel) { ch.Close() })},
		{"AckMillion", returnMillion(func(b *testing.B, ch *warren.Channel) { must(b, ch.Ack(0, true)) })},
		{"RecoverFrom10000Consumers", recoverMany},
		{"DeadLetters10Queues", deadLetterMesh},
		{"CancelConsumers40000", cancelMany},
		{"HighPriorityBeside40000", deliverByPriority},
	} {
		b.Run(c.name, func(b *testing.B) {
			var total, stall time.Duration
			for range b.N {
				b.StopTimer()
				broker := warren.New(&warren.Options{MemoryLimit: -1})
				work := c.prepare(b, broker)
				b.StartTimer()
				took, longest := beside(b, broker, work)
				b.StopTimer()
				total, stall = total+took, max(stall, longest)
				broker.Close()
			}
			b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), "total-ms")
			b.ReportMetric(float64(stall.Microseconds())/1000, "stall-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// beside runs work, and meanwhile declares queues and publishes to them. It returns
// how long the work took, and the longest of the other operations.
func beside(b *testing.B, broker *warren.Broker, work func()) (took, longest time.Duration) {
	ch := brokertest.Channel(b, broker)
	var ended atomic.Bool
	done := make(chan time.Duration)
	ready := make(chan bool)
	go func() {
		var longest time.Duration
		for i := 0; !ended.Load(); i++ {
			name := fmt.Sprint("other", i%100)
			start := time.Now()
			_, err := ch.QueueDeclare(name, warren.QueueOptions{MaxLength: 1})
			if q, _ := ch.QueueDeclarePassive("busy"); q.Name != "" && err == nil {
				err = ch.Publish(context.Background(), "", "busy", warren.Message{}, warren.PublishOptions{})
			}
			if err == nil {
				err = ch.Publish(context.Background(), "amq.direct", name, warren.Message{}, warren.PublishOptions{})
			}
			longest = max(longest, time.Since(start))
			if err != nil {
				panic(err)
			}
			if i == 100 {
				longest = 0
				close(ready)
			}
			time.Sleep(100 * time.Microsecond)
		}
		done <- longest
	}()
	<-ready
	start := time.Now()
	work()
	took = time.Since(start)
	ended.Store(true)
	return took, <-done
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

// publishToPatterns: one message of 128 words meets 1,024 patterns with many #.
func publishToPatterns(b *testing.B, broker *warren.Broker) func() {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	for i := range 1024 {
		var words []string
		for bit := range 10 {
			words = append(words, []string{"a", "*"}[i>>bit&1])
		}
		pattern := strings.Join(words, ".") + strings.Repeat(".#.a", 58) + ".b"
		must(b, ch.QueueBind("q", pattern, "amq.topic", nil))
	}
	key := strings.Repeat("a.", 127) + "a"
	return func() {
		must(b, ch.Publish(context.Background(), "amq.topic", key, warren.Message{}, warren.PublishOptions{}))
	}
}

// publishToHeaders: a message with 1,000 headers meets 1,000 bindings with as many.
func publishToHeaders(b *testing.B, broker *warren.Broker) func() {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	headers := warren.Table{}
	for i := range 1000 {
		headers[fmt.Sprint("k", i)] = int64(i)
	}
	for i := range 1000 {
		args := warren.Table{"x-match": "all", fmt.Sprint("k", i): int64(-1)}
		for k, v := range headers {
			if _, ok := args[k]; !ok {
				args[k] = v
			}
		}
		must(b, ch.QueueBind("q", "", "amq.headers", args))
	}
	return func() {
		for range 10 {
			must(b, ch.Publish(context.Background(), "amq.headers", "", warren.Message{Headers: headers}, warren.PublishOptions{}))
		}
	}
}

// endOfSession: a session with 40,000 exclusive queues, bound with one key, ends.
func endOfSession(kind warren.ExchangeType, key string) func(*testing.B, *warren.Broker) func() {
	return func(b *testing.B, broker *warren.Broker) func() {
		s, err := broker.Session()
		must(b, err)
		ch, err := s.Channel()
		must(b, err)
		must(b, ch.ExchangeDeclare("x", kind, warren.ExchangeOptions{}))
		for range 40_000 {
			q, err := ch.QueueDeclare("", warren.QueueOptions{Exclusive: true})
			must(b, err)
			must(b, ch.QueueBind(q.Name, key, "x", nil))
		}
		return func() { s.Close() }
	}
}

// deleteBound: a queue is deleted that is bound 40,000 times to an exchange.
func deleteBound(kind warren.ExchangeType) func(*testing.B, *warren.Broker) func() {
	return func(b *testing.B, broker *warren.Broker) func() {
		ch := brokertest.Channel(b, broker)
		brokertest.Queues(b, ch, "q")
		must(b, ch.ExchangeDeclare("x", kind, warren.ExchangeOptions{}))
		for i := range 40_000 {
			must(b, ch.QueueBind("q", fmt.Sprint(i+1), "x", nil))
		}
		return func() {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			must(b, err)
		}
	}
}

// deleteExchange: an exchange is deleted that has 40,000 bindings.
func deleteExchange(b *testing.B, broker *warren.Broker) func() {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	must(b, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{}))
	for i := range 40_000 {
		must(b, ch.QueueBind("q", fmt.Sprint(i+1), "x", nil))
	}
	return func() { must(b, ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{})) }
}

// publishToExchanges: a message meets an exchange that is bound to 40,000 others.
func publishToExchanges(b *testing.B, broker *warren.Broker) func() {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	for i := range 40_000 {
		x := fmt.Sprint("x", i)
		must(b, ch.ExchangeDeclare(x, warren.Fanout, warren.ExchangeOptions{}))
		must(b, ch.QueueBind("q", "", x, nil))
		must(b, ch.ExchangeBind(x, "", "amq.fanout", nil))
	}
	return func() {
		must(b, ch.Publish(context.Background(), "amq.fanout", "", warren.Message{}, warren.PublishOptions{}))
	}
}

// deleteLong: a queue with a million messages is deleted.
func deleteLong(b *testing.B, broker *warren.Broker) func() {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	for range 1_000_000 {
		must(b, ch.Publish(context.Background(), "", "q", warren.Message{}, warren.PublishOptions{}))
	}
	return func() {
		_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		must(b, err)
	}
}

// cancelMany: a channel with 40,000 consumers of one queue cancels them.
func cancelMany(b *testing.B, broker *warren.Broker) func() {
	ch, _ := manyConsumers(b, broker)
	return func() { ch.Close() }
}

// deliverByPriority: a consumer gets 10,000 messages one by one, beside 40,000 of a
// lower priority.
func deliverByPriority(b *testing.B, broker *warren.Broker) func() {
	ch, q := manyConsumers(b, broker)
	acked := make(chan error)
	_, err := ch.ConsumeFunc(q, warren.ConsumeOptions{Priority: 1, Prefetch: 1}, func(_ context.Context, d warren.Delivery) error {
		acked <- d.Ack(false)
		return nil
	})
	must(b, err)
	return func() {
		for range 10_000 {
			must(b, ch.Publish(context.Background(), "", q, warren.Message{}, warren.PublishOptions{}))
			must(b, <-acked)
		}
	}
}

func manyConsumers(b *testing.B, broker *warren.Broker) (*warren.Channel, string) {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	for range 40_000 {
		_, err := ch.Consume("q", warren.ConsumeOptions{NoAck: true})
		must(b, err)
	}
	return ch, "q"
}

// deadLetterMesh: a message dies in one of ten queues that dead-letter to all ten.
func deadLetterMesh(b *testing.B, broker *warren.Broker) func() {
	ch := brokertest.Channel(b, broker)
	must(b, ch.ExchangeDeclare("dlx", warren.Fanout, warren.ExchangeOptions{}))
	for i := range 10 {
		q := fmt.Sprint("q", i)
		brokertest.Queue(b, ch, q, warren.QueueOptions{
			Args: warren.Table{"x-max-length": int64(0)}, DeadLetter: &warren.DeadLetter{Exchange: "dlx"},
		})
		must(b, ch.QueueBind(q, "", "dlx", nil))
	}
	return func() {
		must(b, ch.Publish(context.Background(), "", "q0", warren.Message{}, warren.PublishOptions{}))
		for before := uint64(0); broker.Stats().DeadLettered != before; time.Sleep(time.Millisecond) {
			before = broker.Stats().DeadLettered
		}
	}
}

// returnMillion: a channel ends what it has to do with a million unsettled messages of
// the queue "busy", to which others publish.
func returnMillion(end func(*testing.B, *warren.Channel)) func(*testing.B, *warren.Broker) func() {
	return func(b *testing.B, broker *warren.Broker) func() {
		ch := brokertest.Channel(b, broker)
		brokertest.Queues(b, ch, "busy")
		for range 1_000_000 {
			must(b, ch.Publish(context.Background(), "", "busy", warren.Message{}, warren.PublishOptions{}))
		}
		c, err := ch.Consume("busy", warren.ConsumeOptions{})
		must(b, err)
		for range 1_000_000 {
			_, err := c.Next(context.Background())
			must(b, err)
		}
		must(b, c.Cancel())
		return func() { end(b, ch) }
	}
}

// recoverMany: a channel with an unsettled message of each of 10,000 consumers gets them
// again.
func recoverMany(b *testing.B, broker *warren.Broker) func() {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	for range 10_000 {
		c, err := ch.Consume("q", warren.ConsumeOptions{Prefetch: 1})
		must(b, err)
		must(b, ch.Publish(context.Background(), "", "q", warren.Message{}, warren.PublishOptions{}))
		_, err = c.Next(context.Background())
		must(b, err)
	}
	return func() { must(b, ch.Recover(false)) }
}
