package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

// tries are calls of the other side's queues, py.*.
var tries = map[string]func(context.Context, *warren.Broker) error{
	"squares":  trySquares,
	"running":  tryRunning,
	"total":    tryTotal,
	"broken":   tryBroken,
	"leave":    tryLeave,
	"window":   tryWindow,
	"plain":    tryPlain,
	"failing":  tryFailingItems,
	"lost":     tryLost,
	"deadline": tryDeadline,
	"metadata": tryMetadata,
	"many":     tryMany,
	"durable":  tryDurable,
	"words":    tryWords,
}

func trySquares(ctx context.Context, b *warren.Broker) error {
	i := 0
	for n, err := range warren.CallStreamFor[int](ctx, b, "py.squares", 1000) {
		if err != nil {
			return err
		}
		if n != i*i {
			return fmt.Errorf("item %d is %d", i, n)
		}
		i++
	}
	return wanted(i, 1000)
}

func tryRunning(ctx context.Context, b *warren.Broker) error {
	var sums []int
	for sum, err := range warren.CallBothFor[int](ctx, b, "py.running", numbers(1, 200)) {
		if err != nil {
			return err
		}
		sums = append(sums, sum)
	}
	if len(sums) != 200 {
		return fmt.Errorf("%d sums", len(sums))
	}
	return wanted(sums[199], 200*201/2)
}

// tryTotal sends many more items than the other side's window has room for.
func tryTotal(ctx context.Context, b *warren.Broker) error {
	for sum, err := range warren.CallBothFor[int](ctx, b, "py.total", numbers(1, 1000)) {
		if err != nil {
			return err
		}
		if err := wanted(sum, 1000*1001/2); err != nil {
			return err
		}
	}
	return nil
}

func tryBroken(ctx context.Context, b *warren.Broker) error {
	items, err := collect(b.CallStream(ctx, "py.broken", warren.Message{}, nil))
	if remote, ok := errors.AsType[*warren.RemoteError](err); !ok || remote.Code != "sold out" || remote.Text != "no more" {
		return fmt.Errorf("the failure is %w", err)
	}
	return wanted(items, []string{"1", "2"})
}

// tryLeave leaves a stream; the other side tells how that ended there.
func tryLeave(ctx context.Context, b *warren.Broker) error {
	for _, err := range b.CallStream(ctx, "py.endless", warren.Message{}, nil) {
		if err != nil {
			return err
		}
		break
	}
	_, err := ending(ctx, b)
	return err
}

// ending tells how many items a stream has sent that has ended at the other side.
func ending(ctx context.Context, b *warren.Broker) (sent int, err error) {
	reply, err := b.Call(ctx, "py.ending", warren.Message{})
	if err == nil {
		_, err = fmt.Sscanf(string(reply.Body), "stopped after %d", &sent)
	}
	return sent, err
}

// tryWindow reads slowly with a window of 4: the other side tells how far it was ahead.
func tryWindow(ctx context.Context, b *warren.Broker) error {
	read := 0
	for _, err := range b.CallStream(ctx, "py.endless", warren.Message{}, nil, warren.CallOptions{Window: 4}) {
		if err != nil {
			return err
		}
		if read++; read == 20 {
			time.Sleep(100 * time.Millisecond)
			break
		}
	}
	sent, err := ending(ctx, b)
	if err == nil && (sent < 20 || sent > 24) {
		err = fmt.Errorf("it has sent %d items of at most 24", sent)
	}
	return err
}

func tryPlain(ctx context.Context, b *warren.Broker) error {
	items, err := collect(b.CallStream(ctx, "py.double", warren.Message{Body: []byte("21")}, nil))
	if err != nil {
		return err
	}
	if err := wanted(items, []string{"42"}); err != nil {
		return err
	}
	_, err = b.Call(ctx, "py.squares", warren.Message{Body: []byte("3")})
	if _, ok := errors.AsType[*warren.RemoteError](err); !ok {
		return fmt.Errorf("a plain call of a stream: %w", err)
	}
	return nil
}

func tryFailingItems(ctx context.Context, b *warren.Broker) error {
	in := func(yield func(warren.Message, error) bool) {
		_ = yield(text(1), nil) && yield(warren.Message{}, errSoldOut)
	}
	items, err := collect(b.CallStream(ctx, "py.running", warren.Message{}, in))
	if err == nil {
		return fmt.Errorf("no failure after %q", items)
	}
	return nil
}

// tryLost calls a server that ends its connection after some items.
func tryLost(ctx context.Context, b *warren.Broker) error {
	items, err := collect(b.CallStream(ctx, "py.dying", warren.Message{}, nil))
	if !errors.Is(err, warren.ErrServerLost) {
		return fmt.Errorf("after %q: %w", items, err)
	}
	return wanted(items, []string{"1", "2"})
}

// tryDeadline: the other side stops when this one has no more time.
func tryDeadline(ctx context.Context, b *warren.Broker) error {
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err := collect(b.CallStream(short, "py.waiting", warren.Message{}, nil))
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the stream ends with %w", err)
	}
	_, err = ending(ctx, b)
	return err
}

// tryMetadata: a request has its headers and properties, and a reply its own.
func tryMetadata(ctx context.Context, b *warren.Broker) error {
	reply, err := b.Call(ctx, "py.metadata", warren.Message{MessageId: "m1", Headers: warren.Table{"lang": "de"}})
	if err != nil {
		return err
	}
	if err := wanted(string(reply.Body), "m1 de"); err != nil {
		return err
	}
	_, err = b.Call(ctx, "py.failing", warren.Message{})
	if !errors.Is(err, warren.ErrBusy) || !warren.Repeatable(err) {
		return fmt.Errorf("the failure is %w", err)
	}
	return nil
}

// tryMany asks three servers at once: one answers, one fails and one says nothing.
func tryMany(ctx context.Context, b *warren.Broker) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	got := map[string]bool{}
	for a, err := range b.CallMany(ctx, "py.offers", "", warren.Message{Body: []byte("21")}) {
		switch a.Queue {
		case "py.offers.1":
			got[a.Queue] = err == nil && string(a.Body) == "42"
		case "py.offers.2":
			got[a.Queue] = errors.Is(err, warren.ErrBusy)
		default:
			got[a.Queue] = errors.Is(err, context.DeadlineExceeded)
		}
	}
	return wanted(got, map[string]bool{"py.offers.1": true, "py.offers.2": true, "py.offers.3": true})
}

// tryDurable calls a server that dies, and is answered by another.
func tryDurable(ctx context.Context, b *warren.Broker) error {
	reply, err := b.Call(ctx, "py.durable", warren.Message{Body: []byte("21")}, warren.CallOptions{Durable: true})
	if err != nil {
		return err
	}
	return wanted(string(reply.Body), "42")
}

// tryWords calls a server that is an example, to its end and not.
func tryWords(ctx context.Context, b *warren.Broker) error {
	words := strings.Fields(strings.Repeat("so many words ", 1000))
	request := warren.Message{Body: []byte(strings.Join(words, " "))}
	items, err := collect(b.CallStream(ctx, "py.words", request, nil))
	if err != nil || len(items) != len(words) {
		return fmt.Errorf("%d of %d words: %w", len(items), len(words), err)
	}
	for m, err := range b.CallStream(ctx, "py.words", request, nil, warren.CallOptions{Window: 8}) {
		if err != nil || string(m.Body) != "so" {
			return fmt.Errorf("the first word is %q: %w", m.Body, err)
		}
		break
	}
	for b.Stats().Unacked > 1 { // beside the request that this function serves
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not stop: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// collect reads a stream to its end.
func collect(answers seq) (bodies []string, err error) {
	for m, err := range answers {
		if err != nil {
			return bodies, err
		}
		bodies = append(bodies, string(m.Body))
	}
	return bodies, nil
}

// numbers are a stream of them.
func numbers(from, to int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for n := from; n <= to && yield(n, nil); n++ {
		}
	}
}

// wanted fails unless two values are equal.
func wanted(got, want any) error {
	if g, w := fmt.Sprintf("%v", got), fmt.Sprintf("%v", want); g != w {
		return fmt.Errorf("it is %s instead of %s", g, w)
	}
	return nil
}
