package amqp_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// stream declares a stream.
func (t *env) stream(name string, args amqp091.Table) {
	t.Helper()
	list := amqp091.Table{"x-queue-type": "stream"}
	for k, v := range args {
		list[k] = v
	}
	_, err := t.open().QueueDeclare(name, true, false, false, false, list)
	require.NoError(t, err)
}

// reader consumes from a stream on a channel of its own.
func (t *env) reader(queue string, prefetch int, args amqp091.Table) (<-chan amqp091.Delivery, *amqp091.Channel) {
	t.Helper()
	ch := t.open()
	require.NoError(t, ch.Qos(prefetch, 0, false))
	c, err := ch.Consume(queue, "reader", false, false, false, false, args)
	require.NoError(t, err)
	return c, ch
}

// pull reads n deliveries, acks each, and requires that there are no more.
func (t *env) pull(c <-chan amqp091.Delivery, n int) []string {
	t.Helper()
	list := []string{}
	for range n {
		d := t.next(c)
		list = append(list, string(d.Body))
		require.NoError(t, d.Ack(false))
	}
	t.none(c)
	return list
}

var fromFirst = amqp091.Table{"x-stream-offset": "first"}

// consumeStream consumes from the stream s.
func consumeStream(prefetch int, noAck bool, args amqp091.Table) func(ch *amqp091.Channel) error {
	return func(ch *amqp091.Channel) error {
		if err := ch.Qos(prefetch, 0, false); err != nil {
			return err
		}
		_, err := ch.Consume("s", "", noAck, false, false, false, args)
		return err
	}
}

// A streamError is what a client does to streams, and what it gets for it.
type streamError struct {
	code int
	text string
	f    func(ch *amqp091.Channel) error
}

func streamErrors() map[string]streamError {
	declare := func(durable, autoDelete, exclusive bool, args amqp091.Table) func(ch *amqp091.Channel) error {
		return func(ch *amqp091.Channel) error {
			list := amqp091.Table{"x-queue-type": "stream"}
			for k, v := range args {
				list[k] = v
			}
			_, err := ch.QueueDeclare("new", durable, autoDelete, exclusive, false, list)
			return err
		}
	}
	arg := func(name string, v any) func(ch *amqp091.Channel) error {
		return declare(true, false, false, amqp091.Table{name: v})
	}
	const invalid = "PRECONDITION_FAILED - invalid "
	return map[string]streamError{
		"transient":   {406, invalid + "property 'non-durable' for queue 'new' in vhost '/'", declare(false, false, false, nil)},
		"auto-delete": {406, invalid + "property 'auto-delete' for queue 'new' in vhost '/'", declare(true, true, false, nil)},
		"exclusive":   {406, invalid + "property 'exclusive-owner' for queue 'new' in vhost '/'", declare(true, false, true, nil)},
		"server-named": {406, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue", func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclare("", true, false, false, false, amqp091.Table{"x-queue-type": "stream"})
			return err
		}},
		"declared again as classic": {406, "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 's' in vhost '/': received none but current is the value 'stream' of type 'longstr'", func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclare("s", true, false, false, false, nil)
			return err
		}},
		"declared again with an age": {406, "PRECONDITION_FAILED - inequivalent arg 'x-max-age' for queue 's' in vhost '/': received the value '1h' of type 'longstr' but current is none", func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclare("s", true, false, false, false, amqp091.Table{"x-queue-type": "stream", "x-max-age": "1h"})
			return err
		}},
		"odd age":        {406, invalid + "arg 'x-max-age' for queue 'new' in vhost '/': invalid_max_age", arg("x-max-age", "1x")},
		"numeric age":    {406, invalid + "arg 'x-max-age' for queue 'new' in vhost '/': {unacceptable_type,signedint}", arg("x-max-age", int32(5))},
		"negative bytes": {406, invalid + "arg 'x-max-length-bytes' for queue 'new' in vhost '/': {value_negative,-1}", arg("x-max-length-bytes", int32(-1))},
		"huge segment":   {406, "PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes", arg("x-stream-max-segment-size-bytes", int64(4e9))},
		"expires":        {406, invalid + "arg 'x-expires' for queue 'new' in vhost '/' of queue type rabbit_stream_queue", arg("x-expires", int32(5))},
		"dead letters":   {406, invalid + "arg 'x-dead-letter-exchange' for queue 'new' in vhost '/' of queue type rabbit_stream_queue", arg("x-dead-letter-exchange", "x")},
		"no prefetch":    {406, "PRECONDITION_FAILED - consumer prefetch count is not set for 'queue 's' in vhost '/''", consumeStream(0, false, nil)},
		"odd offset":     {406, invalid + "arg 'x-stream-offset' for queue 's' in vhost '/': {invalid_stream_offset_arg,{longstr,<<\"0s\">>}}", consumeStream(1, false, amqp091.Table{"x-stream-offset": "0s"})},
		"priority":       {406, invalid + "arg 'x-priority' for queue 's' in vhost '/' of queue type rabbit_stream_queue", consumeStream(1, false, amqp091.Table{"x-priority": 5})},
		"odd priority":   {406, invalid + "arg 'x-priority' for queue 's' in vhost '/' of queue type rabbit_stream_queue", consumeStream(1, false, amqp091.Table{"x-priority": "x"})},
		"odd locator":    {406, invalid + "arg 'x-queue-leader-locator' for queue 'new' in vhost '/': invalid_queue_locator_arg", arg("x-queue-leader-locator", "x")},
		"wrong for a new queue": {406, "PRECONDITION_FAILED - inequivalent arg 'x-max-age' for queue 's' in vhost '/': received the value '1x' of type 'longstr' but current is none", func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclare("s", true, false, false, false, amqp091.Table{"x-queue-type": "stream", "x-max-age": "1x"})
			return err
		}},
		"age of a quorum queue": {406, invalid + "arg 'x-max-age' for queue 'new' in vhost '/' of queue type rabbit_quorum_queue", func(ch *amqp091.Channel) error {
			quorum := amqp091.Table{"x-queue-type": "quorum", "x-quorum-initial-group-size": int32(3), "x-dead-letter-strategy": "at-least-once"}
			if _, err := ch.QueueDeclare("quorum", true, false, false, false, quorum); err != nil {
				return err
			}
			quorum["x-max-age"] = "1h"
			_, err := ch.QueueDeclare("new", true, false, false, false, quorum)
			return err
		}},
		"offset in a classic queue": {406, invalid + "arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type rabbit_classic_queue", func(ch *amqp091.Channel) error {
			_, err := ch.Consume("q", "", false, false, false, false, fromFirst)
			return err
		}},

		"no ack": {540, "NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queues queue 's' in vhost '/'", consumeStream(1, true, nil)},
		"get": {540, "NOT_IMPLEMENTED - basic.get not supported by stream queues queue 's' in vhost '/'", func(ch *amqp091.Channel) error {
			_, _, err := ch.Get("s", false)
			return err
		}},
		"purge": {540, "NOT_IMPLEMENTED - queue.purge not supported by stream queues queue 's' in vhost '/'", func(ch *amqp091.Channel) error {
			_, err := ch.QueuePurge("s", false)
			return err
		}},
	}
}

func TestStreamErrorsCloseWhatRabbitMQCloses(t *testing.T) {
	for name, c := range streamErrors() {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				t.stream("s", nil)
				t.queue(t.open(), "q")
				if c.code == 540 {
					t.connectionFails(c.code, c.text, c.f)
				} else {
					t.channelFails(c.code, c.text, c.f)
				}
			})
		})
	}
}

func TestAStreamIsReadFromManyPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		offset any
		first  int
	}{
		"first": {"first", 0}, "last": {"last", 9}, "next": {"next", 10},
		"int8": {int8(4), 4}, "uint8": {uint8(4), 4}, "int16": {int16(4), 4}, "int32": {int32(4), 4}, "int64": {int64(4), 4},
		"future": {12, 12}, "the last 3": {-3, 7},
		"time": {time.Date(2000, 1, 1, 0, 0, 4, 0, time.UTC), 4}, "time to come": {time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), 10},
		"interval": {"4s", 6}, "long interval": {"1h", 0}, "bytes": {[]byte("first"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				t.stream("s", nil)
				ch := t.open()
				for i := range 10 { // one a second, the first at 2000-01-01 00:00:00
					t.put(ch, "", "s", fmt.Sprint(i))
					time.Sleep(time.Second)
				}
				r, _ := t.reader("s", 100, amqp091.Table{"x-stream-offset": c.offset})
				for i := 10; i < 15; i++ {
					t.put(ch, "", "s", fmt.Sprint(i))
				}
				for i := c.first; i < 15; i++ {
					d := t.next(r)
					require.Equal(t, fmt.Sprint(i), string(d.Body))
					require.Equal(t, amqp091.Table{"x-stream-offset": int64(i)}, d.Headers)
					require.False(t, d.Redelivered)
				}
				t.none(r)
			})
		})
	}
}

func TestWithoutAnOffsetAStreamIsReadFromNowOn(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("s", nil)
		ch := t.open()
		t.put(ch, "", "s", "old")
		synctest.Wait()
		r, _ := t.reader("s", 1, nil)
		t.put(ch, "", "s", "new")
		require.Equal(t, []string{"new"}, t.pull(r, 1))
	})
}

func TestAcksNacksAndRejectsTakeAStreamOn(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("s", nil)
		t.put(t.open(), "", "s", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
		synctest.Wait()
		r, ch := t.reader("s", 2, fromFirst)
		require.Equal(t, []string{"0", "1"}, t.bodies(r, 2))
		require.NoError(t, ch.Nack(1, false, true))
		require.Equal(t, []string{"2"}, t.bodies(r, 1))
		require.NoError(t, ch.Reject(2, true))
		require.Equal(t, []string{"3"}, t.bodies(r, 1))
		require.NoError(t, ch.Ack(4, true))
		require.Equal(t, []string{"4", "5"}, t.bodies(r, 2))
		require.NoError(t, ch.Nack(0, true, true))
		require.Equal(t, []string{"6", "7"}, t.bodies(r, 2))
		require.NoError(t, ch.Cancel("reader", false))
		require.NoError(t, ch.Ack(8, true), "what was delivered can be settled")
		synctest.Wait()
		require.Zero(t, t.broker.Stats().Unacked)
		require.Equal(t, 10, t.ready("s"))

		again, err := ch.Consume("s", "reader", false, false, false, false, fromFirst)
		require.NoError(t, err)
		require.Equal(t, []string{"0", "1"}, t.bodies(again, 2))
		require.NoError(t, ch.Close())
		synctest.Wait()
		require.Zero(t, t.broker.Stats().Unacked)
		require.Equal(t, 10, t.ready("s"))
	})
}

func TestAcksForAStreamWaitForTheirTransaction(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("s", nil)
		t.put(t.open(), "", "s", "0", "1", "2", "3", "4", "5")
		synctest.Wait()
		r, ch := t.reader("s", 2, fromFirst)
		require.Equal(t, []string{"0", "1"}, t.bodies(r, 2))
		require.NoError(t, ch.Tx())
		require.NoError(t, ch.Ack(2, true))
		t.none(r)
		require.NoError(t, ch.TxCommit())
		require.Equal(t, []string{"2", "3"}, t.bodies(r, 2))
		require.NoError(t, ch.Ack(4, true))
		require.NoError(t, ch.TxRollback())
		t.none(r)
	})
}

func TestAStreamKeepsPropertiesAndAddsTheOffset(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("s", nil)
		ch := t.open()
		for _, m := range []amqp091.Publishing{
			{Body: []byte("plain")},
			{Body: []byte("full"), ContentType: "text/plain", Headers: amqp091.Table{"a": "b", "x-stream-offset": "mine"}, Expiration: "1", AppId: "app"},
		} {
			require.NoError(t, ch.PublishWithContext(t.Context(), "", "s", false, false, m))
		}
		synctest.Wait()
		require.NoError(t, t.native().Publish(t.Context(), "", "s", warren.Message{MessageId: "native"}, warren.PublishOptions{}))
		for range 2 {
			r, _ := t.reader("s", 10, fromFirst)
			require.Equal(t, amqp091.Table{"x-stream-offset": int64(0)}, t.next(r).Headers)
			full := t.next(r)
			require.Equal(t, amqp091.Table{"a": "b", "x-stream-offset": int64(1)}, full.Headers)
			require.Equal(t, []string{"full", "text/plain", "1", "app"}, []string{string(full.Body), full.ContentType, full.Expiration, full.AppId})
			native := t.next(r)
			require.Equal(t, amqp091.Table{"x-stream-offset": int64(2)}, native.Headers)
			require.Equal(t, "native", native.MessageId)
		}
		c, err := t.native().Consume("s", warren.ConsumeOptions{Offset: warren.StreamOffset(1), Prefetch: 1})
		require.NoError(t, err)
		d, err := c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, warren.Table{"a": "b", "x-stream-offset": int64(1)}, d.Headers)
		require.Equal(t, "text/plain", d.ContentType)
	})
}

func TestFiltersPickMessagesOfAStream(t *testing.T) {
	for name, c := range map[string]struct {
		args amqp091.Table
		want []string
	}{
		"none":           {nil, []string{"1", "2", "3", "4", "5", "6"}},
		"one":            {amqp091.Table{"x-stream-filter": "a"}, []string{"1", "4"}},
		"list":           {amqp091.Table{"x-stream-filter": []any{"a", "b", "z"}}, []string{"1", "2", "4"}},
		"and unfiltered": {amqp091.Table{"x-stream-filter": "b", "x-stream-match-unfiltered": true}, []string{"2", "3", "5", "6"}},
		"nobody's":       {amqp091.Table{"x-stream-filter": "z", "x-stream-match-unfiltered": false}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				t.stream("s", nil)
				ch := t.open()
				for i, v := range []any{"a", "b", nil, "a", int32(5), ""} {
					m := amqp091.Publishing{Body: []byte(fmt.Sprint(i + 1)), Headers: amqp091.Table{"n": int32(i)}}
					if v != nil {
						m.Headers["x-stream-filter-value"] = v
					}
					require.NoError(t, ch.PublishWithContext(t.Context(), "", "s", false, false, m))
				}
				synctest.Wait()
				args := amqp091.Table{"x-stream-offset": "first"}
				for k, v := range c.args {
					args[k] = v
				}
				r, _ := t.reader("s", 1, args)
				require.Equal(t, c.want, t.pull(r, len(c.want)))
			})
		})
	}
}

func TestAStreamIsBoundedByItsArguments(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("length", amqp091.Table{"x-max-length": int32(16)})
		t.stream("bytes", amqp091.Table{"x-max-length-bytes": int32(160), "x-stream-max-segment-size-bytes": int64(1)})
		t.stream("age", amqp091.Table{"x-max-age": "1m"})
		ch := t.open()
		for i := range 100 {
			t.put(ch, "", "length", fmt.Sprint(i))
			t.put(ch, "", "bytes", fmt.Sprintf("%016d", i))
		}
		t.put(ch, "", "age", "m")
		require.Contains(t, []int{15, 16}, t.ready("length"))
		require.Equal(t, 100-64, t.ready("bytes"), "a segment has 1 KiB at least")
		r, _ := t.reader("length", 1, fromFirst)
		require.GreaterOrEqual(t, t.next(r).Headers["x-stream-offset"], int64(84))
		require.Equal(t, 1, t.ready("age"))
		time.Sleep(time.Minute)
		require.Zero(t, t.ready("age"))
	})
}

func TestStreamsConfirmAndReturn(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("s", nil)
		ch := t.open()
		require.NoError(t, ch.QueueBind("s", "k", "amq.topic", false, nil))
		require.NoError(t, ch.Confirm(false))
		returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
		for key, returned := range map[string]bool{"k": false, "other": true} {
			c, err := ch.PublishWithDeferredConfirm("amq.topic", key, true, false, amqp091.Publishing{})
			require.NoError(t, err)
			require.True(t, c.Wait())
			require.Equal(t, returned, len(returns) == 1)
			if returned {
				<-returns
			}
		}
		require.Equal(t, 1, t.ready("s"))
	})
}

func TestRequestsInAStreamAreAnswered(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("s", nil)
		requests, server := t.reader("s", 1, nil)
		client := t.open()
		replies := t.consume(client, "amq.rabbitmq.reply-to", "", true)
		m := amqp091.Publishing{ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "1", Body: []byte("hi")}
		require.NoError(t, client.PublishWithContext(t.Context(), "", "s", false, false, m))
		d := t.next(requests)
		require.Equal(t, amqp091.Table{"x-stream-offset": int64(0)}, d.Headers)
		t.put(server, "", d.ReplyTo, "re: "+string(d.Body))
		require.Equal(t, "re: hi", string(t.next(replies).Body))
	})
}

func TestTheEndOfAStreamCancelsItsReaders(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("s", nil)
		t.put(t.open(), "", "s", "0", "1", "2")
		synctest.Wait()
		r, ch := t.reader("s", 2, fromFirst)
		cancelled := ch.NotifyCancel(make(chan string, 1))
		require.Equal(t, []string{"0", "1"}, t.bodies(r, 2))
		n, err := t.open().QueueDelete("s", false, false, false)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Equal(t, "reader", <-cancelled)
		require.NoError(t, ch.Ack(2, true))
		_, err = ch.QueueDeclare("", false, false, true, false, nil)
		require.NoError(t, err, "the channel is well")
	})
}

func TestAClientThatDoesNotReadHoldsNoStreamBack(t *testing.T) {
	withServer(t, func(t *env) {
		t.stream("s", amqp091.Table{"x-max-length": int32(64)})
		slow, _ := t.reader("s", 3, nil)
		fast, _ := t.reader("s", 3, nil)
		ch := t.open()
		for i := range 500 {
			t.put(ch, "", "s", fmt.Sprint(i))
			d := t.next(fast)
			require.Equal(t, fmt.Sprint(i), string(d.Body))
			require.NoError(t, d.Ack(false))
		}
		synctest.Wait()
		require.Equal(t, 3, t.broker.Stats().Unacked)
		for range 3 {
			d := t.next(slow)
			require.NoError(t, d.Ack(false))
		}
		require.GreaterOrEqual(t, t.next(slow).Headers["x-stream-offset"], int64(436), "it goes on at the oldest message")
	})
}
