package warren_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/warrenmq/warren"
)

// Shops are asked for a price. One of them does not answer in time.
func ExampleCallManyFor() {
	b := warren.New(nil)
	defer b.Close()
	session, err := b.Session()
	if err != nil {
		log.Fatal(err)
	}
	ch, err := session.Channel()
	if err != nil {
		log.Fatal(err)
	}
	for shop, price := range map[string]float64{"north": 2.5, "south": 1.5, "closed": 0} {
		h, err := warren.HandleFor(b, shop, func(ctx context.Context, count int) (float64, error) {
			if price == 0 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return price * float64(count), nil
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := ch.QueueBind(h.Queue(), "", "amq.fanout", nil); err != nil {
			log.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	for offer, err := range warren.CallManyFor[float64](ctx, b, "amq.fanout", "", 4) {
		if err != nil {
			fmt.Println(offer.Queue, "does not answer:", errors.Is(err, context.DeadlineExceeded))
			continue
		}
		fmt.Println(offer.Queue, "wants", offer.Value)
	}
	// Unordered output:
	// north wants 10
	// south wants 6
	// closed does not answer: true
}

// A caller repeats what is safe to repeat.
func ExampleRepeatable() {
	b := warren.New(nil)
	defer b.Close()
	busy := 2
	_, err := b.Handle("work", func(context.Context, *warren.Request) (warren.Message, error) {
		if busy--; busy >= 0 {
			return warren.Message{}, &warren.RemoteError{Code: warren.CodeBusy, Text: "come back later"}
		}
		return warren.Message{Body: []byte("done")}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	for {
		reply, err := b.Call(context.Background(), "work", warren.Message{})
		if warren.Repeatable(err) {
			fmt.Println(err)
			continue
		}
		fmt.Println(string(reply.Body), err)
		break
	}
	// Output:
	// warren: the handler failed: busy: come back later
	// warren: the handler failed: busy: come back later
	// done <nil>
}

// A handler knows who gets its reply.
func ExampleRequesterFrom() {
	b := warren.New(nil)
	defer b.Close()
	_, err := b.Handle("whoami", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
		who := warren.RequesterFrom(ctx)
		return warren.Message{Body: fmt.Appendf(nil, "in process: %t, user: %q", who.InProcess, who.User)}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := b.Call(context.Background(), "whoami", warren.Message{})
	fmt.Println(string(reply.Body), err)
	// Output: in process: true, user: "" <nil>
}
