// Shop is a modular program: orders, prices and mails are parts that know each other
// only by the names of calls and events. Orders asks prices by a typed call, keeps the
// order, and publishes an event. Mails subscribes to it, fails now and then, and tries
// again; what it cannot deliver is a dead letter. The program ends gracefully.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

type (
	Order     struct{ Article, Customer string } // asks orders to place it
	Placed    struct{ Number, Cents int }        // is the answer
	Quote     struct{ Article string }           // asks prices
	Price     struct{ Cents int }                // is the answer
	OrderPaid struct {                           // is an event
		Number, Cents int
		Customer      string
	}
)

// servePrices answers quotes.
func servePrices(b *warren.Broker) error {
	cents := map[string]int{"tea": 450, "cup": 1200}
	_, err := warren.HandleFor(b, "prices.quote", func(ctx context.Context, q Quote) (Price, error) {
		if c, ok := cents[q.Article]; ok {
			return Price{c}, nil
		}
		return Price{}, &warren.RemoteError{Code: "unknown-article", Text: q.Article + " is not for sale"}
	})
	return err
}

// serveOrders places orders one after another, and tells everybody.
func serveOrders(b *warren.Broker) error {
	number := 0
	_, err := warren.HandleFor(b, "orders.place", func(ctx context.Context, o Order) (Placed, error) {
		p, err := warren.CallFor[Price](ctx, b, "prices.quote", Quote{o.Article})
		if err != nil {
			return Placed{}, err
		}
		number++
		paid := OrderPaid{number, p.Cents, o.Customer}
		return Placed{number, p.Cents}, warren.PublishFor(ctx, b, "shop", "order.paid", paid)
	}, warren.HandleOptions{Concurrency: 1})
	return err
}

// serveMails sends a mail for each paid order, and reports what was never sent.
func serveMails(b *warren.Broker, undelivered chan<- string) error {
	_, err := warren.SubscribeFor(b, "shop", "order.paid", func(ctx context.Context, e OrderPaid) error {
		attempt := warren.DeliveryFrom(ctx).Attempt()
		switch {
		case !strings.Contains(e.Customer, "@"):
			return warren.NoRetry(fmt.Errorf("%q is no address", e.Customer))
		case strings.HasPrefix(e.Customer, "slow") && attempt < 3:
			return errors.New("the server is busy")
		case strings.HasPrefix(e.Customer, "dead"):
			return errors.New("the server does not answer")
		}
		fmt.Printf("mails:  order %d to %s, at attempt %d\n", e.Number, e.Customer, attempt)
		return nil
	}, warren.SubscribeOptions{Queue: "mails", Retry: warren.Retry{Attempts: 3, Delay: 50 * time.Millisecond}})
	if err != nil {
		return err
	}
	_, err = warren.WorkFor(b, "mails.failed", func(ctx context.Context, e OrderPaid) error {
		why := warren.DeliveryFrom(ctx).Headers
		undelivered <- fmt.Sprintf("order %d: %v, after %v attempts", e.Number, why[warren.ErrorTextHeader], why[warren.AttemptsHeader])
		return nil
	})
	return err
}

func run(ctx context.Context) error {
	b := warren.New(nil)
	defer b.Close()
	undelivered := make(chan string, 10)
	if err := errors.Join(servePrices(b), serveOrders(b), serveMails(b, undelivered)); err != nil {
		return err
	}
	for _, o := range []Order{
		{"tea", "ann@example.org"}, {"cup", "slow@example.org"}, {"cup", "dead@example.org"}, {"tea", "nobody"}, {"cat", "bob@example.org"},
	} {
		placed, err := warren.CallFor[Placed](ctx, b, "orders.place", o)
		if errors.Is(err, &warren.RemoteError{Code: "unknown-article"}) {
			fmt.Println("orders: refused:", err)
			continue
		} else if err != nil {
			return err
		}
		fmt.Printf("orders: %s for %s is order %d and costs %d\n", o.Article, o.Customer, placed.Number, placed.Cents)
	}
	for range 2 { // who reads dead letters waits for two of them
		select {
		case text := <-undelivered:
			fmt.Println("mails:  not sent:", text)
		case <-ctx.Done(): // Ctrl-C
		}
	}
	end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return b.Shutdown(end) // everybody finishes what they have
}

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("shop:   closed, nothing is left")
}
