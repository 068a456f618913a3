package management_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// look asks once a second for what the overview and the list of queues of a page ask for,
// which is five times as often, until stop is called.
func look(tb testing.TB, h http.Handler) (stop func()) {
	ask := func() {
		benchAsk(tb, h, "/api/overview?msg_rates_age=60&msg_rates_incr=5&lengths_age=60&lengths_incr=5")
		benchAsk(tb, h, "/api/nodes")
		benchAsk(tb, h, "/api/queues?page=1&page_size=100")
	}
	ask()
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				ask()
			}
		}
	}()
	return func() { close(done); <-over }
}

// BenchmarkLooked measures messages and calls of a broker alone, with a handler that
// nobody asks, and with one that a page asks.
func BenchmarkLooked(b *testing.B) {
	work := map[string]func(b *testing.B, broker *warren.Broker){"publish-consume": publishConsume, "call": call}
	for _, name := range []string{"publish-consume", "call"} {
		b.Run(name+"/alone", func(b *testing.B) {
			work[name](b, brokertest.New(b, nil))
		})
		b.Run(name+"/mounted", func(b *testing.B) {
			broker := brokertest.New(b, nil)
			management.NewHandler(broker, nil)
			work[name](b, broker)
		})
		b.Run(name+"/looked-at", func(b *testing.B) {
			broker := brokertest.New(b, nil)
			defer look(b, management.NewHandler(broker, nil))()
			work[name](b, broker)
		})
	}
}

func publishConsume(b *testing.B, broker *warren.Broker) {
	ch := brokertest.Channel(b, broker)
	brokertest.Queues(b, ch, "q")
	c := brokertest.Consume(b, ch, "q", warren.ConsumeOptions{NoAck: true})
	msg := warren.Message{Body: []byte("sixteen byte msg")}
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for range b.N {
			if err := ch.Publish(ctx, "", "q", msg, warren.PublishOptions{}); err != nil {
				b.Error(err)
			}
		}
	}()
	n := 0
	for range c.Deliveries(ctx) {
		if n++; n == b.N {
			return
		}
	}
}

func call(b *testing.B, broker *warren.Broker) {
	brokertest.Handle(b, broker, "echo", brokertest.Echo)
	msg := warren.Message{Body: []byte("sixteen byte msg")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := broker.Call(context.Background(), "echo", msg); err != nil {
			b.Fatal(err)
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
