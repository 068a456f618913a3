package management_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/management"
)

// benchAsk sends a GET as guest from this machine and wants 200.
func benchAsk(tb testing.TB, h http.Handler, path string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:40000", "127.0.0.1:15672"
	r.SetBasicAuth("guest", "guest")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusOK {
		tb.Errorf("GET %s: %d", path, w.Code)
	}
}

// BenchmarkLooked measures messages and calls of a broker alone, with a handler that
// nobody asks, and with one that is asked once a second, five times as often as a page
// asks, for what the overview and the list of queues need. A second one alone shows how
// far two that do the same are apart. Each round measures all four, in another order. It
// reports medians, of ratios to the first one of the same round.
func BenchmarkLooked(b *testing.B) {
	for _, w := range []struct {
		name  string
		begin func(*testing.B, *warren.Broker) (work func(n int))
		n     int // takes about a second
	}{{"publish-consume", publishConsume, 10_000_000}, {"call", call, 1_000_000}} {
		b.Run(w.name, func(b *testing.B) {
			names := []string{"alone", "again", "mounted", "looked-at"}
			times := make([][]float64, len(names))
			for round := 0; b.Loop(); round++ {
				for i := range names {
					i = (i + round) % len(names)
					times[i] = append(times[i], benchWork(b, names[i], w.begin, w.n))
				}
			}
			reportRatios(b, names, times)
		})
	}
}

// benchWork returns how many nanoseconds each of n operations of a new broker takes.
func benchWork(b *testing.B, way string, begin func(*testing.B, *warren.Broker) func(int), n int) float64 {
	broker := warren.New(nil)
	defer broker.Close()
	look := func() {}
	if way == "mounted" || way == "looked-at" {
		handler := management.NewHandler(broker, nil)
		if way == "looked-at" {
			look = func() { benchLook(b, handler) }
			look() // from now on it watches
		}
	}
	work := begin(b, broker)
	work(n / 100)
	var looks sync.WaitGroup
	start := time.Now()
	looks.Go(look)
	work(n)
	took := time.Since(start)
	looks.Wait()
	return float64(took) / float64(n)
}

// reportRatios reports the median of the first times, and of the others as ratios to the
// first of the same round.
func reportRatios(b *testing.B, names []string, times [][]float64) {
	median := func(values []float64) float64 {
		slices.Sort(values)
		return values[len(values)/2]
	}
	for i := 1; i < len(names); i++ {
		for round := range times[i] {
			times[i][round] /= times[0][round]
		}
		b.ReportMetric(median(times[i]), names[i]+"/"+names[0])
	}
	b.ReportMetric(median(times[0]), "ns/"+names[0])
	b.ReportMetric(0, "ns/op")
}

// benchLook asks for what the overview and the list of queues of a page ask for.
func benchLook(tb testing.TB, h http.Handler) {
	benchAsk(tb, h, "/api/overview?msg_rates_age=60&msg_rates_incr=5&lengths_age=60&lengths_incr=5")
	benchAsk(tb, h, "/api/nodes")
	benchAsk(tb, h, "/api/queues?page=1&page_size=100")
}

func publishConsume(b *testing.B, broker *warren.Broker) (work func(n int)) {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	c := brokertest.Consume(b, ch, "q", warren.ConsumeOptions{NoAck: true})
	msg := warren.Message{Body: []byte("sixteen byte msg")}
	ctx := context.Background()
	return func(n int) {
		var publisher sync.WaitGroup
		publisher.Go(func() {
			for range n {
				if err := ch.Publish(ctx, "", "q", msg, warren.PublishOptions{}); err != nil {
					b.Error(err)
				}
			}
		})
		got := 0
		for range c.Deliveries(ctx) {
			if got++; got == n {
				break
			}
		}
		publisher.Wait()
	}
}

func call(b *testing.B, broker *warren.Broker) (work func(n int)) {
	brokertest.Handle(b, broker, "echo", brokertest.Echo)
	msg := warren.Message{Body: []byte("sixteen byte msg")}
	return func(n int) {
		for range n {
			if _, err := broker.Call(context.Background(), "echo", msg); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkList asks for lists of 10,000 queues.
func BenchmarkList(b *testing.B) {
	broker := brokertest.New(b, nil)
	ch := brokertest.Channel(b, broker)
	for i := range 10_000 {
		brokertest.Queues(b, ch, fmt.Sprint("queue-", i))
	}
	h := management.NewHandler(broker, nil)
	for _, path := range []string{"/api/queues", "/api/queues?page=1&page_size=100", "/api/queues?columns=name,messages", "/api/overview"} {
		b.Run(path[len("/api/"):], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				benchAsk(b, h, path)
			}
		})
	}
}
