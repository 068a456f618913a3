// Peer is the broker that the clients of this directory are tried against. In
// process it serves the queue price, and calls what clients serve: a request to
// the queue caller is the name of a queue and a number of calls.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("peer: ", err)
	}
}

func run(ctx context.Context) error {
	b := warren.New(nil)
	defer b.Close()
	if _, err := b.Handle("price", double); err != nil {
		return err
	}
	_, err := b.Handle("caller", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		var queue string
		var n int
		if _, err := fmt.Sscan(string(req.Body), &queue, &n); err != nil {
			return warren.Message{}, err
		}
		return warren.Message{Body: []byte("ok")}, callAll(ctx, b, queue, n)
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := amqp.NewServer(b, nil)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	fmt.Printf("amqp://guest:guest@%s/\n", l.Addr())
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(last); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, amqp.ErrServerClosed) {
		return err
	}
	return b.Shutdown(last)
}

func double(_ context.Context, req *warren.Request) (warren.Message, error) {
	n, err := strconv.Atoi(string(req.Body))
	return warren.Message{Body: []byte(strconv.Itoa(2 * n))}, err
}

// callAll calls the queue n times with a number, and wants its double.
func callAll(ctx context.Context, b *warren.Broker, queue string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for i := range n {
		reply, err := b.Call(ctx, queue, warren.Message{Body: []byte(strconv.Itoa(i))})
		if err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
		if want := strconv.Itoa(2 * i); string(reply.Body) != want {
			return fmt.Errorf("the reply to %d is %q", i, reply.Body)
		}
	}
	return nil
}
