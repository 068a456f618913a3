package warren_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/warrenmq/warren"
)

// Messages of one customer always go to the same worker, and each worker has
// its share of the customers.
func ExampleExchangeOptions_consistentHash() {
	ch, closeBroker := exampleChannel("worker-1")
	defer closeBroker()
	ctx := context.Background()

	err := ch.ExchangeDeclare("orders", warren.ConsistentHash, warren.ExchangeOptions{HashHeader: "customer"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ch.QueueDeclare("worker-2", warren.QueueOptions{}); err != nil {
		log.Fatal(err)
	}
	for worker, weight := range map[string]string{"worker-1": "1", "worker-2": "3"} {
		if err := ch.QueueBind(worker, weight, "orders", nil); err != nil {
			log.Fatal(err)
		}
	}

	for range 10 {
		order := warren.Message{Headers: warren.Table{"customer": "ann"}}
		if err := ch.Publish(ctx, "orders", "order.created", order, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	one, err := ch.QueueDeclarePassive("worker-1")
	if err != nil {
		log.Fatal(err)
	}
	two, err := ch.QueueDeclarePassive("worker-2")
	fmt.Println(max(one.Messages, two.Messages), min(one.Messages, two.Messages), err)
	// Output: 10 0 <nil>
}

func ExampleDelay() {
	ch, closeBroker := exampleChannel("reminders")
	defer closeBroker()
	ctx := context.Background()

	err := ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Topic})
	if err != nil {
		log.Fatal(err)
	}
	if err := ch.QueueBind("reminders", "reminder.#", "later", nil); err != nil {
		log.Fatal(err)
	}
	began := time.Now()
	for _, ms := range []time.Duration{50, 10} {
		msg := warren.Message{
			Headers: warren.Table{warren.DelayHeader: warren.Delay(ms * time.Millisecond)},
			Body:    fmt.Append(nil, "after ", int(ms), " ms"),
		}
		if err := ch.Publish(ctx, "later", "reminder.tea", msg, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}

	c, err := ch.Consume("reminders", warren.ConsumeOptions{NoAck: true})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		d, err := c.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(d.Body))
	}
	fmt.Println(time.Since(began) >= 50*time.Millisecond)
	// Output:
	// after 10 ms
	// after 50 ms
	// true
}

func ExampleDeduplication() {
	ch, closeBroker := exampleChannel("all")
	defer closeBroker()
	ctx := context.Background()

	_, err := ch.QueueDeclare("payments", warren.QueueOptions{
		Deduplicate: &warren.Deduplication{CacheSize: 10_000, CacheTTL: time.Hour},
	})
	if err != nil {
		log.Fatal(err)
	}
	payment := warren.Message{Headers: warren.Table{warren.DeduplicationHeader: "payment-7"}}
	for range 2 { // the second time by mistake
		err := ch.Publish(ctx, "", "payments", payment, warren.PublishOptions{Mandatory: true})
		fmt.Println(errors.Is(err, warren.ErrNoRoute))
	}
	q, err := ch.QueueDeclarePassive("payments")
	fmt.Println(q.Messages, err)
	// Output:
	// false
	// true
	// 1 <nil>
}
