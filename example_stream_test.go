package warren_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/warrenmq/warren"
)

// A stream keeps what was read: each consumer starts where it likes.
func ExampleStreamStart() {
	b := warren.New(nil)
	defer b.Close()
	ch, err := b.Channel()
	if err != nil {
		log.Fatal(err)
	}
	o := warren.QueueOptions{Type: warren.Stream, Durable: true, MaxAge: time.Hour, MaxLengthBytes: 1 << 20}
	if _, err := ch.QueueDeclare("readings", o); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for i, room := range []string{"kitchen", "cellar", "kitchen", "attic"} {
		msg := warren.Message{
			Headers: warren.Table{"x-stream-filter-value": room},
			Body:    fmt.Appendf(nil, "%s: %d°", room, 18+i),
		}
		if err := ch.Publish(ctx, "", "readings", msg, warren.PublishOptions{}); err != nil {
			log.Fatal(err)
		}
	}

	read := func(o warren.ConsumeOptions, n int) {
		o.Prefetch = 10 // consumers of streams must have a limit, and ack
		c, err := ch.Consume("readings", o)
		if err != nil {
			log.Fatal(err)
		}
		defer c.Cancel()
		for range n {
			d, err := c.Next(ctx)
			if err != nil {
				log.Fatal(err)
			}
			offset, _ := d.StreamOffset()
			fmt.Printf("%d %s\n", offset, d.Body)
			d.Ack(false)
		}
	}
	read(warren.ConsumeOptions{Offset: warren.StreamFirst()}, 2)
	fmt.Println("and go on later:")
	read(warren.ConsumeOptions{Offset: warren.StreamOffset(2)}, 2)
	fmt.Println("one room:")
	read(warren.ConsumeOptions{Offset: warren.StreamFirst(), Filter: []string{"kitchen"}}, 2)
	// Output:
	// 0 kitchen: 18°
	// 1 cellar: 19°
	// and go on later:
	// 2 kitchen: 20°
	// 3 attic: 21°
	// one room:
	// 0 kitchen: 18°
	// 2 kitchen: 20°
}
