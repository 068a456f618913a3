package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/warrenmq/warren"
)

type seq = iter.Seq2[warren.Message, error]

var errSoldOut = &warren.RemoteError{Code: "sold out", Text: "no more"}

// endings are why streams of go.endless have ended.
var endings = make(chan string, 100)

// serve serves the queues go.*.
func serve(b *warren.Broker) error {
	_, squares := warren.HandleStreamFor(b, "go.squares", streamSquares)
	_, running := warren.HandleBothFor(b, "go.running", streamSums)
	_, total := b.HandleStream("go.total", streamTotal)
	_, broken := b.HandleStream("go.broken", streamBroken)
	_, endless := b.HandleStream("go.endless", streamEndless)
	_, ending := b.Handle("go.ending", tellEnding, exposed)
	_, double := warren.HandleFor(b, "go.double", double, exposed)
	_, who := b.Handle("go.who", tellWho, exposed)
	_, slow := b.Handle("go.slow", beSlow, exposed)
	return errors.Join(squares, running, total, broken, endless, ending, double, who, slow)
}

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

// streamSquares yields squares from 0 on.
func streamSquares(_ context.Context, n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i*i, nil) {
				return
			}
		}
	}
}

// streamSums yields the sum so far after each number.
func streamSums(_ context.Context, in iter.Seq2[int, error]) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		sum := 0
		for n, err := range in {
			sum += n
			if !yield(sum, err) || err != nil {
				return
			}
		}
	}
}

// streamTotal yields the sum of all numbers.
func streamTotal(_ context.Context, _ *warren.Request, in seq) seq {
	return func(yield func(warren.Message, error) bool) {
		sum := 0
		for m, err := range in {
			if err == nil {
				n, wrong := strconv.Atoi(string(m.Body))
				sum, err = sum+n, wrong
			}
			if err != nil {
				yield(warren.Message{}, err)
				return
			}
		}
		yield(text(sum), nil)
	}
}

// streamBroken fails after two items.
func streamBroken(context.Context, *warren.Request, seq) seq {
	return func(yield func(warren.Message, error) bool) {
		_ = yield(text(1), nil) && yield(text(2), nil) && yield(warren.Message{}, errSoldOut)
	}
}

// streamEndless yields until it is stopped, and notes how far it came.
func streamEndless(ctx context.Context, _ *warren.Request, _ seq) seq {
	return func(yield func(warren.Message, error) bool) {
		n := 1
		for yield(text(n), nil) {
			n++
		}
		endings <- fmt.Sprintf("%d %v", n-1, ctx.Err())
	}
}

// tellEnding waits for a stream of go.endless to end.
func tellEnding(ctx context.Context, _ *warren.Request) (warren.Message, error) {
	select {
	case s := <-endings:
		return warren.Message{Body: []byte(s)}, nil
	case <-ctx.Done():
		return warren.Message{}, ctx.Err()
	}
}

// tellWho tells who calls, and a header of the request.
func tellWho(ctx context.Context, req *warren.Request) (warren.Message, error) {
	r := warren.RequesterFrom(ctx)
	return warren.Message{Body: fmt.Append(nil, r.User, " ", r.InProcess, " ", req.Headers["lang"], " ", req.MessageId)}, nil
}

// beSlow works until its context ends.
func beSlow(ctx context.Context, _ *warren.Request) (warren.Message, error) {
	<-ctx.Done()
	return warren.Message{}, ctx.Err()
}

func text(n int) warren.Message { return warren.Message{Body: strconv.AppendInt(nil, int64(n), 10)} }
