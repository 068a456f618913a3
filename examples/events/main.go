// Events publishes orders to a topic exchange. Two work queues pick what they
// want of them by pattern: billing takes paid orders, audit takes everything.
// Billing fails once, gives its message back and gets it again.
package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/warrenmq/warren"
	"golang.org/x/sync/errgroup"
)

var events = []struct{ key, body string }{
	{"order.eu.created", "order 1 created"},
	{"order.eu.paid", "order 1 paid"},
	{"order.us.created", "order 2 created"},
	{"order.us.paid", "order 2 paid"},
	{"stock.eu.low", "few are left"},
}

func main() {
	log.SetFlags(0)
	b := warren.New(nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := run(ctx, b)
	if err == nil {
		err = b.Close()
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, b *warren.Broker) error {
	ch, err := b.Channel()
	if err != nil {
		return err
	}
	if err := ch.ExchangeDeclare("events", warren.Topic, warren.ExchangeOptions{}); err != nil {
		return err
	}
	for queue, pattern := range map[string]string{"billing": "order.*.paid", "audit": "#"} {
		if _, err := ch.QueueDeclare(queue, warren.QueueOptions{}); err != nil {
			return err
		}
		if err := ch.QueueBind(queue, pattern, "events", nil); err != nil {
			return err
		}
	}

	group, ctx := errgroup.WithContext(ctx)
	var billed, audited []string
	group.Go(func() (err error) {
		billed, err = work(ctx, b, "billing", 2, true)
		return err
	})
	group.Go(func() (err error) {
		audited, err = work(ctx, b, "audit", len(events), false)
		return err
	})
	for _, e := range events {
		if err := ch.Publish(ctx, "events", e.key, warren.Message{Body: []byte(e.body)}, warren.PublishOptions{Mandatory: true}); err != nil {
			return err
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}

	if want := []string{"order 1 paid", "order 2 paid"}; !slices.Equal(billed, want) {
		return fmt.Errorf("billing did %q, not %q", billed, want)
	}
	for i, e := range events {
		if audited[i] != e.body {
			return fmt.Errorf("audit saw %q as number %d, not %q", audited[i], i, e.body)
		}
	}
	if left := b.Stats(); left.Ready+left.Unacked != 0 {
		return fmt.Errorf("%d messages are left", left.Ready+left.Unacked)
	}
	fmt.Println("every event was worked on once and acknowledged")
	return nil
}

// work consumes n messages, one at a time. With fail, it gives the first back,
// as a worker would that cannot do it now.
func work(ctx context.Context, b *warren.Broker, queue string, n int, fail bool) (done []string, err error) {
	ch, err := b.Channel()
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	for d, err := range ch.Deliveries(ctx, queue, warren.ConsumeOptions{Prefetch: 1}) {
		if err != nil {
			return nil, err
		}
		fmt.Printf("%-8s %-17s %s (redelivered: %v)\n", queue, d.RoutingKey, d.Body, d.Redelivered)
		if fail && len(done) == 0 && !d.Redelivered {
			if err := d.Nack(false, true); err != nil {
				return nil, err
			}
			continue // the message comes again, to its old place in the queue
		}
		if d.Redelivered != (fail && len(done) == 0) {
			return nil, fmt.Errorf("%s: redelivered is %v for %q", queue, d.Redelivered, d.Body)
		}
		if err := d.Ack(false); err != nil {
			return nil, err
		}
		if done = append(done, string(d.Body)); len(done) == n {
			return done, nil
		}
	}
	return nil, ctx.Err()
}
