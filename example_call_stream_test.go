package warren_test

import (
	"context"
	"fmt"
	"iter"
	"log"

	"github.com/warrenmq/warren"
)

// A handler answers with as many items as it has, and the caller takes as many as it
// wants.
func ExampleHandleStreamFor() {
	b := warren.New(nil)
	defer b.Close()
	_, err := warren.HandleStreamFor(b, "primes", func(_ context.Context, from int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for n := from; ; n++ {
				if isPrime(n) && !yield(n, nil) {
					return
				}
			}
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	for n, err := range warren.CallStreamFor[int](context.Background(), b, "primes", 90) {
		if err != nil {
			log.Fatal(err)
		}
		if fmt.Println(n); n > 100 {
			break // the handler's yield returns false
		}
	}
	// Output:
	// 97
	// 101
}

func isPrime(n int) bool {
	for i := 2; i*i <= n; i++ {
		if n%i == 0 {
			return false
		}
	}
	return n > 1
}

// Both sides send items: the handler answers each as it comes.
func ExampleHandleBothFor() {
	b := warren.New(nil)
	defer b.Close()
	_, err := warren.HandleBothFor(b, "sum", func(_ context.Context, in iter.Seq2[int, error]) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			sum := 0
			for n, err := range in {
				if sum += n; !yield(sum, err) {
					return
				}
			}
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	numbers := func(yield func(int, error) bool) {
		for n := 1; n <= 4 && yield(n, nil); n++ {
		}
	}
	for sum, err := range warren.CallBothFor[int](context.Background(), b, "sum", numbers) {
		fmt.Println(sum, err)
	}
	// Output:
	// 1 <nil>
	// 3 <nil>
	// 6 <nil>
	// 10 <nil>
}

// Messages go as they are. An error comes after the items that were sent before it.
func ExampleBroker_CallStream() {
	b := warren.New(nil)
	defer b.Close()
	_, err := b.HandleStream("lines", func(_ context.Context, req *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
		return func(yield func(warren.Message, error) bool) {
			for i := range 2 {
				if !yield(warren.Message{Body: fmt.Appendf(nil, "%s: line %d", req.Body, i+1)}, nil) {
					return
				}
			}
			yield(warren.Message{}, &warren.RemoteError{Code: "torn", Text: "the rest of the page is missing"})
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range b.CallStream(context.Background(), "lines", warren.Message{Body: []byte("page 7")}, nil) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(string(m.Body))
	}
	// Output:
	// page 7: line 1
	// page 7: line 2
	// warren: the handler failed: torn: the rest of the page is missing
}
