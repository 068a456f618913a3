// Package bugs has three mistakes that programs make with AMQP, each beside what is right.
// Its tests show the faults that find them.
package bugs

import (
	"context"
	"errors"

	"github.com/rabbitmq/amqp091-go"
)

// PublishOnce publishes an order and returns when the broker has it. It is wrong: a confirm
// may say that the broker has not taken the message.
func PublishOnce(ctx context.Context, ch *amqp091.Channel, order amqp091.Publishing) error {
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "orders", false, false, order)
	if err != nil {
		return err
	}
	_, err = confirm.WaitContext(ctx)
	return err
}

// Publish is PublishOnce, and publishes again what the broker has not taken.
func Publish(ctx context.Context, ch *amqp091.Channel, order amqp091.Publishing) error {
	for {
		confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "orders", false, false, order)
		if err != nil {
			return err
		}
		acked, err := confirm.WaitContext(ctx)
		if acked || err != nil {
			return err
		}
		if ch.IsClosed() {
			return amqp091.ErrClosed
		}
	}
}

// PublishAgain publishes an order, by new connections until one has confirmed it. That is
// right, and an order may be there twice.
func PublishAgain(ctx context.Context, dial func() (*amqp091.Connection, error), order amqp091.Publishing) error {
	for {
		conn, err := dial()
		if err != nil {
			return err
		}
		ch, err := conn.Channel()
		if err == nil {
			err = ch.Confirm(false)
		}
		if err == nil {
			err = Publish(ctx, ch, order)
		}
		conn.Close()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// Bill books orders. It is wrong: an order that is there twice is paid twice.
func Bill(orders <-chan amqp091.Delivery, pay func(id string)) {
	for d := range orders {
		pay(d.MessageId)
		d.Ack(false)
	}
}

// BillOnce books each order once.
func BillOnce(orders <-chan amqp091.Delivery, pay func(id string)) {
	paid := make(map[string]bool) // a program keeps this where it books
	for d := range orders {
		if !paid[d.MessageId] {
			pay(d.MessageId)
			paid[d.MessageId] = true
		}
		d.Ack(false)
	}
}

// errEnded says that a channel has ended.
var errEnded = errors.New("the channel has ended")

// ConsumeByConnection consumes until the connection ends, for somebody to call it again. It
// is wrong: a channel can end without its connection.
func ConsumeByConnection(conn *amqp091.Connection, handle func(amqp091.Delivery)) error {
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	deliveries, err := consume(conn)
	if err != nil {
		return err
	}
	go func() {
		for d := range deliveries {
			handle(d)
		}
	}()
	if err, ok := <-closed; ok {
		return err
	}
	return nil
}

// Consume consumes until the channel ends.
func Consume(conn *amqp091.Connection, handle func(amqp091.Delivery)) error {
	deliveries, err := consume(conn)
	if err != nil {
		return err
	}
	for d := range deliveries {
		handle(d)
	}
	return errEnded
}

func consume(conn *amqp091.Connection) (<-chan amqp091.Delivery, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	return ch.Consume("orders", "", false, false, false, false, nil)
}
