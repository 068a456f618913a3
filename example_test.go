package warren_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

func ExampleNew() {
	b := warren.New(nil) // or &warren.Options{...}
	defer b.Close()

	fmt.Printf("%+v\n", b.Stats().Exchanges) // the predeclared ones
	// Output: 6
}

func ExampleBroker_Call() {
	b := warren.New(nil)
	defer b.Close()
	_, err := b.Handle("upper", func(_ context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte(strings.ToUpper(string(req.Body)))}, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	// The context bounds the wait, and the handler's work with it.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	reply, err := b.Call(ctx, "upper", warren.Message{Body: []byte("warren")})
	fmt.Println(string(reply.Body), err)

	// Nobody serves this queue: the call fails at once.
	_, err = b.Call(ctx, "lower", warren.Message{})
	fmt.Println(errors.Is(err, warren.ErrNoRoute))
	// Output:
	// WARREN <nil>
	// true
}

func ExampleBroker_Handle() {
	b := warren.New(nil)
	defer b.Close()

	h, err := b.Handle("add", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		var x, y int
		if _, err := fmt.Sscan(string(req.Body), &x, &y); err != nil {
			return warren.Message{}, err // the caller gets a *RemoteError
		}
		return warren.Message{Body: fmt.Append(nil, x+y)}, nil
	}, warren.HandleOptions{Concurrency: 4})
	if err != nil {
		log.Fatal(err)
	}

	reply, err := b.Call(context.Background(), "add", warren.Message{Body: []byte("40 2")})
	fmt.Println(string(reply.Body), err)

	h.Close() // waits for requests that are being served
	_, err = b.Call(context.Background(), "add", warren.Message{Body: []byte("40 2")})
	fmt.Println(errors.Is(err, warren.ErrNoRoute))
	// Output:
	// 42 <nil>
	// true
}

type quote struct {
	Article string
	Pieces  int
}

func ExampleHandleFor() {
	b := warren.New(nil)
	defer b.Close()

	// Requests and replies are JSON, unless HandleCodec sets another codec.
	_, err := warren.HandleFor(b, "price", func(ctx context.Context, q quote) (int, error) {
		return 250 * q.Pieces, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	reply, err := b.Call(context.Background(), "price", warren.Message{Body: []byte(`{"Article":"rope","Pieces":4}`)})
	fmt.Println(reply.ContentType, string(reply.Body), err)
	// Output: application/json 1000 <nil>
}

func ExampleCallFor() {
	b := warren.New(nil)
	defer b.Close()
	_, err := warren.HandleFor(b, "price", func(ctx context.Context, q quote) (int, error) {
		return 250 * q.Pieces, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	price, err := warren.CallFor[int](context.Background(), b, "price", quote{"rope", 4})
	fmt.Println(price, err)
	// Output: 1000 <nil>
}

func ExampleRemoteError() {
	b := warren.New(nil)
	defer b.Close()
	_, err := warren.HandleFor(b, "withdraw", func(ctx context.Context, amount int) (int, error) {
		if amount > 100 {
			return 0, &warren.RemoteError{Code: "no-funds", Text: "the account holds 100"}
		}
		return 100 - amount, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	_, err = warren.CallFor[int](context.Background(), b, "withdraw", 500)
	var failure *warren.RemoteError
	if errors.As(err, &failure) {
		fmt.Println(failure.Code, "-", failure.Text)
	}
	fmt.Println(errors.Is(err, &warren.RemoteError{Code: "no-funds"}))
	// Output:
	// no-funds - the account holds 100
	// true
}

func ExampleBroker_Shutdown() {
	b := warren.New(nil)
	started, work := make(chan struct{}), make(chan struct{})
	_, err := b.Handle("slow", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		close(started)
		<-work
		return warren.Message{Body: []byte("done")}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	answered := make(chan string)
	go func() {
		reply, err := b.Call(context.Background(), "slow", warren.Message{})
		answered <- fmt.Sprint(string(reply.Body), " ", err)
	}()
	<-started

	// Shutdown lets handlers finish, for as long as its context allows.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	down := make(chan error)
	go func() { down <- b.Shutdown(ctx) }()
	close(work)
	fmt.Println(<-answered)
	fmt.Println(<-down)

	_, err = b.Call(context.Background(), "slow", warren.Message{})
	fmt.Println(errors.Is(err, warren.ErrClosed))
	// Output:
	// done <nil>
	// <nil>
	// true
}

// What passes the test of a program that uses RabbitMQ is to pass in production, too.
func ExampleLike() {
	b := warren.New(&warren.Options{Like: warren.LikeRabbitMQ})
	defer b.Close()
	ch, err := b.Channel()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = ch.QueueDeclare("jobs", warren.QueueOptions{Type: warren.Quorum})
	fmt.Println(err)
	_, err = ch.QueueDeclare("jobs", warren.QueueOptions{Type: warren.Quorum, Durable: true})
	fmt.Println(err)
	// Output:
	// warren: queue.declare: 406 PRECONDITION_FAILED - invalid property 'non-durable' for queue 'jobs' in vhost '/'
	// <nil>
}

// Publishers wait while queues hold as much memory as the limit allows.
func ExampleOptions_memoryLimit() {
	b := warren.New(&warren.Options{MemoryLimit: 1000}) // each message counts its body, its key and 100 bytes
	defer b.Close()
	ch, err := b.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ch.QueueDeclare("jobs", warren.QueueOptions{}); err != nil {
		log.Fatal(err)
	}

	for n := 1; ; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		err := ch.Publish(ctx, "", "jobs", warren.Message{Body: make([]byte, 400)}, warren.PublishOptions{})
		cancel()
		if err != nil {
			fmt.Printf("message %d: %t %t\n", n, errors.Is(err, warren.ErrMemoryLimit), errors.Is(err, context.DeadlineExceeded))
			break
		}
	}
	// With MemoryPolicy: warren.FailPublishers it fails with ErrMemoryLimit at once.

	// Output: message 3: true true
}
