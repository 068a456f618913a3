// Rpc runs a price server and 8 concurrent callers that make 100,000 calls in
// all. It prints the rate and the latencies, checks that every reply belongs
// to its request, and then shows the three ways in which a call can fail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/warrenmq/warren"
	"golang.org/x/sync/errgroup"
)

// Quote asks for the price of some pieces of an article.
type Quote struct {
	Article int
	Pieces  int
}

// Price answers a Quote.
type Price struct {
	Quote Quote
	Cents int
}

func (q Quote) cents() int { return q.Pieces * (100 + q.Article%50) }

func main() {
	log.SetFlags(0)
	callers := flag.Int("callers", 8, "concurrent callers")
	calls := flag.Int("calls", 100_000, "calls in all")
	flag.Parse()
	if *callers < 1 || *calls < *callers {
		log.Print("there must be at least one caller, and one call for each")
		os.Exit(2)
	}
	b := warren.New(nil)
	if err := run(b, *callers, *calls); err != nil {
		log.Fatal(err)
	}
	if err := b.Close(); err != nil {
		log.Fatal(err)
	}
}

func run(b *warren.Broker, callers, calls int) error {
	_, err := warren.HandleFor(b, "price", func(_ context.Context, q Quote) (Price, error) {
		if q.Pieces <= 0 {
			return Price{}, &warren.RemoteError{Code: "bad-quote", Text: "a quote is for at least one piece"}
		}
		return Price{q, q.cents()}, nil
	})
	if err != nil {
		return err
	}
	if err := manyCalls(b, callers, calls); err != nil {
		return err
	}
	return failingCalls(b)
}

// manyCalls spreads the calls over the callers and prints how long they took.
func manyCalls(b *warren.Broker, callers, calls int) error {
	latencies := make([]time.Duration, calls)
	group, ctx := errgroup.WithContext(context.Background())
	start := time.Now()
	for caller := range callers {
		group.Go(func() error {
			for i := caller; i < calls; i += callers {
				begin := time.Now()
				if err := ask(ctx, b, Quote{Article: i, Pieces: caller + 1}); err != nil {
					return err
				}
				latencies[i] = time.Since(begin)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	took := time.Since(start)
	slices.Sort(latencies)
	fmt.Printf("%d calls by %d callers in %v: %.0f calls/s\n", calls, callers, took.Round(time.Millisecond), float64(calls)/took.Seconds())
	fmt.Printf("p50 %v, p99 %v\n", latencies[calls/2], latencies[calls*99/100])
	fmt.Printf("all %d replies matched their requests\n", calls)
	return nil
}

// ask makes one call and checks that the reply is that of its own request.
func ask(ctx context.Context, b *warren.Broker, q Quote) error {
	price, err := warren.CallFor[Price](ctx, b, "price", q)
	if err != nil {
		return err
	}
	if want := (Price{q, q.cents()}); price != want {
		return fmt.Errorf("the reply to %+v is %+v, not %+v", q, price, want)
	}
	return nil
}

// failingCalls shows what a caller sees when a call goes wrong.
func failingCalls(b *warren.Broker) error {
	ctx := context.Background()

	_, err := warren.CallFor[Price](ctx, b, "price", Quote{Article: 1})
	var failure *warren.RemoteError
	if !errors.As(err, &failure) || failure.Code != "bad-quote" {
		return fmt.Errorf("a failing handler gave %v, not its RemoteError", err)
	}
	fmt.Println("a failing handler:", err)

	cancelled := make(chan error, 1)
	_, err = b.Handle("slow", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
		<-ctx.Done() // the caller's deadline reaches the handler
		cancelled <- ctx.Err()
		return warren.Message{}, ctx.Err()
	})
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err = b.Call(short, "slow", warren.Message{}); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("a call past its deadline gave %v", err)
	}
	fmt.Println("a deadline:", err)
	fmt.Println("the same, in the handler:", <-cancelled)

	if _, err = b.Call(ctx, "nobody", warren.Message{}); !errors.Is(err, warren.ErrNoRoute) {
		return fmt.Errorf("a call that nobody serves gave %v, not ErrNoRoute", err)
	}
	fmt.Println("nobody serves it:", err)
	return nil
}
