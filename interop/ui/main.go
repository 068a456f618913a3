// Ui runs a broker with its pages under a prefix, for the browser test: with handlers
// and calls in the same program, and with users beside guest: watcher, who has the
// tag monitoring and may enter the virtual host, and nobody, who has no tag. The test's clients do the rest over AMQP.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/management"
)

var (
	amqpAddr = flag.String("amqp", "127.0.0.1:0", "where AMQP clients connect")
	httpAddr = flag.String("http", "127.0.0.1:0", "where the pages are, under /broker/")
	dir      = flag.String("dir", "", "the directory for what is durable")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("ui: ", err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context) error {
	b, err := warren.Open(*dir, nil)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := errors.Join(b.UserDeclare("watcher", "secret", "monitoring"), b.UserDeclare("nobody", "secret")); err != nil {
		return err
	}
	v, err := b.VirtualHost(warren.DefaultVirtualHost)
	if err != nil {
		return err
	}
	if err := v.PermissionsSet("watcher", warren.Permissions{}); err != nil {
		return err
	}
	clients := amqp.NewServer(b, nil)
	defer clients.Close()
	if err := clients.Listen(*amqpAddr); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *httpAddr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/broker/", http.StripPrefix("/broker", management.NewHandler(b, &management.Options{Servers: []*amqp.Server{clients}, NodeName: "warren@localhost"})))
	pages := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	defer pages.Close()

	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := serveShop(b); err != nil {
		return err
	}
	wg.Go(func() { call(ctx, b) })
	wg.Go(func() {
		<-ctx.Done()
		pages.Close()
	})
	fmt.Printf("amqp://%s/ http://%s/broker/\n", clients.Addr(), l.Addr())
	if err := pages.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// quote is a request to the handlers.
type quote struct{ Article int }

// serveShop begins the handlers: one is quick, one is slow, one fails at times.
func serveShop(b *warren.Broker) error {
	answer := func(queue string, takes time.Duration, every int, code string) error {
		_, err := warren.HandleFor(b, queue, func(ctx context.Context, q quote) (int, error) {
			wait := time.NewTimer(takes * time.Duration(1+q.Article%7) / 4)
			defer wait.Stop()
			select {
			case <-wait.C:
			case <-ctx.Done():
				return 0, ctx.Err()
			}
			if every > 0 && q.Article%every == 0 {
				return 0, &warren.RemoteError{Code: code, Text: fmt.Sprintf("article %d is not for sale", q.Article)}
			}
			return q.Article * 3, nil
		}, warren.HandleOptions{Concurrency: 8})
		return err
	}
	return errors.Join(answer("rpc.price", time.Millisecond, 0, ""), answer("rpc.stock", 30*time.Millisecond, 0, ""), answer("rpc.reserve", 8*time.Millisecond, 9, "sold-out"))
}

// call asks the handlers until ctx ends.
func call(ctx context.Context, b *warren.Broker) {
	var wg sync.WaitGroup
	for i, queue := range []string{"rpc.price", "rpc.price", "rpc.stock", "rpc.reserve"} {
		wg.Go(func() {
			tick := time.NewTicker(time.Duration(6+5*i) * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
				_, err := warren.CallFor[int](ctx, b, queue, quote{Article: n})
				if err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "not for sale") {
					log.Print("a call: ", err)
				}
			}
		})
	}
	wg.Wait()
}
