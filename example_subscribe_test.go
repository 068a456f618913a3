package warren_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/warrenmq/warren"
)

// OrderPaid is an event.
type OrderPaid struct {
	Order int
	Cents int
}

// Two parts of a program want to know of paid orders. Each gets every one.
func ExampleSubscribeFor() {
	b := warren.New(nil)
	defer b.Close()
	mailed, booked := make(chan OrderPaid), make(chan OrderPaid)
	_, err := warren.SubscribeFor(b, "shop", "order.paid", func(ctx context.Context, e OrderPaid) error {
		mailed <- e
		return nil
	}, warren.SubscribeOptions{Queue: "mails"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = warren.SubscribeFor(b, "shop", "order.*", func(ctx context.Context, e OrderPaid) error {
		booked <- e
		return nil
	}, warren.SubscribeOptions{Queue: "books"})
	if err != nil {
		log.Fatal(err)
	}

	err = warren.PublishFor(context.Background(), b, "shop", "order.paid", OrderPaid{Order: 7, Cents: 1200})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("mailed:", <-mailed)
	fmt.Println("booked:", <-booked)
	// Output:
	// mailed: {7 1200}
	// booked: {7 1200}
}

func ExamplePublishFor() {
	b := warren.New(nil)
	defer b.Close()
	ctx := context.Background()
	// An event that nobody subscribes to is dropped, unless the publisher minds.
	err := warren.PublishFor(ctx, b, "shop", "order.paid", OrderPaid{Order: 7})
	fmt.Println(err)
	err = warren.PublishFor(ctx, b, "shop", "order.paid", OrderPaid{Order: 7}, warren.EventOptions{Mandatory: true})
	fmt.Println(errors.Is(err, warren.ErrNoRoute))
	// Output:
	// <nil>
	// true
}

// A job that fails comes again after a delay.
func ExampleWorkFor() {
	b := warren.New(nil)
	defer b.Close()
	done := make(chan bool)
	_, err := warren.WorkFor(b, "resize", func(ctx context.Context, picture string) error {
		attempt := warren.DeliveryFrom(ctx).Attempt()
		fmt.Printf("attempt %d at %s\n", attempt, picture)
		if attempt < 3 {
			return errors.New("no memory now")
		}
		close(done)
		return nil
	}, warren.WorkOptions{Concurrency: 4, Retry: warren.Retry{Attempts: 5, Delay: time.Millisecond}})
	if err != nil {
		log.Fatal(err)
	}
	if err := warren.EnqueueFor(context.Background(), b, "resize", "cat.png"); err != nil {
		log.Fatal(err)
	}
	<-done
	// Output:
	// attempt 1 at cat.png
	// attempt 2 at cat.png
	// attempt 3 at cat.png
}

// A job can wait before a worker gets it.
func ExampleEnqueueFor() {
	b := warren.New(nil)
	defer b.Close()
	ctx := context.Background()
	err := warren.EnqueueFor(ctx, b, "reminders", "tea", warren.EnqueueOptions{Delay: 20 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	begin := time.Now()
	done := make(chan string)
	_, err = warren.WorkFor(b, "reminders", func(ctx context.Context, of string) error {
		done <- of
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-done, time.Since(begin) > 10*time.Millisecond)
	// Output: tea true
}

// What no repetition can mend is a dead letter at once. Its headers say why.
func ExampleNoRetry() {
	b := warren.New(nil)
	defer b.Close()
	_, err := warren.WorkFor(b, "mails", func(ctx context.Context, address string) error {
		return warren.NoRetry(fmt.Errorf("%q is no address", address))
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := warren.EnqueueFor(context.Background(), b, "mails", "nobody"); err != nil {
		log.Fatal(err)
	}

	failed := make(chan bool)
	_, err = b.Work("mails.failed", func(ctx context.Context, d warren.Delivery) error {
		fmt.Printf("%s: %v after %v attempt\n", d.Body, d.Headers[warren.ErrorTextHeader], d.Headers[warren.AttemptsHeader])
		close(failed)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	<-failed
	// Output: "nobody": "nobody" is no address after 1 attempt
}

// The retries of a subscription, and where what has failed five times goes.
func ExampleRetry() {
	b := warren.New(nil)
	defer b.Close()
	mail := func(ctx context.Context, e OrderPaid) error { return nil }
	s, err := warren.SubscribeFor(b, "shop", "order.paid", mail, warren.SubscribeOptions{
		Queue: "mails",
		Retry: warren.Retry{Attempts: 5, Delay: time.Second, Factor: 3, MaxDelay: time.Minute, DeadLetter: "undeliverable"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Queue(), s.Close())
	// Output: mails <nil>
}

func ExampleDeliveryFrom() {
	b := warren.New(nil)
	defer b.Close()
	done := make(chan bool)
	_, err := warren.SubscribeFor(b, "shop", "order.*", func(ctx context.Context, e OrderPaid) error {
		d := warren.DeliveryFrom(ctx)
		fmt.Println(d.RoutingKey, d.Headers["customer"], d.Attempt())
		close(done)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	o := warren.EventOptions{Properties: warren.Message{Headers: warren.Table{"customer": "Ann"}}}
	if err := warren.PublishFor(context.Background(), b, "shop", "order.paid", OrderPaid{Order: 7}, o); err != nil {
		log.Fatal(err)
	}
	<-done
	// Output: order.paid Ann 1
}

// Bodies that are no values of Go, such as files, need no codec.
func ExampleBroker_Subscribe() {
	b := warren.New(nil)
	defer b.Close()
	done := make(chan string)
	s, err := b.Subscribe("files", "*.png", func(ctx context.Context, d warren.Delivery) error {
		done <- fmt.Sprintf("%s has %d bytes", d.RoutingKey, len(d.Body))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := b.Publish(context.Background(), "files", "cat.png", warren.Message{Body: make([]byte, 9)}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-done)
	fmt.Println(s.Close(), errors.Is(s.Err(), warren.ErrClosed))
	// Output:
	// cat.png has 9 bytes
	// <nil> true
}
