package talk_test

import (
	"context"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

const (
	benchWindow = 1000
	benchBody   = "sixteen letters."
)

// benchClient is a broker, and a channel of a client that is connected by TCP.
func benchClient(b *testing.B) (*warren.Broker, *amqp091.Channel) {
	broker := warren.New(nil)
	b.Cleanup(func() { broker.Close() })
	srv := amqp.NewServer(broker, nil)
	b.Cleanup(func() { srv.Close() })
	require.NoError(b, srv.Listen("127.0.0.1:0"))
	conn, err := amqp091.Dial("amqp://guest:guest@" + srv.Addr().String())
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(b, err)
	return broker, ch
}

// BenchmarkClientConsumes is what BenchmarkClientReadsAStream is compared with: the same
// client consumes from a queue.
func BenchmarkClientConsumes(b *testing.B) {
	broker, ch := benchClient(b)
	_, err := ch.QueueDeclare("queue", false, false, false, false, nil)
	require.NoError(b, err)
	require.NoError(b, ch.Qos(benchWindow, 0, false))
	messages, err := ch.Consume("queue", "", false, false, false, false, nil)
	require.NoError(b, err)
	s, err := broker.Session()
	require.NoError(b, err)
	publisher, err := s.Channel()
	require.NoError(b, err)
	b.ResetTimer()
	go func() {
		for range b.N {
			publisher.Publish(context.Background(), "", "queue", warren.Message{Body: []byte(benchBody)}, warren.PublishOptions{})
		}
	}()
	for n := 1; n <= b.N; n++ {
		d := <-messages
		if n%(benchWindow/2) == 0 {
			d.Ack(true)
		}
	}
}

// BenchmarkClientReadsAStream: a client calls a stream of this process.
func BenchmarkClientReadsAStream(b *testing.B) {
	broker, ch := benchClient(b)
	_, err := broker.HandleStream("items", func(context.Context, *warren.Request, seq) seq {
		return func(yield func(warren.Message, error) bool) {
			for n := 0; n < b.N && yield(warren.Message{Body: []byte(benchBody)}, nil); n++ {
			}
		}
	})
	require.NoError(b, err)
	replies, err := ch.Consume(replyTo, "", true, false, false, false, nil)
	require.NoError(b, err)
	say := func(key string, headers table) {
		ch.Publish("", key, false, false, amqp091.Publishing{ReplyTo: replyTo, CorrelationId: "1", Headers: headers})
	}
	b.ResetTimer()
	say("items", table{"x-warren-stream": int32(benchWindow)})
	for n := 0; n < b.N; {
		d := <-replies
		if d.Headers["x-warren-item"] == nil {
			continue
		}
		if n++; n%(benchWindow/2) == 0 {
			say(d.ReplyTo, table{"x-warren-credit": int32(benchWindow / 2)})
		}
	}
}

// BenchmarkClientPublishes is what BenchmarkClientServesAStream is compared with: the
// same client publishes to a queue of a consumer of this process.
func BenchmarkClientPublishes(b *testing.B) {
	broker, ch := benchClient(b)
	_, err := ch.QueueDeclare("queue", false, false, false, false, nil)
	require.NoError(b, err)
	s, err := broker.Session()
	require.NoError(b, err)
	reader, err := s.Channel()
	require.NoError(b, err)
	c, err := reader.Consume("queue", warren.ConsumeOptions{NoAck: true})
	require.NoError(b, err)
	b.ResetTimer()
	go func() {
		for range b.N {
			ch.Publish("", "queue", false, false, amqp091.Publishing{Body: []byte(benchBody)})
		}
	}()
	for range b.N {
		if _, err := c.Next(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClientServesAStream: this process calls a stream of a client.
func BenchmarkClientServesAStream(b *testing.B) {
	broker, ch := benchClient(b)
	_, err := ch.QueueDeclare("items", false, false, false, false, nil)
	require.NoError(b, err)
	requests, err := ch.Consume("items", "", true, false, false, false, nil)
	require.NoError(b, err)
	credits, err := ch.Consume(replyTo, "", true, false, false, false, nil)
	require.NoError(b, err)
	go func() {
		d := <-requests
		say := func(headers table, body string) {
			ch.Publish("", d.ReplyTo, false, false, amqp091.Publishing{ReplyTo: replyTo, CorrelationId: d.CorrelationId, Headers: headers, Body: []byte(body)})
		}
		say(table{"x-warren-credit": int32(0)}, "")
		credit := d.Headers["x-warren-stream"].(int64)
		for n := range b.N {
			if credit == 0 {
				more, _ := (<-credits).Headers["x-warren-credit"].(int64)
				credit += more
			}
			credit--
			say(table{"x-warren-item": int64(n + 1)}, benchBody)
		}
		say(table{"x-warren-end": int64(b.N)}, "")
	}()
	b.ResetTimer()
	read := 0
	for _, err := range broker.CallStream(context.Background(), "items", warren.Message{}, nil, warren.CallOptions{Window: benchWindow}) {
		if err != nil {
			b.Fatal(err)
		}
		read++
	}
	require.Equal(b, b.N, read)
}
