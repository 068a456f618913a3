// Grow is a program of three parts and a customer that grows beyond one process. Orders
// asks prices by a typed call and mails by one that nothing comes back from; prices also
// has a list, as a stream. The parts know interfaces only. Without flags they share a
// broker in this process. With -url amqp://guest:guest@localhost/ they use a broker
// elsewhere, where by -part each may have a process of its own. They print the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/remote"
)

// bus is what the parts are written against.
type bus interface {
	warren.Caller
	warren.Responder
	warren.StreamCaller
	warren.StreamResponder
	Close() error
}

// open is the line by which the program grows.
func open(ctx context.Context, url string) (bus, error) {
	if url == "" {
		return warren.New(nil), nil
	}
	return remote.Dial(ctx, strings.Split(url, ","), nil)
}

type (
	Order struct{ Article, Customer string } // asks orders to place it
	Quote struct{ Article string }           // asks prices
	Mail  struct{ To, Text string }          // asks mails to send it
	Offer struct {                           // is the answer to either, and an item of the price list
		Article string
		Cents   int
	}
)

var offers = []Offer{{"tea", 450}, {"cup", 1200}, {"kettle", 3900}}

// servePrices answers quotes, and lists all prices.
func servePrices(b bus, _ io.Writer) error {
	_, err := warren.HandleFor(b, "prices.quote", func(_ context.Context, q Quote) (Offer, error) {
		if i := slices.IndexFunc(offers, func(o Offer) bool { return o.Article == q.Article }); i >= 0 {
			return offers[i], nil
		}
		return Offer{}, &warren.RemoteError{Code: "unknown-article", Text: q.Article + " is not for sale"}
	})
	_, failed := warren.HandleStreamFor(b, "prices.list", func(_ context.Context, most int) iter.Seq2[Offer, error] {
		return func(yield func(Offer, error) bool) {
			for _, o := range offers {
				if o.Cents <= most && !yield(o, nil) {
					return
				}
			}
		}
	})
	return errors.Join(err, failed)
}

// serveMails sends mails. Who asks waits until the mail is taken, and gets nothing back.
func serveMails(b bus, out io.Writer) error {
	_, err := warren.HandleFor(b, "mails.send", func(_ context.Context, m Mail) (struct{}, error) {
		fmt.Fprintf(out, "mails:  to %s: %s\n", m.To, m.Text)
		return struct{}{}, nil
	})
	return err
}

// serveOrders places orders, for which it needs the other parts.
func serveOrders(b bus, out io.Writer) error {
	_, err := warren.HandleFor(b, "orders.place", func(ctx context.Context, o Order) (Offer, error) {
		offer, err := warren.CallFor[Offer](ctx, b, "prices.quote", Quote{o.Article})
		if err != nil {
			return Offer{}, err
		}
		fmt.Fprintf(out, "orders: a %s for %s\n", o.Article, o.Customer)
		_, err = warren.CallFor[struct{}](ctx, b, "mails.send", Mail{o.Customer, "your " + o.Article + " is on its way"})
		return offer, err
	})
	return err
}

// buy is a customer, who reads the price list and orders.
func buy(ctx context.Context, b bus, out io.Writer) error {
	for o, err := range warren.CallStreamFor[Offer](ctx, b, "prices.list", 2000) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "prices: a %s costs %d\n", o.Article, o.Cents)
	}
	for _, o := range []Order{{"tea", "ann@example.org"}, {"cat", "bob@example.org"}, {"kettle", "eve@example.org"}} {
		placed, err := warren.CallFor[Offer](ctx, b, "orders.place", o)
		if errors.Is(err, &warren.RemoteError{Code: "unknown-article"}) {
			fmt.Fprintln(out, "buy:    no", o.Article)
			continue
		} else if err != nil {
			return err
		}
		fmt.Fprintf(out, "buy:    %s has paid %d\n", o.Customer, placed.Cents)
	}
	return nil
}

// run runs all parts, or one of them until ctx ends. The customer ends by himself.
func run(ctx context.Context, url, part string, out io.Writer) error {
	b, err := open(ctx, url)
	if err != nil {
		return err
	}
	defer b.Close()
	for name, serve := range map[string]func(bus, io.Writer) error{"prices": servePrices, "mails": serveMails, "orders": serveOrders} {
		if part == name || part == "all" {
			if err := serve(b, out); err != nil {
				return err
			}
		}
	}
	if part == "customer" || part == "all" {
		return buy(ctx, b, out)
	}
	<-ctx.Done()
	return nil
}

func main() {
	url := flag.String("url", "", "brokers elsewhere, with commas between them; empty: one in this process")
	part := flag.String("part", "all", "prices, mails, orders or customer, which need a URL; or all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *url, *part, os.Stdout); err != nil {
		log.Fatal(err)
	}
}
