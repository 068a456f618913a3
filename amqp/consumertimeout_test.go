package amqp_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

const consumerTimeout = 10 * time.Second

// leaveLate declares a queue with a consumer timeout and has the client leave a
// message of it unsettled on channel 1.
func (t *env) leaveLate(r *rawClient, bodies ...string) {
	t.Helper()
	ch := t.native()
	brokertest.Queue(t, ch, "late", warren.QueueOptions{ConsumerTimeout: consumerTimeout})
	brokertest.Put(t, ch, "", "late", bodies...)
	r.send(1, &wire.BasicGet{Queue: []byte("late")})
	expect[*wire.BasicGetOk](r)
	require.Equal(t, bodies[0], r.content())
}

// isLate requires channel.close in RabbitMQ's words. No method is to blame.
func (r *rawClient) isLate() {
	r.t.Helper()
	m := expect[*wire.ChannelClose](r)
	require.Equal(r.t, wire.ChannelClose{
		ReplyCode: 406,
		ReplyText: brokertest.Overdue(consumerTimeout),
	}, *m)
}

func TestALateChannelIsClosedAloneAndCanBeOpenedAgain(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(2, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		t.leaveLate(r, "1")
		time.Sleep(consumerTimeout)
		r.isLate()
		require.Equal(t, 1, t.ready("late"))
		r.send(1, &wire.BasicAck{DeliveryTag: 1}) // too late: it is not looked at
		r.send(2, &wire.QueueDeclare{Queue: "late", Passive: true})
		require.EqualValues(t, 1, expect[*wire.QueueDeclareOk](r).MessageCount)
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{}, &wire.BasicGet{Queue: []byte("late")})
		expect[*wire.ChannelOpenOk](r)
		require.True(t, expect[*wire.BasicGetOk](r).Redelivered)
		require.Equal(t, "1", r.content())
		time.Sleep(consumerTimeout)
		r.isLate()
	})
}

// The client's methods and the broker's decision may cross in all ways: the
// channel is closed once, and for one reason.
func TestALateChannelAndItsClientCross(t *testing.T) {
	for name, say := range map[string][]wire.Method{
		"an ack":     {&wire.BasicAck{DeliveryTag: 1}},
		"a get":      {&wire.BasicGet{Queue: []byte("late"), NoAck: true}},
		"a cancel":   {&wire.BasicCancel{ConsumerTag: []byte("x"), NoWait: true}},
		"its close":  {&wire.ChannelClose{ReplyCode: 200}},
		"a new life": {&wire.ChannelClose{ReplyCode: 200}, &wire.ChannelOpen{}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				withServer(t, func(t *env) {
					r := t.raw()
					t.leaveLate(r, "1", "2")
					time.Sleep(consumerTimeout) // both are due at the same moment
					r.send(1, say...)
					synctest.Wait()
					closes := 0
					for _, m := range r.methods() {
						switch m := m.(type) {
						case *wire.ChannelClose:
							require.Contains(t, m.ReplyText, "timed out")
							require.Zero(t, m.Cause)
							closes++
						case *wire.ConnectionClose:
							require.Fail(t, "the connection is closed", "%+v", m)
						}
					}
					require.LessOrEqual(t, closes, 1)
				})
			}
		})
	}
}

// methods are those that have come.
func (r *rawClient) methods() (list []wire.Method) {
	r.t.Helper()
	for {
		r.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		f, err := r.frames.Next()
		if err != nil {
			require.ErrorIs(r.t, err, os.ErrDeadlineExceeded)
			return list
		}
		if f.Type == wire.FrameMethod {
			var d wire.Decoder // the methods stay
			m, err := d.Parse(f.Payload)
			require.NoError(r.t, err)
			list = append(list, m)
		}
	}
}

// A client that does not even read gets its messages taken all the same, and
// hears of it when it reads again.
func TestAClientThatDoesNotReadIsLate(t *testing.T) {
	withServerOf(t, nil, &amqp.Options{Buffer: 4096}, func(t *env) {
		r := t.raw()
		t.leaveLate(r, "1")
		r.send(1, &wire.BasicConsume{Queue: []byte("late"), ConsumerTag: []byte("c")})
		expect[*wire.BasicConsumeOk](r)
		ch := t.native()
		for range 200 {
			require.NoError(t, ch.Publish(t.Context(), "", "late", warren.Message{Body: make([]byte, 4096)}, warren.PublishOptions{}))
		}
		const asked = 2000
		sent := make(chan struct{})
		go func() { // answers that nobody reads stop the reader
			defer close(sent)
			for range asked {
				r.send(1, &wire.QueueDeclare{Queue: "late", Passive: true})
			}
		}()
		synctest.Wait()
		time.Sleep(consumerTimeout)
		require.Equal(t, 201, t.ready("late"))
		answers := 0
		for closed := false; !closed; {
			for _, m := range r.methods() {
				switch m := m.(type) {
				case *wire.QueueDeclareOk:
					answers++
				case *wire.ChannelClose:
					require.Contains(t, m.ReplyText, "timed out")
					closed = true
				}
			}
		}
		<-sent
		require.Less(t, answers, asked, "the reader was not there to close the channel")
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
	})
}

// A publish of the channel that waits for memory ends with it; the connection
// does not.
func TestALateChannelThatWaitsForMemory(t *testing.T) {
	withServerOf(t, &warren.Options{MemoryLimit: 10_000}, nil, func(t *env) {
		r := t.raw()
		t.leaveLate(r, strings.Repeat("x", 10_000))
		r.write(r.publishing(1, "", "late", "waits"))
		synctest.Wait()
		time.Sleep(consumerTimeout)
		r.isLate()
		require.Equal(t, 1, t.ready("late"))
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
	})
}
