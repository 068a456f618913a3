package warrentest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
)

// A server answers by a table. The code under test may ask by any client.
func ExampleBroker_Answer() {
	t := example()
	defer t.end()
	b := warrentest.New(t)
	prices := b.Answer("prices",
		warrentest.Fail("busy", "try again"),
		warrentest.Reply("42").For("AAPL"),
		warrentest.Reply("0"),
	)
	for _, symbol := range []string{"AAPL", "AAPL", "NONE"} {
		reply, err := b.Call(t.Context(), "prices", warren.Message{Body: []byte(symbol)})
		if _, ok := errors.AsType[*warren.RemoteError](err); ok {
			reply, err = b.Call(t.Context(), "prices", warren.Message{Body: []byte(symbol)}) // it tries again
		}
		fmt.Println(symbol, string(reply.Body), err)
	}
	fmt.Println(len(prices.Requests()), "requests")
	b.RequireAnsweredOnce()
	// Output:
	// AAPL 42 <nil>
	// AAPL 42 <nil>
	// NONE 0 <nil>
	// 4 requests
}

// A requester asks a server, which is the code under test here.
func ExampleBroker_Ask() {
	t := example()
	defer t.end()
	b := warrentest.New(t)
	_, err := b.Handle("double", func(_ context.Context, req *warren.Request) (warren.Message, error) {
		if len(req.Body) == 0 {
			return warren.Message{}, &warren.RemoteError{Code: "empty", Text: "there is nothing to double"}
		}
		return warren.Message{Body: append(req.Body, req.Body...)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Ask("double", "ab").RequireReply("abab")
	b.Ask("double", "").RequireError("empty")
	b.Ask("double", "x").RequireReply("X")
	// Output: warrentest: the question "x" to queue "double" was answered with "xx", not with "X"
}

// The requester has gone when the reply comes.
func ExampleScript_Release() {
	t := example()
	defer t.end()
	b := warrentest.New(t)
	server := b.Answer("rpc", warrentest.Reply("too late").Held())
	ctx, cancel := context.WithCancel(t.Context())
	called := make(chan error)
	go func() { // the code under test
		_, err := b.Call(ctx, "rpc", warren.Message{})
		called <- err
	}()
	server.Wait(1)
	cancel()
	fmt.Println(<-called)
	server.Release()
	b.WaitUnacked("rpc", 0)
	// Output: context canceled
}
