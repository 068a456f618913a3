package warrentest_test

import (
	"context"
	"fmt"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
)

// A test waits for what the code under test publishes, and looks at it.
func ExampleBroker_RequireMessages() {
	t := example() // in a test, its t is used
	defer t.end()
	b := warrentest.New(t)

	conn, _ := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
	defer conn.Close()
	ch, _ := conn.Channel()
	ch.QueueDeclare("orders", false, false, false, false, nil)
	go func() { // the code under test
		ch.Publish("", "orders", false, false, amqp091.Publishing{Body: []byte("one")})
		ch.Publish("", "orders", false, false, amqp091.Publishing{Body: []byte("three")})
	}()

	b.WaitReady("orders", 2)
	b.RequireMessages("orders", "one", "two")
	// Output:
	// warrentest: the messages are not as wanted (- wanted, + there) in queue 'orders': 2 ready, 0 unacked, no consumers
	//   "one"
	// - "two"
	// + "three"
}

// A wait in vain says what there is instead.
func ExampleBroker_WaitReady() {
	t := example()
	defer t.end()
	b := warrentest.New(t)

	ch, _ := b.Channel()
	ch.QueueDeclare("orders", warren.QueueOptions{})
	ch.Consume("orders", warren.ConsumeOptions{})
	ch.Publish(context.Background(), "", "orders", warren.Message{}, warren.PublishOptions{})

	b.WaitReady("orders", 1, 10*time.Millisecond)
	// Output:
	// warrentest: waited 10ms in vain for queue 'orders' to have 1 ready message; there is now:
	//   queue 'orders': 0 ready, 1 unacked, 1 consumer
	// If it only takes longer, give the wait a longer time as its last argument.
}

// A test waits until a worker has done all its work, in place of sleeping.
func ExampleBroker_WaitIdle() {
	t := example()
	defer t.end()
	b := warrentest.New(t)

	ch, _ := b.Channel()
	ch.QueueDeclare("jobs", warren.QueueOptions{})
	ch.QueueDeclare("done", warren.QueueOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	worker, _ := ch.Consume("jobs", warren.ConsumeOptions{})
	go func() { // the code under test
		for {
			job, err := worker.Next(ctx)
			if err != nil {
				return
			}
			ch.Publish(ctx, "", "done", warren.Message{Body: job.Body}, warren.PublishOptions{})
			job.Ack(false)
		}
	}()
	for _, job := range []string{"a", "b", "c"} {
		ch.Publish(ctx, "", "jobs", warren.Message{Body: []byte(job)}, warren.PublishOptions{})
	}

	b.WaitIdle()
	for _, m := range b.Messages("done") {
		fmt.Println(string(m.Body))
	}
	// Output:
	// a
	// b
	// c
}

// A test says where messages are to go, and sends none.
func ExampleBroker_RequireRouted() {
	t := example()
	defer t.end()
	b := warrentest.New(t)

	ch, _ := b.Channel()
	ch.ExchangeDeclare("orders", warren.Topic, warren.ExchangeOptions{})
	ch.QueueDeclare("audit", warren.QueueOptions{})
	ch.QueueDeclare("mail", warren.QueueOptions{})
	ch.QueueBind("audit", "order.#", "orders", nil)
	ch.QueueBind("mail", "order.pay", "orders", nil)

	b.RequireRouted("orders", "order.sent", nil, "audit")
	b.RequireRouted("orders", "order.paid", nil, "audit", "mail")
	// Output:
	// warrentest: a message to exchange 'orders' with key 'order.paid' is not routed as wanted (- wanted, + there)
	//   audit
	// - mail
	// the exchange's bindings:
	//   binding orders -> queue audit key order.#
	//   binding orders -> queue mail key order.pay
}

// A test compares what the code under test has declared with what it is to declare.
func ExampleBroker_RequireTopology() {
	t := example()
	defer t.end()
	b := warrentest.New(t)

	ch, _ := b.Channel() // the code under test
	ch.ExchangeDeclare("orders", warren.Topic, warren.ExchangeOptions{Durable: true})
	ch.QueueDeclare("audit", warren.QueueOptions{Durable: true, MaxLength: 100})
	ch.QueueBind("audit", "order.#", "orders", nil)

	b.RequireTopology(`
		exchange orders topic durable
		queue audit durable x-max-length=1000
		binding orders -> queue audit key order.#
	`)
	// Output:
	// warrentest: the topology is not as wanted (- wanted, + there)
	//   exchange orders topic durable
	// - queue audit durable x-max-length=1000
	// + queue audit durable x-max-length=100
	//   binding orders -> queue audit key order.#
}

// A test fails if the code under test has not settled what it was given.
func ExampleOptions_nothingLeft() {
	t := example()
	defer t.end()
	b := warrentest.New(t, warrentest.Options{NothingLeft: true, Quiet: true})

	ch, _ := b.Channel()
	ch.QueueDeclare("jobs", warren.QueueOptions{})
	ch.Publish(context.Background(), "", "jobs", warren.Message{}, warren.PublishOptions{})
	ch.Consume("jobs", warren.ConsumeOptions{Tag: "worker"}) // the code under test forgets to ack
	// Output:
	// warrentest: left at the end of the test: 1 delivery that nobody has settled in queue 'jobs': 1 of consumer 'worker' of the test's process
}
