// Callbackqueue is RPC by hand, as any AMQP client can do it: an exclusive
// callback queue takes the replies and correlation ids tell them apart. It
// sends ten requests to two workers and checks each answer.
package main

import (
	"context"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/warrenmq/warren"
	"golang.org/x/sync/errgroup"
)

const requestQueue = "rpc_queue"

func main() {
	log.SetFlags(0)
	b := warren.New(nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := startWorkers(b, 2)
	if err == nil {
		err = client(ctx, b)
	}
	if err == nil {
		err = b.Close()
	}
	if err != nil {
		log.Fatal(err)
	}
}

// startWorkers declares the request queue and serves it: each request is a
// number, its reply the square. The broker's Close ends the workers.
func startWorkers(b *warren.Broker, n int) error {
	ch, err := b.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(requestQueue, warren.QueueOptions{}); err != nil {
		return err
	}
	for range n {
		_, err := ch.ConsumeFunc(requestQueue, warren.ConsumeOptions{Prefetch: 1}, func(ctx context.Context, d warren.Delivery) error {
			return serve(ctx, ch, d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// serve answers one request: the reply goes to the queue that ReplyTo names,
// with the request's CorrelationId. The request is acknowledged when serve has
// returned; an error rejects it.
func serve(ctx context.Context, ch *warren.Channel, d warren.Delivery) error {
	n, err := strconv.Atoi(string(d.Body))
	if err != nil {
		return err
	}
	reply := warren.Message{CorrelationId: d.CorrelationId, Body: []byte(strconv.Itoa(n * n))}
	return ch.Publish(ctx, "", d.ReplyTo, reply, warren.PublishOptions{})
}

// client sends its requests, all at once, and matches the replies.
func client(ctx context.Context, b *warren.Broker) error {
	ch, err := b.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()

	// An empty name lets the broker choose one; exclusive: nobody else may
	// read the queue, and it goes when the client goes.
	callback, err := ch.QueueDeclare("", warren.QueueOptions{Exclusive: true})
	if err != nil {
		return err
	}
	// Consume first: then no reply can come too early.
	replies, err := ch.Consume(callback.Name, warren.ConsumeOptions{NoAck: true})
	if err != nil {
		return err
	}

	waiting := make(map[string]int) // number asked for, by correlation id
	for n := range 10 {
		waiting[uuid.NewString()] = n
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for id, n := range waiting {
		request := warren.Message{ReplyTo: callback.Name, CorrelationId: id, Body: []byte(strconv.Itoa(n))}
		group.Go(func() error {
			// Mandatory: an error tells that nobody has such a queue.
			return ch.Publish(groupCtx, "", requestQueue, request, warren.PublishOptions{Mandatory: true})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return match(ctx, replies, waiting)
}

// match reads replies until no request waits for one.
func match(ctx context.Context, replies *warren.Consumer, waiting map[string]int) error {
	for len(waiting) > 0 {
		d, err := replies.Next(ctx)
		if err != nil {
			return fmt.Errorf("%d replies are missing: %w", len(waiting), err)
		}
		n, ok := waiting[d.CorrelationId]
		if !ok {
			continue // not ours, or a second answer: drop it
		}
		delete(waiting, d.CorrelationId)
		if want := strconv.Itoa(n * n); string(d.Body) != want {
			return fmt.Errorf("the reply to %d is %q, not %q", n, d.Body, want)
		}
		fmt.Printf("%d * %d = %s\n", n, n, d.Body)
	}
	return nil
}
