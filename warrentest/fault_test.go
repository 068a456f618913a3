package warrentest_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/warrentest"
)

// publish is the match of all publishes.
var publishing = warrentest.Match{Method: "basic.publish"}

func acks(tags ...uint64) (list []amqp091.Confirmation) {
	for _, tag := range tags {
		list = append(list, amqp091.Confirmation{DeliveryTag: tag, Ack: true})
	}
	return list
}

func TestCutBeforeAPublishLosesIt(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		f := b.Before(publishing, warrentest.Cut())
		c.publish("lost")
		lost := heard(c.closed)
		require.Len(t, lost, 1)
		require.Equal(t, 501, lost[0].Code) // the client's own code for a connection that ends
		require.Empty(t, b.Messages("q"))
		require.Equal(t, 1, f.Count())
		require.Equal(t, "Cut()", b.Published(warrentest.Match{})[0].Fault)
	})
}

func TestCutAfterAPublishKeepsIt(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.After(publishing, warrentest.Cut())
		c.publish("kept")
		require.Len(t, heard(c.closed), 1)
		require.Empty(t, heard(c.confirms))
		b.RequireMessages("q", "kept")
	})
}

func TestCutInsideAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t, warrentest.Options{Quiet: true})
		b.Before(warrentest.Match{Method: "connection.start"}, warrentest.CutInside(9))
		conn, err := b.Dial("", "")
		require.NoError(t, err)
		conn.Write([]byte("AMQP\x00\x00\x09\x01"))
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Len(t, got, 9)
	})
}

func TestCutNowByName(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		second := dial(t, b, "second")
		f := b.Now(warrentest.Match{Connection: "sec*"}, warrentest.Cut())
		require.Len(t, heard(second.closed), 1)
		require.Empty(t, heard(c.closed))
		require.Equal(t, 1, f.Count())
	})
}

func TestCloseChannelInPlaceOfAMethod(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(publishing, warrentest.CloseChannel(406, "PRECONDITION_FAILED - a test"))
		c.publish("lost")
		require.Equal(t, []*amqp091.Error{{Code: 406, Reason: "PRECONDITION_FAILED - a test", Server: true, Recover: true}}, heard(c.chClosed))
		require.Empty(t, heard(c.closed))
		require.Empty(t, b.Messages("q"))
		// The client goes on with another channel, which has the same number or another.
		for range 3 {
			c.channel()
			c.publish("kept")
			require.Equal(t, acks(1), heard(c.confirms))
			require.NoError(t, c.ch.Close())
		}
		b.RequireMessages("q", "kept", "kept", "kept")
	})
}

func TestCloseChannelGivesDeliveriesBack(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		c.publish("1")
		_, ok, err := c.ch.Get("q", false)
		require.NoError(t, err)
		require.True(t, ok)
		b.Now(warrentest.Match{}, warrentest.CloseChannel(404, "NOT_FOUND - a test"))
		require.Len(t, heard(c.chClosed), 1)
		b.RequireMessages("q", "1")
	})
}

func TestCloseConnectionInPlaceOfAnAnswer(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.After(warrentest.Match{Method: "queue.declare"}, warrentest.CloseConnection(541, "INTERNAL_ERROR - a test"))
		_, err := c.ch.QueueDeclare("other", false, false, false, false, nil)
		require.Error(t, err)
		require.Equal(t, []*amqp091.Error{{Code: 541, Reason: "INTERNAL_ERROR - a test", Server: true}}, heard(c.closed))
		require.Empty(t, b.Messages("other"), "the queue is there")
		require.Empty(t, b.Server.Connections())
	})
}

func TestRefuseLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t, warrentest.Options{Quiet: true})
		b.Before(warrentest.Match{Method: "connection.start-ok", User: "guest", Times: 2}, warrentest.RefuseLogin())
		for range 2 {
			_, err := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
			var refused *amqp091.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, 403, refused.Code)
		}
		dial(t, b, "third")
	})
}

func TestRefuseAClientThatDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t, warrentest.Options{Quiet: true})
		f := b.Before(warrentest.Match{Method: warrentest.Connect, Times: warrentest.Forever}, warrentest.Cut())
		_, err := b.Dial("tcp", "")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		f.Undo()
		dial(t, b, "second")
	})
	b := warrentest.New(t, warrentest.Options{Quiet: true})
	b.URL()
	b.Before(warrentest.Match{Method: warrentest.Connect}, warrentest.Cut())
	_, err := amqp091.Dial(b.URL())
	require.Error(t, err)
	conn, err := amqp091.Dial(b.URL())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestDropLeavesAMethodUnanswered(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(warrentest.Match{Method: "queue.declare"}, warrentest.Drop())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.ch.QueueDeclare("other", false, false, false, false, nil)
		}()
		time.Sleep(time.Hour)
		require.Empty(t, heard(c.closed), "heartbeats go on")
		select {
		case <-done:
			t.Fatal("it was answered")
		default:
		}
		_, err := b.VirtualHosts()[0].Queue("other")
		require.Error(t, err)
		c.conn.Close()
		<-done
	})
}

func TestDropAfterAPublishLosesTheConfirm(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.After(publishing, warrentest.Drop())
		c.publish("1")
		c.publish("2")
		require.Equal(t, []amqp091.Confirmation(nil), heard(c.confirms), "the client waits for the first one")
		b.RequireMessages("q", "1", "2")
	})
}

func TestDropHeartbeats(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(warrentest.Match{Method: warrentest.Heartbeat, From: warrentest.Server, Times: warrentest.Forever}, warrentest.Drop())
		time.Sleep(time.Minute)
		require.Len(t, heard(c.closed), 1)
	})
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(warrentest.Match{Method: warrentest.Heartbeat, From: warrentest.Client, Times: warrentest.Forever}, warrentest.Drop())
		time.Sleep(time.Minute)
		require.Len(t, heard(c.closed), 1)
	})
}

func TestDelayAnAnswer(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.After(warrentest.Match{Method: "queue.declare"}, warrentest.Delay(time.Hour))
		begin := time.Now()
		_, err := c.ch.QueueDeclare("other", false, false, false, false, nil)
		require.NoError(t, err)
		require.Equal(t, time.Hour, time.Since(begin))
		require.Empty(t, heard(c.closed), "heartbeats go on")
	})
}

func TestDelayAPublishKeepsTheOrderOfItsChannel(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(publishing, warrentest.Delay(10*time.Second))
		c.publish("1")
		c.publish("2")
		other := &client{T: t, conn: c.conn}
		other.channel()
		other.publish("3")
		require.Equal(t, acks(1), heard(other.confirms))
		require.NoError(t, c.conn.Close(), "waits for what is on its way")
		b.RequireMessages("q", "3", "1", "2")
	})
}

func TestHoldUntilReleased(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		release := make(chan struct{})
		b.Before(publishing, warrentest.Hold(release))
		c.publish("1")
		require.Empty(t, heard(c.confirms))
		close(release)
		require.Equal(t, acks(1), heard(c.confirms))
	})
}

func TestNackBeforeAndAfterAPublish(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(publishing, warrentest.Nack())
		c.publish("refused")
		c.publish("kept")
		synctest.Wait()
		b.After(publishing, warrentest.Nack())
		c.publish("kept, too")
		c.publish("last")
		require.Equal(t, []amqp091.Confirmation{{DeliveryTag: 1}, {DeliveryTag: 2, Ack: true}, {DeliveryTag: 3}, {DeliveryTag: 4, Ack: true}}, heard(c.confirms))
		b.RequireMessages("q", "kept", "kept, too", "last")
	})
}

func TestReturnAPublish(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(publishing, warrentest.Return())
		c.publish("back")
		c.publish("kept")
		returns := heard(c.returns)
		require.Len(t, returns, 1)
		require.EqualValues(t, 312, returns[0].ReplyCode)
		require.Equal(t, "NO_ROUTE", returns[0].ReplyText)
		require.Equal(t, "back", string(returns[0].Body))
		require.Equal(t, acks(1, 2), heard(c.confirms))
		b.RequireMessages("q", "kept")
		b.After(publishing, warrentest.Return())
		c.publish("both")
		require.Len(t, heard(c.returns), 1)
		require.Equal(t, acks(3), heard(c.confirms))
		b.RequireMessages("q", "kept", "both")
	})
}

func TestTwice(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(warrentest.Match{Method: "basic.deliver", Queue: "q", Skip: 1}, warrentest.Twice())
		deliveries, err := c.ch.Consume("q", "", false, false, false, false, nil)
		require.NoError(t, err)
		for _, body := range []string{"1", "2", "3"} {
			c.publish(body)
		}
		var got []string
		for _, d := range heard(deliveries) {
			text := string(d.Body)
			if d.Redelivered {
				text += " again"
			}
			got = append(got, text)
			require.EqualValues(t, len(got), d.DeliveryTag)
			require.NoError(t, d.Ack(false))
		}
		require.Equal(t, []string{"1", "2", "2 again", "3"}, got)
		b.WaitIdle()
		require.Empty(t, heard(c.chClosed))
	})
}

func TestTwiceWithAckOfSeveral(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(warrentest.Match{Method: "basic.deliver", Times: warrentest.Forever}, warrentest.Twice())
		deliveries, err := c.ch.Consume("q", "", false, false, false, false, nil)
		require.NoError(t, err)
		for _, body := range []string{"1", "2", "3"} {
			c.publish(body)
		}
		got := heard(deliveries)
		require.Len(t, got, 6)
		require.NoError(t, got[3].Ack(true)) // 1 and 2, twice
		require.NoError(t, got[4].Nack(false, false))
		require.NoError(t, got[5].Ack(false))
		b.WaitIdle()
		require.Empty(t, heard(c.chClosed))
		require.Error(t, ackTwice(c, got[5]), "the broker still refuses what is settled")
	})
}

// ackTwice settles a delivery once more and returns what closes the channel.
func ackTwice(c *client, d amqp091.Delivery) error {
	d.Ack(false)
	if errs := heard(c.chClosed); len(errs) > 0 {
		return errs[0]
	}
	return nil
}

func TestAPublishTwiceIsConfirmedOnce(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(publishing, warrentest.Twice())
		c.publish("1")
		c.publish("2")
		require.Equal(t, acks(1, 2), heard(c.confirms))
		b.RequireMessages("q", "1", "1", "2")
	})
}

func TestReverseConfirms(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		m := publishing
		m.Times = 3
		f := b.After(m, warrentest.Reverse(2))
		var seen []uint64
		for _, body := range []string{"1", "2", "3", "4"} {
			c.publish(body)
		}
		synctest.Wait()
		for _, e := range b.Recorded(warrentest.Match{Method: "basic.ack", From: warrentest.Server}) {
			seen = append(seen, e.DeliveryTag)
		}
		require.Equal(t, []uint64{1, 2, 3, 4}, seen, "as the broker says them")
		f.Undo()
		require.Equal(t, acks(1, 2, 3, 4), heard(c.confirms), "amqp091-go puts them in order")
		b.RequireMessages("q", "1", "2", "3", "4")
	})
}

func TestReverseDeliveries(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Before(warrentest.Match{Method: "basic.deliver", Times: 3}, warrentest.Reverse(3))
		deliveries, err := c.ch.Consume("q", "", true, false, false, false, nil)
		require.NoError(t, err)
		var got []string
		for _, body := range []string{"1", "2", "3", "4"} {
			c.publish(body)
		}
		for _, d := range heard(deliveries) {
			got = append(got, string(d.Body))
		}
		require.Equal(t, []string{"3", "2", "1", "4"}, got)
	})
}

func TestStallIsSilence(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		b.Now(warrentest.Match{}, warrentest.Stall())
		time.Sleep(time.Minute)
		require.Len(t, heard(c.closed), 1, "heartbeats are missed")
	})
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		f := b.Before(publishing, warrentest.Stall())
		c.publish("1")
		require.Empty(t, heard(c.confirms))
		time.Sleep(5 * time.Second)
		f.Undo()
		require.Equal(t, acks(1), heard(c.confirms))
		time.Sleep(time.Hour)
		require.Empty(t, heard(c.closed))
	})
}

func TestSlowTakesItsTime(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		f := b.Now(warrentest.Match{}, warrentest.Slow(1000))
		begin := time.Now()
		c.publish(string(make([]byte, 10_000)))
		require.NoError(t, waitForConfirm(c))
		require.InDelta(t, 10, time.Since(begin).Seconds(), 0.5)
		f.Undo()
		begin = time.Now()
		c.publish(string(make([]byte, 10_000)))
		require.NoError(t, waitForConfirm(c))
		require.Less(t, time.Since(begin), time.Second)
	})
}

func waitForConfirm(c *client) error {
	select {
	case <-c.confirms:
		return nil
	case <-time.After(time.Minute):
		return errors.New("no confirm comes")
	}
}

func TestBlockTellsTheClient(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		f := b.Now(warrentest.Match{}, warrentest.Block("low on memory"))
		c.publish("1")
		time.Sleep(time.Hour)
		require.Empty(t, heard(c.closed), "heartbeats go on")
		require.Empty(t, heard(c.confirms))
		require.Equal(t, []amqp091.Blocking{{Active: true, Reason: "low on memory"}}, heard(c.blocked))
		f.Undo()
		require.Equal(t, acks(1), heard(c.confirms))
		require.Equal(t, []amqp091.Blocking{{}}, heard(c.blocked))
	})
}

func TestCancelConsumers(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		deliveries, err := c.ch.Consume("q", "tag", false, false, false, false, nil)
		require.NoError(t, err)
		b.Before(warrentest.Match{Method: "basic.deliver"}, warrentest.CancelConsumer())
		c.publish("1")
		require.Equal(t, []string{"tag"}, heard(c.cancels))
		_ = deliveries
		b.WaitConsumers("q", 0)
		_, err = c.ch.Consume("q", "tag", false, false, false, false, nil)
		require.NoError(t, err)
		require.Equal(t, 1, b.CancelConsumers("q"))
		require.Equal(t, []string{"tag"}, heard(c.cancels))
	})
}

func TestDeleteAQueueUnderItsConsumers(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		_, err := c.ch.Consume("q", "tag", false, false, false, false, nil)
		require.NoError(t, err)
		b.Before(warrentest.Match{Method: "basic.deliver"}, warrentest.DeleteQueue())
		c.publish("1")
		require.Equal(t, []string{"tag"}, heard(c.cancels))
		_, _, err = c.ch.Get("q", true)
		require.Error(t, err)
	})
}

func TestActionsHappenInOrder(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		var at time.Duration
		begin := time.Now()
		b.After(publishing, warrentest.Delay(time.Minute), warrentest.Call(func(warrentest.Event) { at = time.Since(begin) }), warrentest.Cut())
		c.publish("1")
		time.Sleep(2 * time.Minute)
		require.Len(t, heard(c.closed), 1)
		require.Equal(t, time.Minute, at)
	})
}

func TestSkipAndTimes(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		f := b.Before(warrentest.Match{Method: "basic.publish", RoutingKey: "q", Skip: 1, Times: 2}, warrentest.Nack())
		for range 4 {
			c.publish("x")
		}
		require.Equal(t, []amqp091.Confirmation{{DeliveryTag: 1, Ack: true}, {DeliveryTag: 2}, {DeliveryTag: 3}, {DeliveryTag: 4, Ack: true}}, heard(c.confirms))
		require.Equal(t, 2, f.Count())
		f.Wait(2)
	})
}

func TestWhatNoFrameIsGoesToTheBrokerAsItIs(t *testing.T) {
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "AMQP\x00\x00\x09\x01\xff\xff\xff\xff\xff\xff\xff\xff", "AMQP\x00\x00\x09\x01\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce"} {
		synctest.Test(t, func(t *testing.T) {
			b := warrentest.New(t, warrentest.Options{Quiet: true})
			straight, err := b.Server.Dial("", "")
			require.NoError(t, err)
			tapped, err := b.Dial("", "")
			require.NoError(t, err)
			var answers []string
			for _, conn := range []net.Conn{straight, tapped} {
				conn.Write([]byte(text))
				answer, _ := io.ReadAll(conn)
				conn.Close()
				answers = append(answers, string(answer))
			}
			require.Equal(t, answers[0], answers[1])
			require.NotEmpty(t, answers[0])
		})
	}
}

// TestNowWhileClientsDial: a connection that is just being made may be cut.
func TestNowWhileClientsDial(t *testing.T) {
	b := warrentest.New(t, warrentest.Options{Quiet: true})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			if conn, err := b.Dial("", ""); err != nil {
				t.Error(err)
			} else {
				conn.Close()
			}
		}
	}()
	for {
		b.Now(warrentest.Match{Connection: "#*"}, warrentest.Cut())
		select {
		case <-done:
			return
		default:
		}
	}
}
