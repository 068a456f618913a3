// Dropin runs code that was written with amqp091-go for a broker elsewhere
// against one in this process. One line is new: Dial in the amqp091.Config.
// The code declares, publishes with confirms, consumes, and calls a handler of
// this process by direct reply-to.
package main

import (
	"context"
	"fmt"
	"log"
	"strconv"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

func main() {
	log.SetFlags(0)
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	defer srv.Close()
	_, err := b.Handle("price", func(_ context.Context, req *warren.Request) (warren.Message, error) {
		n, err := strconv.Atoi(string(req.Body))
		return warren.Message{Body: []byte(strconv.Itoa(2 * n))}, err
	})
	if err != nil {
		log.Fatal(err)
	}

	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost:5672/", amqp091.Config{
		Dial: srv.Dial, // the one new line
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := work(ctx, conn); err != nil {
		log.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		log.Fatal(err)
	}
}

// work is the code as it was.
func work(ctx context.Context, conn *amqp091.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := jobs(ctx, ch); err != nil {
		return err
	}
	price, err := call(ctx, ch, "price", "21")
	if err != nil {
		return err
	}
	if price != "42" {
		return fmt.Errorf("the price is %q, not 42", price)
	}
	fmt.Println("price:", price)
	return ch.Close()
}

// jobs publishes ten jobs with confirms, then takes and acks them.
func jobs(ctx context.Context, ch *amqp091.Channel) error {
	q, err := ch.QueueDeclare("jobs", false, false, false, false, nil)
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	const n = 10
	for i := range n {
		job := amqp091.Publishing{ContentType: "text/plain", Body: []byte(strconv.Itoa(i))}
		confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", q.Name, true, false, job)
		if err != nil {
			return err
		}
		if acked, err := confirm.WaitContext(ctx); err != nil || !acked {
			return fmt.Errorf("job %d is not confirmed: %w", i, err)
		}
	}
	deliveries, err := ch.ConsumeWithContext(ctx, q.Name, "worker", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for i := range n {
		d, ok := <-deliveries
		if !ok {
			return fmt.Errorf("the consumer has ended: %w", context.Cause(ctx))
		}
		if string(d.Body) != strconv.Itoa(i) {
			return fmt.Errorf("job %d is %q", i, d.Body)
		}
		if err := d.Ack(false); err != nil {
			return err
		}
	}
	fmt.Println("jobs done:", n)
	return ch.Cancel("worker", false)
}

// call is RPC by direct reply-to.
func call(ctx context.Context, ch *amqp091.Channel, queue, body string) (string, error) {
	const pseudoQueue = "amq.rabbitmq.reply-to"
	replies, err := ch.ConsumeWithContext(ctx, pseudoQueue, "", true, false, false, false, nil)
	if err != nil {
		return "", err
	}
	request := amqp091.Publishing{ReplyTo: pseudoQueue, CorrelationId: "1", Body: []byte(body)}
	if err := ch.PublishWithContext(ctx, "", queue, true, false, request); err != nil {
		return "", err
	}
	select {
	case reply := <-replies:
		if reply.CorrelationId != "1" {
			return "", fmt.Errorf("a reply to %q", reply.CorrelationId)
		}
		return string(reply.Body), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
