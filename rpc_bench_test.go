package warren_test

import (
	"context"
	"sync"
	"testing"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// floorCall is the cheapest call through a goroutine that can be written by
// hand: a request channel, and reply channels from a pool.
type floorCall struct {
	body  []byte
	reply chan []byte
}

func floorServer(workers int) (call func([]byte) []byte, stop func()) {
	requests := make(chan floorCall)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for r := range requests {
				r.reply <- r.body
			}
		})
	}
	pool := sync.Pool{New: func() any { return make(chan []byte, 1) }}
	call = func(body []byte) []byte {
		reply := pool.Get().(chan []byte)
		requests <- floorCall{body, reply}
		answer := <-reply
		pool.Put(reply)
		return answer
	}
	return call, func() { close(requests); wg.Wait() }
}

func benchBroker(b *testing.B) *warren.Broker {
	broker := warren.New(nil)
	b.Cleanup(func() { broker.Close() })
	if _, err := broker.Handle("echo", brokertest.Echo); err != nil {
		b.Fatal(err)
	}
	return broker
}

var body16 = []byte("sixteen byte msg")

func BenchmarkCall(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		call, stop := floorServer(1)
		defer stop()
		b.ReportAllocs()
		for b.Loop() {
			call(body16)
		}
	})
	b.Run("warren", func(b *testing.B) {
		broker := benchBroker(b)
		msg := warren.Message{Body: body16}
		ctx := context.Background()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := broker.Call(ctx, "echo", msg); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("warren-cancellable", func(b *testing.B) {
		broker := benchBroker(b)
		msg := warren.Message{Body: body16}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := broker.Call(ctx, "echo", msg); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// inParallel runs b's iterations in n goroutines.
func inParallel(b *testing.B, n int, f func()) {
	b.ReportAllocs()
	var wg sync.WaitGroup
	for i := range n {
		share := b.N / n
		if i == 0 {
			share += b.N % n
		}
		wg.Go(func() {
			for range share {
				f()
			}
		})
	}
	wg.Wait()
}

func BenchmarkCall64(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		call, stop := floorServer(64)
		defer stop()
		b.ResetTimer()
		inParallel(b, 64, func() { call(body16) })
	})
	b.Run("warren", func(b *testing.B) {
		broker := benchBroker(b)
		msg := warren.Message{Body: body16}
		ctx := context.Background()
		b.ResetTimer()
		inParallel(b, 64, func() {
			if _, err := broker.Call(ctx, "echo", msg); err != nil {
				b.Error(err)
			}
		})
	})
}
