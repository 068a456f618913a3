package warren_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/warrenmq/warren"
)

// exampleChannel is a channel of a new broker with a queue.
func exampleChannel(queue string) (*warren.Channel, func() error) {
	b := warren.New(nil)
	ch, err := b.Channel()
	if err == nil {
		_, err = ch.QueueDeclare(queue, warren.QueueOptions{})
	}
	if err != nil {
		log.Fatal(err)
	}
	return ch, b.Close
}

func ExampleChannel_QueueDeclare() {
	b := warren.New(nil)
	defer b.Close()
	ch, err := b.Channel()
	if err != nil {
		log.Fatal(err)
	}

	q, err := ch.QueueDeclare("jobs", warren.QueueOptions{Durable: true})
	fmt.Printf("%+v %v\n", q, err)

	// The same name with another option is refused.
	_, err = ch.QueueDeclare("jobs", warren.QueueOptions{})
	fmt.Println(errors.Is(err, warren.ErrPreconditionFailed))
	fmt.Println(err)
	// Output:
	// {Name:jobs Messages:0 Consumers:0} <nil>
	// true
	// warren: queue.declare: 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'jobs' in vhost '/': received 'false' but current is 'true'
}

func ExampleChannel_ExchangeDeclare() {
	ch, closeBroker := exampleChannel("invoices")
	defer closeBroker()

	if err := ch.ExchangeDeclare("events", warren.Topic, warren.ExchangeOptions{}); err != nil {
		log.Fatal(err)
	}
	if err := ch.QueueBind("invoices", "order.*.paid", "events", nil); err != nil {
		log.Fatal(err)
	}

	for _, key := range []string{"order.7.created", "order.7.paid", "order.8.paid"} {
		if err := ch.Publish(context.Background(), "events", key, warren.Message{}, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	q, err := ch.QueueDeclarePassive("invoices")
	fmt.Println(q.Messages, err)
	// Output: 2 <nil>
}

func ExampleChannel_Publish() {
	ch, closeBroker := exampleChannel("jobs")
	defer closeBroker()
	ctx := context.Background()

	// The default exchange routes by queue name.
	err := ch.Publish(ctx, "", "jobs", warren.Message{Body: []byte("dig")}, warren.PublishOptions{})
	fmt.Println(err)

	// A mandatory message that no queue takes comes back as the error.
	err = ch.Publish(ctx, "", "job", warren.Message{Body: []byte("dig")}, warren.PublishOptions{Mandatory: true})
	var returned *warren.Return
	if errors.As(err, &returned) {
		fmt.Println(returned.Code, returned.Text, string(returned.Body))
	}
	fmt.Println(errors.Is(err, warren.ErrNoRoute))
	// Output:
	// <nil>
	// 312 NO_ROUTE dig
	// true
}

func ExampleChannel_Deliveries() {
	ch, closeBroker := exampleChannel("jobs")
	defer closeBroker()
	ctx := context.Background()
	for _, job := range []string{"dig", "line", "rest"} {
		if err := ch.Publish(ctx, "", "jobs", warren.Message{Body: []byte(job)}, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}

	// The consumer lives as long as the loop.
	for d, err := range ch.Deliveries(ctx, "jobs", warren.ConsumeOptions{Prefetch: 10}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(d.DeliveryTag, string(d.Body))
		if err := d.Ack(false); err != nil {
			log.Fatal(err)
		}
		if string(d.Body) == "line" {
			break // what the loop has not seen goes back to the queue
		}
	}
	q, err := ch.QueueDeclarePassive("jobs")
	fmt.Printf("%+v %v\n", q, err)
	// Output:
	// 1 dig
	// 2 line
	// {Name:jobs Messages:1 Consumers:0} <nil>
}

// A request and its reply by direct reply-to: no reply queue is declared.
func ExampleChannel_Consume_directReplyTo() {
	client, closeBroker := exampleChannel("ping")
	defer closeBroker()
	ctx := context.Background()

	// The client consumes first, and publishes on the same channel.
	replies, err := client.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
	if err != nil {
		log.Fatal(err)
	}
	request := warren.Message{ReplyTo: warren.DirectReplyTo, CorrelationId: "1", Body: []byte("ping")}
	if err := client.Publish(ctx, "", "ping", request, warren.PublishOptions{Mandatory: true}); err != nil {
		log.Fatal(err)
	}

	// The server finds the client's address in the place of the name.
	server, err := client.Session().VirtualHost().Channel()
	if err != nil {
		log.Fatal(err)
	}
	d, ok, err := server.Get("ping", true)
	if !ok {
		log.Fatal(err)
	}
	reply := warren.Message{CorrelationId: d.CorrelationId, Body: []byte("pong")}
	if err := server.Publish(ctx, "", d.ReplyTo, reply, warren.PublishOptions{}); err != nil {
		log.Fatal(err)
	}

	d, err = replies.Next(ctx)
	fmt.Println(d.CorrelationId, string(d.Body), err)
	// Output: 1 pong <nil>
}

func ExampleConsumer_Next() {
	ch, closeBroker := exampleChannel("jobs")
	defer closeBroker()
	ctx := context.Background()
	if err := ch.Publish(ctx, "", "jobs", warren.Message{Body: []byte("dig")}, warren.PublishOptions{}); err != nil {
		log.Fatal(err)
	}

	c, err := ch.Consume("jobs", warren.ConsumeOptions{Tag: "worker"})
	if err != nil {
		log.Fatal(err)
	}
	d, err := c.Next(ctx)
	fmt.Println(d.ConsumerTag, string(d.Body), err)
	fmt.Println(d.Ack(false))

	c.Cancel()
	_, err = c.Next(ctx)
	fmt.Println(errors.Is(err, warren.ErrClosed))
	// Output:
	// worker dig <nil>
	// <nil>
	// true
}

func ExampleChannel_ConsumeFunc() {
	ch, closeBroker := exampleChannel("jobs")
	defer closeBroker()

	done := make(chan string)
	c, err := ch.ConsumeFunc("jobs", warren.ConsumeOptions{Concurrency: 4}, func(_ context.Context, d warren.Delivery) error {
		done <- string(d.Body)
		return nil // acknowledges; an error makes it a dead letter
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := ch.Publish(context.Background(), "", "jobs", warren.Message{Body: []byte("dig")}, warren.PublishOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-done)

	c.Cancel()
	<-c.Done() // the function has returned for the last time
	// Output: dig
}

func ExampleChannel_Get() {
	ch, closeBroker := exampleChannel("jobs")
	defer closeBroker()
	for _, job := range []string{"dig", "line"} {
		if err := ch.Publish(context.Background(), "", "jobs", warren.Message{Body: []byte(job)}, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}

	d, ok, err := ch.Get("jobs", false)
	fmt.Println(string(d.Body), d.MessageCount, ok, err)
	fmt.Println(d.Nack(false, true)) // give it back

	d, ok, err = ch.Get("jobs", true) // with autoAck
	fmt.Println(string(d.Body), d.Redelivered, ok, err)
	// Output:
	// dig 1 true <nil>
	// <nil>
	// dig true true <nil>
}

func ExampleChannel_PublishConfirm() {
	ch, closeBroker := exampleChannel("jobs")
	defer closeBroker()
	ctx := context.Background()
	if err := ch.Confirm(); err != nil {
		log.Fatal(err)
	}

	confirmation, err := ch.PublishConfirm(ctx, "", "jobs", warren.Message{Body: []byte("dig")}, warren.PublishOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(confirmation.DeliveryTag, confirmation.Wait(ctx))
	// Output: 1 <nil>
}

func ExampleChannel_TxCommit() {
	ch, closeBroker := exampleChannel("jobs")
	defer closeBroker()
	ready := func() int {
		q, err := ch.QueueDeclarePassive("jobs")
		if err != nil {
			log.Fatal(err)
		}
		return q.Messages
	}
	if err := ch.Tx(); err != nil {
		log.Fatal(err)
	}

	for _, job := range []string{"dig", "line"} {
		if err := ch.Publish(context.Background(), "", "jobs", warren.Message{Body: []byte(job)}, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("before:", ready())
	fmt.Println(ch.TxCommit())
	fmt.Println("after:", ready())
	// Output:
	// before: 0
	// <nil>
	// after: 2
}
