package remote_test

import (
	"context"
	"fmt"
	"log"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/remote"
)

func ExampleBroker_States() {
	// A broker elsewhere: here, another one in the same process.
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	defer srv.Close()

	r, err := remote.Dial(context.Background(), []string{"amqp://guest:guest@localhost/"}, &remote.Options{Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	states := r.States(ctx) // from now on
	for _, s := range b.Sessions() {
		b.SessionClose(s.ID, "maintenance")
	}
	for s, err := range states {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Kind)
		if s.Kind == remote.Connected {
			break
		}
	}
	// Output:
	// lost
	// connected
}
