// Healthcheck asks a machine whether it is alive, by direct reply-to on the
// AMQP level: no reply queue is declared. It shows as well how the machine
// learns whether the one who asked is still there.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/warrenmq/warren"
)

const (
	pingQueue = "health"
	ping      = "Hello World"
	pong      = "Hello from Consumer"
)

func main() {
	log.SetFlags(0)
	b := warren.New(nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := run(ctx, b)
	if err == nil {
		err = b.Close()
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, b *warren.Broker) error {
	target, err := b.Channel()
	if err != nil {
		return err
	}
	if _, err := target.QueueDeclare(pingQueue, warren.QueueOptions{}); err != nil {
		return err
	}
	requester, err := b.Channel()
	if err != nil {
		return err
	}

	replies, err := sendPing(ctx, requester)
	if err != nil {
		return err
	}
	address, err := answerPing(ctx, target)
	if err != nil {
		return err
	}
	d, err := replies.Next(ctx)
	if err != nil {
		return err
	}
	if string(d.Body) != pong {
		return fmt.Errorf("received an unexpected message: %q", d.Body)
	}
	fmt.Println("the target machine is active:", string(d.Body))

	if err := isThere(b, address); err != nil {
		return fmt.Errorf("the requester is there, but: %w", err)
	}
	fmt.Println("the requester is there")
	if err := requester.Close(); err != nil {
		return err
	}
	if err := isThere(b, address); !errors.Is(err, warren.ErrNotFound) {
		return fmt.Errorf("the requester has gone, but the check gave: %v", err)
	}
	fmt.Println("the requester has gone")

	err = target.Publish(ctx, "", address, warren.Message{Body: []byte(pong)}, warren.PublishOptions{Mandatory: true})
	if !errors.Is(err, warren.ErrNoRoute) {
		return fmt.Errorf("a mandatory reply to a requester that has gone gave: %v", err)
	}
	fmt.Println("a mandatory reply to it came back")
	return nil
}

// sendPing consumes from the pseudo-queue, then sends the ping on the same
// channel. The order matters: without a reply consumer the publish is refused.
func sendPing(ctx context.Context, ch *warren.Channel) (*warren.Consumer, error) {
	replies, err := ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
	if err != nil {
		return nil, err
	}
	request := warren.Message{ReplyTo: warren.DirectReplyTo, Body: []byte(ping)}
	// Mandatory: if nobody has such a queue, say so at once.
	return replies, ch.Publish(ctx, "", pingQueue, request, warren.PublishOptions{Mandatory: true})
}

// answerPing takes the ping and replies to the address that the broker has
// put in the place of the pseudo-queue's name.
func answerPing(ctx context.Context, ch *warren.Channel) (address string, err error) {
	for d, err := range ch.Deliveries(ctx, pingQueue, warren.ConsumeOptions{}) {
		if err != nil {
			return "", err
		}
		if string(d.Body) != ping {
			return "", fmt.Errorf("received an unexpected message: %q", d.Body)
		}
		reply := warren.Message{CorrelationId: d.CorrelationId, Body: []byte(pong)}
		if err := ch.Publish(ctx, "", d.ReplyTo, reply, warren.PublishOptions{}); err != nil {
			return "", err
		}
		return d.ReplyTo, d.Ack(false)
	}
	return "", ctx.Err()
}

// isThere asks whether the requester of an address still waits for replies, on
// a channel to throw away: over AMQP, the answer no closes the channel.
func isThere(b *warren.Broker, address string) error {
	ch, err := b.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	_, err = ch.QueueDeclarePassive(address)
	return err
}
