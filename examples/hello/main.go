// Hello serves a queue and calls it, in one process.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/warrenmq/warren"
)

func main() {
	b := warren.New(nil)
	defer b.Close()

	_, err := b.Handle("greet", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte("Hello, " + string(req.Body))}, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	reply, err := b.Call(context.Background(), "greet", warren.Message{Body: []byte("world")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(reply.Body)) // Hello, world
}
