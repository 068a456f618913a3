// Talk is a program with a broker inside, which talks to a program in another
// language: interop/pika/talk.py. It serves calls and streams, by the queues go.*, and
// it calls the other's queues when it is told to, by a call of try.*, which fails
// unless everything is as it should be.
//
// It prints its address, and runs until SIGINT or SIGTERM.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

var (
	addr = flag.String("addr", "127.0.0.1:0", "where to listen; port 0 takes a free one")
	dir  = flag.String("dir", "", "the directory for what is durable; without one all is in memory")
)

// exposed lets the other side see what was wrong.
var exposed = warren.HandleOptions{ExposeErrors: true}

func main() {
	log.SetFlags(0)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("talk: ", err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context) error {
	b, err := open()
	if err != nil {
		return err
	}
	defer b.Close()
	if err := serve(b); err != nil {
		return err
	}
	for name, f := range tries {
		_, err := b.Handle("try."+name, func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			return warren.Message{Body: []byte("ok")}, f(ctx, b)
		}, exposed)
		if err != nil {
			return err
		}
	}
	srv := amqp.NewServer(b, nil)
	if err := srv.Listen(*addr); err != nil {
		return err
	}
	fmt.Printf("listening on amqp://%s/\n", srv.Addr())
	<-ctx.Done()
	return srv.Close()
}

func open() (*warren.Broker, error) {
	if *dir == "" {
		return warren.New(nil), nil
	}
	return warren.Open(*dir, nil)
}
