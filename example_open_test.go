package warren_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/warrenmq/warren"
)

// A broker with a directory has its durable queues and their persistent messages again
// when it is opened the next time.
func ExampleOpen() {
	parent, err := os.MkdirTemp("", "warren")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "broker")

	b, err := warren.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	ch, err := b.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if err := ch.Confirm(); err != nil { // Publish waits until the message is on disk
		log.Fatal(err)
	}
	if _, err := ch.QueueDeclare("jobs", warren.QueueOptions{Durable: true}); err != nil {
		log.Fatal(err)
	}
	job := warren.Message{Body: []byte("paint the fence"), DeliveryMode: warren.Persistent}
	if err := ch.Publish(context.Background(), "", "jobs", job, warren.PublishOptions{}); err != nil {
		log.Fatal(err)
	}
	if err := b.Close(); err != nil {
		log.Fatal(err)
	}

	b, err = warren.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	ch, err = b.Channel()
	if err != nil {
		log.Fatal(err)
	}
	d, _, err := ch.Get("jobs", true)
	fmt.Printf("%s %v\n", d.Body, err)
	// Output: paint the fence <nil>
}
