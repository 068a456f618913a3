package remote_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// What a program does by hand that calls and serves by direct reply-to: shared channels,
// mandatory requests, replies by correlation id, a goroutine and an ack for each request.

const replyTo = "amq.rabbitmq.reply-to"

var (
	errReturned = errors.New("no queue has taken the request")
	errNacked   = errors.New("the message was not confirmed")
)

func channelByHand(tb testing.TB, url string) *amqp091.Channel {
	conn, err := amqp091.Dial(url)
	require.NoError(tb, err)
	tb.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(tb, err)
	return ch
}

// serveByHand serves a queue with an echo.
func serveByHand(tb testing.TB, url, queue string) {
	ch := channelByHand(tb, url)
	_, err := ch.QueueDeclare(queue, false, true, false, false, nil)
	require.NoError(tb, err)
	require.NoError(tb, ch.Qos(256, 0, false))
	requests, err := ch.Consume(queue, "", false, false, false, false, nil)
	require.NoError(tb, err)
	go func() {
		for d := range requests {
			go func() {
				reply := amqp091.Publishing{CorrelationId: d.CorrelationId, Body: d.Body}
				if ch.PublishWithContext(context.Background(), "", d.ReplyTo, false, false, reply) == nil {
					d.Ack(false)
				}
			}()
		}
	}()
}

// handCaller calls.
type handCaller struct {
	ch *amqp091.Channel

	mu sync.Mutex
	// Guarded by mu.
	last    uint64
	waiting map[string]chan handReply
}

type handReply struct {
	body []byte
	err  error
}

func newHandCaller(tb testing.TB, url string) *handCaller {
	c := &handCaller{ch: channelByHand(tb, url), waiting: make(map[string]chan handReply)}
	returns := c.ch.NotifyReturn(make(chan amqp091.Return, 1))
	replies, err := c.ch.Consume(replyTo, "", true, false, false, false, nil)
	require.NoError(tb, err)
	go func() {
		for r := range returns {
			c.answer(r.CorrelationId, handReply{err: errReturned})
		}
	}()
	go func() {
		for d := range replies {
			c.answer(d.CorrelationId, handReply{body: d.Body})
		}
	}()
	return c
}

func (c *handCaller) answer(id string, r handReply) {
	c.mu.Lock()
	w := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	if w != nil {
		w <- r
	}
}

func (c *handCaller) call(ctx context.Context, queue string, body []byte) ([]byte, error) {
	w := make(chan handReply, 1)
	c.mu.Lock()
	c.last++
	id := strconv.FormatUint(c.last, 36)
	c.waiting[id] = w
	c.mu.Unlock()
	err := c.ch.PublishWithContext(ctx, "", queue, true, false, amqp091.Publishing{ReplyTo: replyTo, CorrelationId: id, Body: body})
	if err != nil {
		c.answer(id, handReply{})
		return nil, err
	}
	select {
	case r := <-w:
		return r.body, r.err
	case <-ctx.Done():
		c.answer(id, handReply{})
		return nil, ctx.Err()
	}
}

// publishByHand publishes in confirm mode.
func publishByHand(tb testing.TB, url, queue string) caller {
	ch := channelByHand(tb, url)
	_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(tb, err)
	require.NoError(tb, ch.Confirm(false))
	return func(ctx context.Context, queue string, body []byte) ([]byte, error) {
		m := amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: body}
		c, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, m)
		if err != nil {
			return nil, err
		}
		if acked, err := c.WaitContext(ctx); err != nil || !acked {
			return nil, errors.Join(errNacked, err)
		}
		return nil, nil
	}
}
