package remote_test

import (
	"context"
	"fmt"
	"log"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/remote"
)

// A shop has a broker of its own and calls a handler at the headquarters.
func ExampleLink() {
	ctx := context.Background()
	headquarters := warren.New(nil)
	defer headquarters.Close()
	srv := amqp.NewServer(headquarters, nil)
	defer srv.Close()
	_, err := headquarters.Handle("price", func(_ context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte("7 cents for " + string(req.Body))}, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	shop := warren.New(nil)
	defer shop.Close()
	l, err := remote.Link(ctx, shop, []string{"amqp://guest:guest@headquarters/"}, remote.LinkOptions{
		Options: remote.Options{Dial: srv.Dial}, // without a network
		Import:  []string{"price"},
		Push:    []remote.LinkRule{{Queue: "orders"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := shop.Call(ctx, "price", warren.Message{Body: []byte("an apple")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(reply.Body))
	if err := shop.Enqueue(ctx, "orders", warren.Message{Body: []byte("100 apples")}); err != nil {
		log.Fatal(err)
	}
	done := make(chan struct{})
	_, err = headquarters.Work("orders", func(_ context.Context, d warren.Delivery) error {
		fmt.Println("ordered:", string(d.Body))
		close(done)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	<-done
	if err := l.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 7 cents for an apple
	// ordered: 100 apples
}
