package warren_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// runDelayed runs f with a delayed fanout exchange "later" that leads to queue
// "q".
func runDelayed(t *testing.T, f func(t *testing.T, b *warren.Broker, ch *warren.Channel)) {
	t.Helper()
	runDelayedWith(t, nil, f)
}

func runDelayedWith(t *testing.T, o *warren.Options, f func(t *testing.T, b *warren.Broker, ch *warren.Channel)) {
	t.Helper()
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		delayedExchange(t, ch, "later", warren.Fanout)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "", "later", nil))
		f(t, b, ch)
	})
}

func delayedExchange(t testing.TB, ch *warren.Channel, name string, kind warren.ExchangeType) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare(name, warren.DelayedMessage, warren.ExchangeOptions{DelayedType: kind}))
}

// delayed is a message that is to be delayed.
func delayed(body string, d time.Duration) warren.Message {
	return warren.Message{Body: []byte(body), Headers: warren.Table{warren.DelayHeader: warren.Delay(d)}}
}

// putDelayed publishes a message that is to be delayed.
func putDelayed(t testing.TB, ch *warren.Channel, exchange, key, body string, d time.Duration) {
	t.Helper()
	require.NoError(t, brokertest.Send(ch, exchange, key, delayed(body, d), warren.PublishOptions{}))
}

// tenYears is the longest delay. What asks for more is not delivered at once, but
// kept as long as that.
const tenYears = 10 * 365 * 24 * time.Hour

func TestDelayHeader(t *testing.T) {
	for _, c := range []struct {
		rule  string
		value any
		delay time.Duration // zero: at once
		after any           // the header at delivery
	}{
		{"a long", int64(1500), 1500 * time.Millisecond, int64(-1500)},
		{"an int", 1500, 1500 * time.Millisecond, int64(-1500)},
		{"a signed int", int32(1), time.Millisecond, int64(-1)},
		{"a short", int16(5), 5 * time.Millisecond, int64(-5)},
		{"an unsigned byte", uint8(255), 255 * time.Millisecond, int64(-255)},
		{"an unsigned int", uint32(math.MaxUint32), math.MaxUint32 * time.Millisecond, int64(-math.MaxUint32)},
		{"what 32 bits can just say", int64(1 << 31), 1 << 31 * time.Millisecond, int64(math.MinInt32)},
		{"a float loses its fraction", 2000.9, 2 * time.Second, int64(-2000)},
		{"a short float", float32(8), 8 * time.Millisecond, int64(-8)},
		{"a numeric string", "300", 300 * time.Millisecond, int64(-300)},
		{"the helper", warren.Delay(time.Hour), time.Hour, int64(-3_600_000)},
		{"the helper with months", warren.Delay(100 * 24 * time.Hour), 100 * 24 * time.Hour, int64(-8_640_000_000)},
		{"the helper at its bound", warren.Delay(math.MaxInt64), tenYears, int64(-tenYears / time.Millisecond)},
		{"the helper with what has passed", warren.Delay(-time.Hour), 0, int64(0)},
		{"zero", int64(0), 0, int64(0)},
		{"negative", int64(-5), 0, int64(-5)},
		{"more than the plugin's bound", int64(math.MaxUint32 + 1), (math.MaxUint32 + 1) * time.Millisecond, int64(-math.MaxUint32 - 1)},
		{"more than ten years", int64(math.MaxInt64), tenYears, int64(-tenYears / time.Millisecond)},
		{"a float of more than ten years", 1e12, tenYears, int64(-tenYears / time.Millisecond)},
		{"a float of less than one", 0.9, 0, 0.9},
		{"infinity", math.Inf(1), tenYears, int64(-tenYears / time.Millisecond)},
		{"no number", math.Inf(-1), 0, math.Inf(-1)},
		{"an empty string", "", 0, ""},
		{"a string that is no number", "soon", 0, "soon"},
		{"a string that is negative", "-300", 0, "-300"},
		{"a string of more than ten years", "99999999999999999999", tenYears, int64(-tenYears / time.Millisecond)},
		{"a bool", true, 0, true},
		{"nothing", nil, 0, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
				msg := warren.Message{Headers: warren.Table{warren.DelayHeader: c.value, "mine": "1"}, Type: "t", Body: []byte("x")}
				require.NoError(t, brokertest.Send(ch, "later", "key", msg, warren.PublishOptions{}))
				if c.delay > 0 {
					require.Zero(t, brokertest.Ready(t, ch, "q"))
					brokertest.Later(c.delay - 1)
					require.Zero(t, brokertest.Ready(t, ch, "q"))
					require.Equal(t, 1, b.Stats().Delayed)
					brokertest.Later(1)
				}
				d := brokertest.Take(t, ch, "q")
				require.Equal(t, warren.Table{warren.DelayHeader: c.after, "mine": "1"}, d.Headers)
				require.Equal(t, []string{"x", "t", "later", "key"}, []string{string(d.Body), d.Type, d.Exchange, d.RoutingKey})
				require.Equal(t, c.value, msg.Headers[warren.DelayHeader], "the publisher's table is as it was")
				require.Zero(t, b.Stats().Delayed)
			})
		})
	}
}

func TestDelayedExchangeDeclareRefuses(t *testing.T) {
	for _, c := range []struct {
		rule string
		args warren.Table
		text string
	}{
		{"no type to route by", nil, "Invalid argument, 'x-delayed-type' must be an existing exchange type"},
		{"a type that is no text", warren.Table{"x-delayed-type": int32(1)}, "Invalid argument, 'x-delayed-type' must be an existing exchange type"},
		{"an unknown type", warren.Table{"x-delayed-type": "odd"}, "unknown exchange type 'odd'"},
		{"an empty type", warren.Table{"x-delayed-type": ""}, "unknown exchange type ''"},
		{"itself", warren.Table{"x-delayed-type": "x-delayed-message"}, "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"},
		{"itself under its other name", warren.Table{"x-delayed-type": "x-delayed-exchange"}, "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"},
		{"what that type refuses", warren.Table{"x-delayed-type": "x-consistent-hash", "hash-property": "odd"}, "Unsupported property: odd"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				for _, kind := range []warren.ExchangeType{warren.DelayedMessage, "x-delayed-exchange"} {
					brokertest.Fails(t, ch.ExchangeDeclare("x", kind, warren.ExchangeOptions{Args: c.args}), 406, 40, 10, "PRECONDITION_FAILED - "+c.text)
				}
				require.ErrorIs(t, ch.ExchangeDeclarePassive("x"), warren.ErrNotFound)
			})
		})
	}
}

func TestDelayedExchangeRedeclareComparesItsType(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		delayedExchange(t, ch, "x", warren.Topic)
		delayedExchange(t, ch, "x", warren.Topic)
		require.NoError(t, ch.ExchangeDeclare("x", "x-delayed-exchange", warren.ExchangeOptions{Args: warren.Table{"x-delayed-type": "topic"}}), "its other name")
		brokertest.Fails(t, ch.ExchangeDeclare("x", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Direct}), 406, 40, 10,
			"PRECONDITION_FAILED - inequivalent arg 'x-delayed-type' for exchange 'x' in vhost '/': received 'direct' but current is 'topic'")
		brokertest.Fails(t, ch.ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{}), 406, 40, 10,
			"PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'topic' but current is 'x-delayed-message'")
	})
}

func TestDelayedExchangeRoutesAsItsType(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		for _, c := range []struct {
			kind warren.ExchangeType
			key  string
			args warren.Table
			yes  string
			no   string
		}{
			{warren.Direct, "k", nil, "k", "other"},
			{warren.Topic, "a.*", nil, "a.b", "b.a"},
			{warren.Headers, "", warren.Table{"n": 1}, "k", ""},
			{warren.ConsistentHash, "1", nil, "whatever", ""},
		} {
			name := "x-" + string(c.kind)
			delayedExchange(t, ch, name, c.kind)
			brokertest.Queues(t, ch, name)
			require.NoError(t, ch.QueueBind(name, c.key, name, c.args))
			for _, delay := range []time.Duration{0, time.Second} {
				msg := delayed("yes", delay)
				msg.Headers["n"] = 1
				require.NoError(t, brokertest.Send(ch, name, c.yes, msg, warren.PublishOptions{}))
				if c.no != "" {
					putDelayed(t, ch, name, c.no, "no", delay)
				}
				brokertest.Later(delay)
				require.Equal(t, []string{"yes"}, brokertest.Drain(t, ch, name), c.kind)
			}
		}
		brokertest.Fails(t, ch.QueueBind("x-headers", "", "x-headers", warren.Table{"x-match": "odd"}), 406, 50, 20,
			`PRECONDITION_FAILED - Invalid x-match field value <<"odd">>; expected all, any, all-with-x, or any-with-x`)
	})
}

func TestDelayedMessagesComeInTheOrderOfTheirTimes(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		putDelayed(t, ch, "later", "", "3", 3*time.Second)
		putDelayed(t, ch, "later", "", "1", time.Second)
		putDelayed(t, ch, "later", "", "5a", 5*time.Second)
		putDelayed(t, ch, "later", "", "5b", 5*time.Second)
		putDelayed(t, ch, "later", "", "0", 0)
		brokertest.Later(time.Second)
		require.Equal(t, []string{"0", "1"}, brokertest.Drain(t, ch, "q"))
		putDelayed(t, ch, "later", "", "5c", 4*time.Second)
		putDelayed(t, ch, "later", "", "2", time.Second)
		brokertest.Later(4 * time.Second)
		require.Equal(t, []string{"2", "3", "5a", "5b", "5c"}, brokertest.Drain(t, ch, "q"))
	})
}

// 10,000 messages with 1,000 different delays wait at the same time: no
// goroutine waits with them, and all come in their order.
func TestManyDelayedMessagesWaitWithOneTimer(t *testing.T) {
	runDelayedWith(t, &warren.Options{MemoryLimit: -1}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		n, step := brokertest.Less(10_000, 10), brokertest.Less(1_000, 10)
		before := runtime.NumGoroutine()
		for i := range n {
			delay := (i*7919)%step + 1
			putDelayed(t, ch, "later", "", strconv.Itoa(delay*n+i), time.Duration(delay)*time.Millisecond)
		}
		require.LessOrEqual(t, runtime.NumGoroutine(), before)
		require.Equal(t, n, b.Stats().Delayed)
		brokertest.Later(time.Duration(step/2) * time.Millisecond)
		require.Equal(t, n/2, brokertest.Ready(t, ch, "q"))
		brokertest.Later(time.Duration(step/2) * time.Millisecond)
		require.Equal(t, n, brokertest.Ready(t, ch, "q"))
		last := -1
		for range n {
			d, _, _ := ch.Get("q", true)
			at, _ := strconv.Atoi(string(d.Body))
			if at <= last {
				require.FailNow(t, "out of order", "%d after %d", at, last)
			}
			last = at
		}
		require.Zero(t, b.Stats().Delayed)
	})
}

func TestDelayedMessageCountsAsNotRouted(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		require.NoError(t, ch.Confirm())
		ret := (*warren.Return)(nil)
		err := brokertest.Send(ch, "later", "k", delayed("mandatory", time.Second), warren.PublishOptions{Mandatory: true})
		require.ErrorAs(t, err, &ret)
		require.Equal(t, []any{uint16(312), "NO_ROUTE", "later", "k", "mandatory"}, []any{ret.Code, ret.Text, ret.Exchange, ret.RoutingKey, string(ret.Body)})
		require.Equal(t, warren.Table{"x-delay": int64(1000)}, ret.Headers)
		require.NotErrorIs(t, err, warren.ErrNacked, "the confirm is an ack")
		require.NoError(t, brokertest.Send(ch, "later", "k", delayed("plain", time.Second), warren.PublishOptions{}))
		require.NoError(t, brokertest.Send(ch, "later", "k", delayed("at once", 0), warren.PublishOptions{Mandatory: true}))
		require.Equal(t, []string{"at once"}, brokertest.Drain(t, ch, "q"))
		require.Equal(t, uint64(0), b.Stats().Unroutable)
		require.Equal(t, uint64(1), b.Stats().Returned)
		brokertest.Later(time.Second)
		require.Equal(t, []string{"mandatory", "plain"}, brokertest.Drain(t, ch, "q"), "it is delivered all the same")

		require.NoError(t, ch.QueueUnbind("q", "", "later", nil))
		require.NoError(t, brokertest.Send(ch, "later", "k", delayed("lost", time.Second), warren.PublishOptions{}))
		require.Zero(t, b.Stats().Unroutable, "that is not known yet")
		brokertest.Later(time.Second)
		require.Equal(t, uint64(1), b.Stats().Unroutable)
	})
}

func TestImmediateMessageIsNotKeptBack(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{NoAck: true})
		require.ErrorIs(t, brokertest.Send(ch, "later", "", delayed("x", time.Second), warren.PublishOptions{Immediate: true}), warren.ErrNoConsumers)
		require.NoError(t, brokertest.Send(ch, "later", "", delayed("y", 0), warren.PublishOptions{Immediate: true}))
		require.Zero(t, b.Stats().Delayed)
		require.Equal(t, []string{"y"}, brokertest.Bodies(brokertest.Read(t, c)))
	})
}

func TestDelayedExchangeAmongOthers(t *testing.T) {
	for _, c := range []struct {
		rule     string
		exchange string // of the delivery
		set      func(t *testing.T, ch *warren.Channel)
	}{
		{"as destination of a binding", "first", func(t *testing.T, ch *warren.Channel) {
			brokertest.Exchanges(t, ch, warren.Direct, "first")
			require.NoError(t, ch.ExchangeBind("later", "k", "first", nil))
		}},
		{"as alternate exchange", "first", func(t *testing.T, ch *warren.Channel) {
			require.NoError(t, ch.ExchangeDeclare("first", warren.Direct, warren.ExchangeOptions{Alternate: "later"}))
		}},
		{"as alternate of a delayed one, which has delayed it before", "first", func(t *testing.T, ch *warren.Channel) {
			require.NoError(t, ch.ExchangeDeclare("first", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Direct, Alternate: "later"}))
		}},
		{"behind a delayed one, which has delayed it before", "first", func(t *testing.T, ch *warren.Channel) {
			delayedExchange(t, ch, "first", warren.Fanout)
			require.NoError(t, ch.ExchangeBind("later", "", "first", nil))
		}},
		{"in a circle", "first", func(t *testing.T, ch *warren.Channel) {
			brokertest.Exchanges(t, ch, warren.Fanout, "first")
			require.NoError(t, ch.ExchangeBind("later", "", "first", nil))
			require.NoError(t, ch.ExchangeBind("first", "", "later", nil))
			require.NoError(t, ch.ExchangeBind("later", "", "later", nil))
		}},
		{"as dead letter exchange", "later", func(t *testing.T, ch *warren.Channel) {
			brokertest.Exchanges(t, ch, warren.Fanout, "first")
			_, err := ch.QueueDeclare("dying", warren.QueueOptions{
				MaxLength: 1, Overflow: warren.RejectPublishDLX, DeadLetter: &warren.DeadLetter{Exchange: "later"},
			})
			require.NoError(t, err)
			brokertest.Put(t, ch, "", "dying", "stays")
			require.NoError(t, ch.QueueBind("dying", "", "first", nil))
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
				c.set(t, ch)
				_ = brokertest.Send(ch, "first", "k", delayed("x", time.Minute), warren.PublishOptions{})
				brokertest.Later(time.Minute - 1)
				require.Zero(t, brokertest.Ready(t, ch, "q"))
				brokertest.Later(1)
				d := brokertest.Take(t, ch, "q")
				require.Equal(t, c.exchange, d.Exchange)
				require.Equal(t, int64(-60_000), d.Headers["x-delay"])
				brokertest.Later(24 * time.Hour)
				require.Zero(t, brokertest.Ready(t, ch, "q"), "it comes once")
			})
		})
	}
}

func TestMessageWithoutABindingLeavesTheDelayByTheAlternateExchange(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		brokertest.Exchanges(t, ch, warren.Fanout, "other")
		require.NoError(t, ch.QueueBind("q", "", "other", nil))
		require.NoError(t, ch.ExchangeDeclare("x", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Direct, Alternate: "other"}))
		putDelayed(t, ch, "x", "nobody's", "x", time.Second)
		require.Zero(t, brokertest.Ready(t, ch, "q"), "nobody knows yet that no binding matches")
		brokertest.Later(time.Second)
		require.Equal(t, []string{"x"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestDelayedMessageKeepsItsOtherKeys(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		delayedExchange(t, ch, "x", warren.Direct)
		for _, q := range []string{"key", "cc", "bcc"} {
			brokertest.Queues(t, ch, q)
			require.NoError(t, ch.QueueBind(q, q, "x", nil))
		}
		msg := delayed("x", time.Second)
		msg.Headers["CC"], msg.Headers["BCC"] = []any{"cc"}, []any{"bcc"}
		require.NoError(t, brokertest.Send(ch, "x", "key", msg, warren.PublishOptions{}))
		require.Equal(t, 1, b.Stats().Delayed)
		brokertest.Later(time.Second)
		for _, q := range []string{"key", "cc", "bcc"} {
			require.NotContains(t, brokertest.Take(t, ch, q).Headers, "BCC")
		}
	})
}

func TestExpirationCountsFromTheEndOfTheDelay(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		msg := delayed("x", time.Minute)
		msg.Expiration = warren.Milliseconds(time.Second)
		require.NoError(t, brokertest.Send(ch, "later", "", msg, warren.PublishOptions{}))
		brokertest.Later(time.Minute + time.Second - 1)
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
		brokertest.Later(1)
		require.Zero(t, brokertest.Ready(t, ch, "q"))
	})
}

func TestDelayBeginsWhenTheTransactionIsCommitted(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		tx := brokertest.TxChannel(t, b)
		putDelayed(t, tx, "later", "", "forgotten", time.Second)
		require.NoError(t, tx.TxRollback())
		putDelayed(t, tx, "later", "", "x", time.Second)
		require.NoError(t, brokertest.Send(tx, "later", "", delayed("y", time.Second), warren.PublishOptions{Mandatory: true}))
		brokertest.Later(time.Hour)
		require.Zero(t, b.Stats().Delayed)
		require.ErrorIs(t, tx.TxCommit(), warren.ErrNoRoute)
		require.Equal(t, 2, b.Stats().Delayed)
		brokertest.Later(time.Second)
		require.Equal(t, []string{"x", "y"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestDelayedMessagesEndWithTheirExchange(t *testing.T) {
	for _, c := range []struct {
		rule string
		end  func(b *warren.Broker, ch *warren.Channel) error
		want error // of a call that waits
	}{
		{"deleted", func(_ *warren.Broker, ch *warren.Channel) error {
			return ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{})
		}, warren.ErrRequestDropped},
		{"auto-deleted", func(_ *warren.Broker, ch *warren.Channel) error {
			_, err := ch.QueueDelete("mine", warren.QueueDeleteOptions{})
			return err
		}, warren.ErrRequestDropped},
		{"its virtual host deleted", func(b *warren.Broker, _ *warren.Channel) error { return b.VirtualHostDelete("v") }, warren.ErrClosed},
		{"the broker closed", func(b *warren.Broker, _ *warren.Channel) error { return b.Close() }, warren.ErrClosed},
		{"the broker shut down", func(b *warren.Broker, _ *warren.Channel) error {
			var dropped *warren.DroppedError
			if err := b.Shutdown(context.Background()); !errors.As(err, &dropped) {
				return err
			}
			return nil
		}, warren.ErrClosed},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				v, err := b.VirtualHostDeclare("v")
				require.NoError(t, err)
				ch := brokertest.Channel(t, v)
				require.NoError(t, ch.ExchangeDeclare("x", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout, AutoDelete: true}))
				brokertest.Queues(t, ch, "mine")
				require.NoError(t, ch.QueueBind("mine", "", "x", nil))
				for i := range 10 {
					putDelayed(t, ch, "x", "", fmt.Sprint(i), time.Duration(i+1)*time.Minute)
				}
				failed := make(chan error, 1)
				go func() {
					_, err := v.Call(context.Background(), "", delayed("", time.Hour), warren.CallOptions{Exchange: "x"})
					failed <- err
				}()
				brokertest.Later(5 * time.Minute)
				require.Equal(t, 6, b.Stats().Delayed)
				require.Equal(t, 5, brokertest.Ready(t, ch, "mine"))

				before := b.Stats().Bytes
				require.NoError(t, c.end(b, ch))
				synctest.Wait()
				require.Len(t, failed, 1, "at once")
				require.ErrorIs(t, <-failed, c.want)
				require.Zero(t, b.Stats().Delayed)
				require.Less(t, b.Stats().Bytes, before*2/3, "at most the five in the queue are held, of eleven")
				brokertest.Later(24 * time.Hour)
			})
		})
	}
}

func TestCallThroughADelayedExchange(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		delayed := func(ctx context.Context, opts ...warren.CallOptions) (string, error) {
			msg := delayed("ping", time.Minute)
			msg.Headers["mine"] = "1"
			reply, err := b.Call(ctx, "key", msg, append(opts, warren.CallOptions{Exchange: "later"})...)
			return string(reply.Body), err
		}
		h, err := b.Handle("q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			deadline, _ := ctx.Deadline()
			return warren.Message{Body: fmt.Append(nil, string(req.Body), req.RoutingKey, req.Headers, time.Until(deadline))}, nil
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		reply, err := delayed(ctx)
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, "pingkeymap[mine:1 x-delay:-60000] 59m0s", reply)

		_, err = delayed(ctx, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrNoConsumers, "nobody can have it now")

		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = delayed(brief)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		brokertest.Later(time.Minute)
		require.Zero(t, b.Stats().Delayed)

		require.NoError(t, h.Close())
		require.NoError(t, ch.QueueUnbind("q", "", "later", nil))
		_, err = delayed(ctx)
		require.ErrorIs(t, err, warren.ErrRequestDropped, "when its time came no queue wanted it")

		brokertest.Queues(t, ch, "q", "q2")
		require.NoError(t, ch.QueueBind("q", "", "later", nil))
		require.NoError(t, ch.QueueBind("q2", "", "later", nil))
		go func() {
			brokertest.Later(2 * time.Minute)
			ch.QueuePurge("q")
			brokertest.Later(time.Minute)
			ch.QueuePurge("q2")
		}()
		began = time.Now()
		_, err = delayed(ctx)
		require.ErrorIs(t, err, warren.ErrRequestDropped)
		require.Equal(t, 3*time.Minute, time.Since(began), "when the last queue had dropped it")
	})
}

func TestDelayedRequestHasTheTimeThatIsLeftToItsCaller(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		failed := make(chan error, 1)
		go func() {
			_, err := b.Call(ctx, "", delayed("", time.Minute), warren.CallOptions{Exchange: "later"})
			failed <- err
		}()
		brokertest.Later(20 * time.Minute)
		d := brokertest.Take(t, ch, "q")
		require.Equal(t, warren.Milliseconds(40*time.Minute), d.Expiration)
		require.NoError(t, d.Reject(true))
		require.ErrorIs(t, <-failed, context.DeadlineExceeded)
		brokertest.Later(time.Millisecond)
		require.Zero(t, brokertest.Ready(t, ch, "q"), "with nobody to answer it has expired")
	})
}

func TestDelayedMessagesCountForTheMemoryLimit(t *testing.T) {
	runDelayedWith(t, &warren.Options{MemoryLimit: 10_000}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		large := strings.Repeat("y", 4000)
		fill := func() (n int) {
			for b.Stats().Bytes < 8500 {
				putDelayed(t, ch, "later", "", "x", time.Minute)
				n++
			}
			return n
		}
		n := fill()
		blocked := brokertest.Blocked(t, t.Context(), ch, "q", large)
		brokertest.Later(time.Minute)
		require.Equal(t, n, brokertest.Ready(t, ch, "q"))
		require.Empty(t, blocked, "now the queue holds it")
		_, err := ch.QueuePurge("q")
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, blocked, 1)
		require.NoError(t, <-blocked)
		require.Equal(t, []string{large}, brokertest.Drain(t, ch, "q"))
		require.Zero(t, b.Stats().Bytes)

		fill()
		blocked = brokertest.Blocked(t, t.Context(), ch, "q", large)
		require.NoError(t, ch.ExchangeDelete("later", warren.ExchangeDeleteOptions{}))
		synctest.Wait()
		require.Len(t, blocked, 1)
		require.NoError(t, <-blocked)
	})
}

func TestDelayedMessageKeepsItsBlindKeys(t *testing.T) {
	runDelayed(t, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		brokertest.Queues(t, ch, "blind")
		brokertest.Queue(t, ch, "mortal", warren.QueueOptions{DeadLetter: &warren.DeadLetter{}})
		require.NoError(t, ch.QueueBind("mortal", "", "later", nil))
		msg := delayed("m", time.Second)
		msg.Headers["BCC"] = []any{"blind"}
		require.NoError(t, brokertest.Send(ch, "later", "nowhere", msg, warren.PublishOptions{}))
		brokertest.Later(time.Second)
		d := brokertest.Take(t, ch, "mortal")
		require.NoError(t, d.Reject(false))
		d = brokertest.Take(t, ch, "blind")
		require.Equal(t, "m", string(d.Body))
		require.NotContains(t, d.Headers, "BCC")
	})
}

// LavinMQ makes an exchange of any type delay by an argument.
func TestAnExchangeOfAnyTypeMayDelay(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		lavin := warren.ExchangeOptions{Args: warren.Table{"x-delayed-exchange": true}}
		require.NoError(t, ch.ExchangeDeclare("x", warren.Topic, lavin))
		require.NoError(t, ch.ExchangeDeclare("x", warren.Topic, lavin), "it is as it was declared")
		require.NoError(t, ch.ExchangeDeclare("x", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Topic}), "it is the same by RabbitMQ's names")
		require.NoError(t, ch.QueueBind("q", "a.*", "x", nil))
		putDelayed(t, ch, "x", "a.b", "m", time.Second)
		require.Zero(t, brokertest.Ready(t, ch, "q"))
		brokertest.Later(time.Second)
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "q"))

		require.NoError(t, ch.ExchangeDeclare("at once", warren.Topic, warren.ExchangeOptions{Args: warren.Table{"x-delayed-exchange": false}}))
		require.NoError(t, ch.QueueBind("q", "a.*", "at once", nil))
		putDelayed(t, ch, "at once", "a.b", "m", time.Second)
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "q"))
		err := ch.ExchangeDeclare("odd", warren.Topic, warren.ExchangeOptions{Args: warren.Table{"x-delayed-exchange": "yes"}})
		brokertest.FailsWith(t, err, 406, "PRECONDITION_FAILED - invalid arg 'x-delayed-exchange' for exchange 'odd' in vhost '/': {unacceptable_type,longstr}")
		err = ch.ExchangeDeclare("odd", "nothing", lavin)
		brokertest.FailsWith(t, err, 406, "PRECONDITION_FAILED - unknown exchange type 'nothing'")
	})
}
