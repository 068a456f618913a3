package warren

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// What waits to come (again) is in a queue for its delay: its time to live there is the
// delay, and it is dead-lettered to the queue that it is for. Such a queue expires when
// nobody has used it for longer than anything can be in it. This needs no more than AMQP
// with RabbitMQ's arguments.

// publishTime is how long a publish to a delay queue may wait to be admitted. It must be
// over before the queue can expire.
const publishTime = 30 * time.Second

// delayQueue returns the name of the queue for a delay.
func delayQueue(queue string, delay time.Duration) string {
	return queue + ".delay." + strconv.FormatInt(delay.Milliseconds(), 10)
}

// wholeMilliseconds rounds a delay up.
func wholeMilliseconds(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// checkDelay returns a job's delay rounded up to three digits of milliseconds.
func checkDelay(queue string, delay time.Duration) (time.Duration, error) {
	if delay > mostDelay {
		return 0, failure(wire.BasicPublishID, wire.CodePreconditionFailed, "a delay of %v exceeds %v", delay, mostDelay)
	}
	if delay <= 0 {
		return 0, nil
	}
	unit := time.Millisecond
	for delay > 1000*unit {
		unit *= 10
	}
	delay = (delay + unit - 1) / unit * unit
	return delay, checkName(wire.QueueDeclareID, "delay queue name", delayQueue(queue, delay))
}

// publishDelayed publishes a message that comes to the queue after a delay, and waits for
// the confirm. declared says how the queue is declared.
func publishDelayed(ctx context.Context, to site, queue string, delay time.Duration, declared *QueueOptions, msg *Message) error {
	delay = wholeMilliseconds(delay)
	name := delayQueue(queue, delay)
	o := QueueOptions{
		Durable: declared.Durable, Exclusive: declared.Exclusive,
		MessageTTL: delay, Expires: delay + 2*publishTime, DeadLetter: &DeadLetter{RoutingKey: queue},
	}
	var err error
	for range mostDeclarations {
		if _, err := to.QueueDeclare(name, o); err != nil { // it also begins the time to expire anew
			return conflict(name, err)
		}
		if err = to.publishWithin(ctx, publishTime, name, *msg); !errors.Is(err, ErrNoRoute) {
			return err
		}
	}
	return err
}

// publishDeclaring publishes a message to a queue, which it declares if there is none, and
// waits for the confirm.
func publishDeclaring(ctx context.Context, to site, queue string, declared *QueueOptions, msg *Message) error {
	var err error
	for range mostDeclarations {
		if err = to.Publish(ctx, "", queue, *msg, PublishOptions{Mandatory: true}); !errors.Is(err, ErrNoRoute) {
			return err
		}
		if err := declareMissing(to, queue, declared); err != nil {
			return err
		}
	}
	return err
}

// declareMissing declares a queue unless there is one, which is used as it is.
func declareMissing(to site, queue string, declared *QueueOptions) error {
	_, err := to.QueueDeclarePassive(queue)
	if errors.Is(err, ErrNotFound) {
		_, err = to.QueueDeclare(queue, *declared)
		err = conflict(queue, err)
	}
	return err
}
