package warren_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/warrenmq/warren"
)

// exampleHost is the virtual host of a new broker, with a channel.
func exampleHost(queue string) (*warren.VirtualHost, *warren.Channel, func() error) {
	ch, closeBroker := exampleChannel(queue)
	return ch.Session().VirtualHost(), ch, closeBroker
}

// The queue is there, with messages, when it gets a limit.
func ExampleVirtualHost_PolicySet() {
	v, ch, closeBroker := exampleHost("log.web")
	defer closeBroker()
	for range 5 {
		if err := ch.Publish(context.Background(), "", "log.web", warren.Message{}, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}

	err := v.PolicySet(warren.Policy{
		Name:       "short logs",
		Pattern:    `^log\.`,
		ApplyTo:    warren.ApplyToQueues,
		Definition: warren.Table{"max-length": 3},
	})
	q, _ := ch.QueueDeclarePassive("log.web")
	fmt.Println(q.Messages, err)

	err = v.PolicySet(warren.Policy{Name: "short logs", Definition: warren.Table{"max-length": -1}})
	fmt.Println(err)
	// Output:
	// 3 <nil>
	// warren: 406 PRECONDITION_FAILED - invalid policy 'short logs' in vhost '/': -1 is not a valid maximum length
}

// An operator policy bounds what a queue asks for by its arguments.
func ExampleVirtualHost_OperatorPolicySet() {
	v, ch, closeBroker := exampleHost("jobs")
	defer closeBroker()
	if err := v.OperatorPolicySet(warren.Policy{Name: "bounds", Definition: warren.Table{"max-length": 2}}); err != nil {
		log.Fatal(err)
	}
	if _, err := ch.QueueDeclare("mine", warren.QueueOptions{MaxLength: 1_000_000}); err != nil {
		log.Fatal(err)
	}
	for range 5 {
		if err := ch.Publish(context.Background(), "", "mine", warren.Message{}, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	q, _ := ch.QueueDeclarePassive("mine")
	fmt.Println(q.Messages)
	// Output: 2
}

func ExampleVirtualHost_PolicyOfQueue() {
	v, _, closeBroker := exampleHost("jobs")
	defer closeBroker()
	limit := warren.Table{"max-length": 1000}
	for _, p := range []warren.Policy{
		{Name: "everybody", Definition: limit},
		{Name: "jobs", Pattern: "^jobs", Priority: 1, Definition: limit},
	} {
		if err := v.PolicySet(p); err != nil {
			log.Fatal(err)
		}
	}
	p, err := v.PolicyOfQueue("jobs")
	fmt.Println(p.Policy, p.Definition, err)
	// Output: jobs map[max-length:1000] <nil>
}

// Options make the definition, so that there are no keys to remember.
func ExampleQueuePolicy() {
	fmt.Println(warren.QueuePolicy(warren.QueueOptions{
		MessageTTL: time.Hour,
		MaxLength:  1000,
		DeadLetter: &warren.DeadLetter{Exchange: "lost"},
	}))
	// Output: map[dead-letter-exchange:lost max-length:1000 message-ttl:3600000]
}

// Messages that match no binding of the topic exchange go to another one.
func ExampleExchangePolicy() {
	v, ch, closeBroker := exampleHost("unmatched")
	defer closeBroker()
	if err := ch.ExchangeDeclare("others", warren.Fanout, warren.ExchangeOptions{}); err != nil {
		log.Fatal(err)
	}
	if err := ch.QueueBind("unmatched", "", "others", nil); err != nil {
		log.Fatal(err)
	}

	err := v.PolicySet(warren.Policy{
		Name:       "others",
		Pattern:    `^amq\.topic$`,
		ApplyTo:    warren.ApplyToExchanges,
		Definition: warren.ExchangePolicy(warren.ExchangeOptions{Alternate: "others"}),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := ch.Publish(context.Background(), "amq.topic", "order.created", warren.Message{}, warren.PublishOptions{}); err != nil {
		log.Fatal(err)
	}
	q, _ := ch.QueueDeclarePassive("unmatched")
	fmt.Println(q.Messages)
	// Output: 1
}
