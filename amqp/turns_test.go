package amqp_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// fill publishes n messages of size octets to a queue.
func fill(t *testing.T, ch *warren.Channel, queue string, n, size int) {
	for range n {
		require.NoError(t, ch.Publish(t.Context(), "", queue, warren.Message{Body: make([]byte, size)}, warren.PublishOptions{}))
	}
}

// nextTag reads up to the next delivery, and returns the consumer's tag and the delivery
// tag.
func (r *rawClient) nextTag() (consumer string, tag uint64) {
	r.t.Helper()
	for {
		if m, ok := r.method(r.nextFrame()).(*wire.BasicDeliver); ok {
			consumer = string(m.ConsumerTag) // it is in the reader's buffer
			r.content()
			return consumer, m.DeliveryTag
		}
	}
}

// positions reads deliveries until it has n of one consumer, and returns the numbers of
// the first and the last of them. The next delivery is number 1.
func (r *rawClient) positions(consumer string, n int) (first, last int) {
	r.t.Helper()
	for n > 0 {
		last++
		if c, _ := r.nextTag(); c == consumer {
			if first == 0 {
				first = last
			}
			n--
		}
	}
	return first, last
}

// TestAFullConnectionHoldsBackAllItsChannels: one message for the queues of many channels
// is written once to a client that does not read.
func TestAFullConnectionHoldsBackAllItsChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 16 << 10})
		ch := brokertest.Channel(t, b)
		defer ch.Close()
		const channels = 100
		r := openRaw(t, srv)
		for i := range channels {
			name := fmt.Sprint("q", i)
			brokertest.Queues(t, ch, name)
			require.NoError(t, ch.QueueBind(name, "", "amq.fanout", nil))
			r.send(uint16(i+1), &wire.ChannelOpen{}, &wire.BasicConsume{Queue: []byte(name), NoAck: true})
			expect[*wire.ChannelOpenOk](r)
			expect[*wire.BasicConsumeOk](r)
		}
		require.NoError(t, ch.Publish(t.Context(), "amq.fanout", "", warren.Message{Body: make([]byte, 100<<10)}, warren.PublishOptions{}))
		synctest.Wait()
		require.Equal(t, channels-1, b.Stats().Ready)
		for range channels { // it reads: nothing is lost
			r.nextTag()
		}
		require.Zero(t, b.Stats().Ready)
		r.hangUp()
	})
}

// TestASharedPrefetchGoesRoundTheQueues: the first message of the second queue is the
// one after those that the first consumer has got alone.
func TestASharedPrefetchGoesRoundTheQueues(t *testing.T) {
	for _, limit := range []int{1, 4, 10} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, srv := brokertest.Serve(t, nil, nil)
				ch := brokertest.Channel(t, b)
				defer ch.Close()
				r := rawChannel(t, srv)
				r.send(1, &wire.BasicQos{PrefetchCount: uint16(limit), Global: true})
				for name, n := range map[string]int{"long": 2000, "short": 20, "third": 20} {
					brokertest.Queues(t, ch, name)
					fill(t, ch, name, n, 10)
				}
				for _, name := range []string{"long", "short", "third"} {
					r.send(1, &wire.BasicConsume{Queue: []byte(name), ConsumerTag: []byte(name)})
				}
				first, last := map[string]int{}, map[string]int{}
				for i := 1; i <= 2040; i++ {
					consumer, tag := r.nextTag()
					if first[consumer] == 0 {
						first[consumer] = i
					}
					last[consumer] = i
					r.send(1, &wire.BasicAck{DeliveryTag: tag})
				}
				require.Equal(t, 1, first["long"])
				require.Equal(t, limit+1, first["short"])
				require.Equal(t, limit+2, first["third"])
				require.Less(t, last["short"], 3*20+2*limit+5)
				require.Less(t, last["third"], 3*20+2*limit+5)
				r.hangUp()
			})
		})
	}
}

// TestASlowReaderGetsItsQueuesInTurn: when the buffer is full of the messages of a long
// queue, a short one has its turns.
func TestASlowReaderGetsItsQueuesInTurn(t *testing.T) {
	const short, soon = 100, 300
	type consume struct {
		channel  uint16
		queue    string
		prefetch uint16
		stream   bool
	}
	for name, c := range map[string][2]consume{
		"one channel":      {{1, "long", 0, false}, {1, "short", 0, false}},
		"two channels":     {{1, "long", 0, false}, {2, "short", 0, false}},
		"prefetches":       {{1, "long", 60000, false}, {1, "short", 200, false}},
		"with and without": {{1, "long", 60000, false}, {1, "short", 0, false}},
		"a long stream":    {{1, "long", 60000, true}, {1, "short", 0, false}},
		"a short stream":   {{1, "long", 0, false}, {2, "short", 60000, true}},
		"two streams":      {{1, "long", 60000, true}, {1, "short", 60000, true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 16 << 10})
				ch := brokertest.Channel(t, b)
				defer ch.Close()
				r := rawChannel(t, srv)
				r.send(2, &wire.ChannelOpen{})
				expect[*wire.ChannelOpenOk](r)
				for i, n := range []int{5000, short} {
					if c[i].stream {
						brokertest.Stream(t, ch, c[i].queue, warren.QueueOptions{})
					} else {
						brokertest.Queues(t, ch, c[i].queue)
					}
					fill(t, ch, c[i].queue, n, 20)
					r.send(c[i].channel, &wire.BasicQos{PrefetchCount: c[i].prefetch})
					m := wire.BasicConsume{Queue: []byte(c[i].queue), ConsumerTag: []byte(c[i].queue), NoAck: c[i].prefetch == 0}
					if c[i].stream {
						m.Arguments = wire.Table{"x-stream-offset": "first"}
					}
					r.send(c[i].channel, &m)
					synctest.Wait() // for the first, buffers are full now
				}
				for { // what was in the buffers before the second consumer began
					m := r.method(r.nextFrame())
					if _, ok := m.(*wire.BasicDeliver); ok {
						r.content()
					}
					if ok, is := m.(*wire.BasicConsumeOk); is && string(ok.ConsumerTag) == "short" {
						break
					}
				}
				_, last := r.positions("short", short)
				require.LessOrEqual(t, last, soon)
				r.conn.Close()
			})
		})
	}
}

// TestConsumersOfAPausedChannelStartInTurn: channel.flow lets all go at the same time.
func TestConsumersOfAPausedChannelStartInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		ch := brokertest.Channel(t, b)
		defer ch.Close()
		r := rawChannel(t, srv)
		r.send(1, &wire.ChannelFlow{})
		for _, name := range []string{"long", "short"} {
			brokertest.Queues(t, ch, name)
			r.send(1, &wire.BasicConsume{Queue: []byte(name), ConsumerTag: []byte(name), NoAck: true})
		}
		fill(t, ch, "long", 19000, 10)
		fill(t, ch, "short", 100, 10)
		r.send(1, &wire.ChannelFlow{Active: true})
		first, last := r.positions("short", 100)
		require.LessOrEqual(t, first, 20)
		require.LessOrEqual(t, last, 300)
		r.conn.Close()
	})
}

// TestNobodyIsForgotten has a client with many consumers of all kinds that reads now
// and then, while others publish: in the end it has got everything.
func TestNobodyIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queues, each, channels = 12, 200, 3
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Buffer: 4 << 10})
		r := rawChannel(t, srv)
		for n := uint16(2); n <= channels; n++ {
			r.send(n, &wire.ChannelOpen{})
			expect[*wire.ChannelOpenOk](r)
		}
		r.send(2, &wire.BasicQos{PrefetchCount: 3, Global: true})
		r.send(3, &wire.BasicQos{PrefetchCount: 5})
		setup := brokertest.Channel(t, b)
		defer setup.Close()
		for i := range queues {
			name := fmt.Sprint("q", i)
			brokertest.Queues(t, setup, name)
			for n := uint16(1); n <= channels; n++ {
				r.send(n, &wire.BasicConsume{Queue: []byte(name), NoAck: n == 1 && i%2 == 0})
			}
		}
		var publishers sync.WaitGroup
		for i := range queues {
			publishers.Go(func() {
				ch := brokertest.Channel(t, b)
				defer ch.Close()
				random := rand.New(rand.NewPCG(uint64(i), 1))
				for range each {
					body := make([]byte, random.IntN(600))
					if err := ch.Publish(t.Context(), "", fmt.Sprint("q", i), warren.Message{Body: body}, warren.PublishOptions{}); err != nil {
						t.Error(err)
					}
					if random.IntN(10) == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		random := rand.New(rand.NewPCG(1, 2))
		for got := 0; got < queues*each; {
			m, channel := r.next()
			d, ok := m.(*wire.BasicDeliver)
			if !ok {
				continue
			}
			r.content()
			got++
			if channel != 1 { // on the first channel there is no prefetch
				r.send(channel, &wire.BasicAck{DeliveryTag: d.DeliveryTag})
			}
			if random.IntN(50) == 0 {
				time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
			}
		}
		publishers.Wait()
		synctest.Wait()
		require.Zero(t, b.Stats().Ready)
		r.conn.Close()
	})
}
