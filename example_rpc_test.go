package warren_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/warrenmq/warren"
)

// A typed handler gets headers from its context, and a typed call sets them.
func ExampleRequestFrom() {
	b := warren.New(nil)
	defer b.Close()
	_, err := warren.HandleFor(b, "greet", func(ctx context.Context, name string) (string, error) {
		req := warren.RequestFrom(ctx)
		if req.Headers["language"] == "fr" {
			return "Bonjour " + name, nil
		}
		return "Hello " + name, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	french := warren.CallOptions{Properties: warren.Message{Headers: warren.Table{"language": "fr"}}}
	greeting, err := warren.CallFor[string](context.Background(), b, "greet", "Ann", french)
	fmt.Println(greeting, err)
	// Output: Bonjour Ann <nil>
}

// In the same process a caller finds the handler's own error. Clients outside get
// the code and the text.
func ExampleRemoteError_Unwrap() {
	b := warren.New(nil)
	defer b.Close()
	errNoStock := errors.New("stock: shelf 7 is empty")
	_, err := b.Handle("order", func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{}, &warren.RemoteError{Code: "sold-out", Text: "nothing left", Err: errNoStock}
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = b.Call(context.Background(), "order", warren.Message{})
	fmt.Println(errors.Is(err, errNoStock), errors.Is(err, &warren.RemoteError{Code: "sold-out"}))
	fmt.Println(err)
	// Output:
	// true true
	// warren: the handler failed: sold-out: nothing left: stock: shelf 7 is empty
}
