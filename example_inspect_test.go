package warren_test

import (
	"context"
	"fmt"

	"github.com/warrenmq/warren"
)

// A program looks at its own queues, and at a message without taking it.
func ExampleVirtualHost_Queues() {
	b := warren.New(nil)
	defer b.Close()
	ch, _ := b.Channel()
	ch.QueueDeclare("jobs", warren.QueueOptions{})
	ch.Publish(context.Background(), "", "jobs", warren.Message{Body: []byte("one")}, warren.PublishOptions{})

	v, _ := b.VirtualHost(warren.DefaultVirtualHost)
	for _, q := range v.Queues() {
		fmt.Println(q.Name, q.Ready, "ready,", q.Consumers, "consumers")
	}
	messages, _ := v.Peek("jobs", 0, 10)
	fmt.Println(string(messages[0].Body))
	fmt.Println(v.Queues()[0].Ready, "ready")
	// Output:
	// jobs 1 ready, 0 consumers
	// one
	// 1 ready
}

// A program reads what changes in its broker, until the broker closes.
func ExampleBroker_Events() {
	b := warren.New(nil)
	ch, _ := b.Channel()
	events := b.Events(context.Background())
	go func() {
		ch.QueueDeclare("jobs", warren.QueueOptions{})
		ch.QueueDelete("jobs", warren.QueueDeleteOptions{})
	}()
	for e, err := range events {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(e.Kind, e.Name)
		if e.Kind == warren.QueueDeleted {
			break
		}
	}
	b.Close()
	// Output:
	// queue.created jobs
	// queue.deleted jobs
}
