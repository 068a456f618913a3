package warren_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/wire"
)

var errDevice = errors.New("no such device")

// publisherTo is a plain publish of a persistent message.
func publisherTo(t testing.TB, ch *warren.Channel, exchange, key string) func() error {
	return func() error {
		return ch.Publish(t.Context(), exchange, key, persistent("m"), warren.PublishOptions{})
	}
}

func TestWhileTheDiskFailsPublishersToItWait(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{})
		require.NoError(t, ch.QueueBind("s", "s", "amq.direct", nil))
		brokertest.Put(t, ch, "", "q", "before")
		warren.DiskFails(b, errDevice)
		require.ErrorIs(t, b.Stats().DiskError, warren.ErrStorage)
		require.ErrorIs(t, b.Stats().DiskError, errDevice)

		byQueue, byFanout := begin(t, publisherTo(t, ch, "", "q")), begin(t, publisherTo(t, ch, "amq.fanout", ""))
		stream := begin(t, func() error {
			return brokertest.Send(ch, "amq.direct", "s", warren.Message{}, warren.PublishOptions{})
		})
		call := begin(t, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := b.Call(ctx, "r", persistent("m"))
			return err
		})
		require.Equal(t, 4, b.Stats().WaitingForDisk)
		require.Zero(t, b.Stats().Waiting)

		require.NoError(t, publisherTo(t, ch, "", "t")(), "a transient queue")
		brokertest.Put(t, ch, "", "q", "a transient message")
		require.NoError(t, publisherTo(t, ch, "", "nobody")())
		require.NoError(t, publisherTo(t, ch, "amq.topic", "no queue")())
		require.Equal(t, []string{"before", "a transient message"}, brokertest.Drain(t, ch, "q"), "consumers go on")
		brokertest.Handle(t, b, "rpc", brokertest.Echo)
		reply, err := b.Call(t.Context(), "rpc", persistent("calls go on"))
		require.NoError(t, err)
		require.Equal(t, "calls go on", string(reply.Body))

		warren.DiskFails(b, nil)
		for _, done := range []<-chan error{byQueue, byFanout, stream} {
			require.NoError(t, <-done)
		}
		require.ErrorIs(t, <-call, context.DeadlineExceeded, "it was sent, and nobody answers")
		require.Equal(t, 2, brokertest.Ready(t, ch, "q"))
		require.NoError(t, b.Stats().DiskError)
		require.Zero(t, b.Stats().WaitingForDisk)
	})
}

func TestThoseWhoWaitForTheDiskGiveUp(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch, closes := brokertest.Channel(t, b), brokertest.Channel(t, b)
		warren.DiskFails(b, errDevice)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := ch.Publish(ctx, "", "q", persistent("m"), warren.PublishOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, warren.ErrStorage)
		require.ErrorContains(t, err, "no such device")

		waits := begin(t, publisherTo(t, closes, "", "q"))
		stays := begin(t, publisherTo(t, ch, "", "q"))
		require.NoError(t, closes.Close())
		require.ErrorIs(t, <-waits, warren.ErrClosed)
		synctest.Wait()
		require.Empty(t, stays)
		call := begin(t, func() error {
			_, err := b.Call(t.Context(), "q", persistent("m"))
			return err
		})
		require.NoError(t, b.Close())
		require.ErrorIs(t, <-stays, warren.ErrClosed)
		require.ErrorIs(t, <-call, warren.ErrClosed)
		require.Empty(t, d.Kept())
	})
}

func TestFailPublishersFailWhileTheDiskTakesNothing(t *testing.T) {
	onDiskWith(t, &warren.Options{MemoryPolicy: warren.FailPublishers}, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := brokertest.Channel(t, b)
		publish := publisherTo(t, ch, "", "q")
		warren.DiskFails(b, errDevice)
		require.ErrorIs(t, publish(), warren.ErrStorage)
		require.NotErrorIs(t, publish(), warren.ErrDiskFull)
		_, err := b.Call(t.Context(), "q", persistent("m"))
		require.ErrorIs(t, err, errDevice)
		warren.DiskFails(b, syscall.ENOSPC)
		require.ErrorIs(t, publish(), warren.ErrDiskFull)
		require.ErrorIs(t, publish(), warren.ErrStorage)
		warren.DiskIsFull(b, warren.ErrDiskFull)
		warren.DiskFails(b, nil)
		require.ErrorIs(t, publish(), warren.ErrDiskFull, "there still is too little space")
		warren.DiskIsFull(b, nil)
		require.NoError(t, publish())

		d.SetFull(true)
		start := time.Now()
		require.ErrorIs(t, publish(), warren.ErrStorage)
		require.Equal(t, 500*time.Millisecond, time.Since(start), "a slow disk gets some time")
		time.AfterFunc(time.Millisecond, func() { warren.DiskIsFull(b, warren.ErrDiskFull) })
		require.ErrorIs(t, publish(), warren.ErrDiskFull, "it is slow because it is full")
		warren.DiskIsFull(b, nil)
		time.AfterFunc(time.Millisecond, func() { d.SetFull(false) })
		require.NoError(t, publish())
	})
}

func TestThoseWhoAreFasterThanTheDiskWait(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := brokertest.Channel(t, b)
		d.SetFull(true)
		first, second := begin(t, publisherTo(t, ch, "", "q")), begin(t, publisherTo(t, ch, "", "r"))
		brokertest.Later(time.Hour)
		require.Empty(t, first)
		brokertest.Put(t, ch, "", "q", "a transient message")
		require.Equal(t, 2, b.Stats().WaitingForDisk)
		require.NoError(t, b.Stats().DiskError)
		d.SetFull(false)
		require.NoError(t, <-first)
		require.NoError(t, <-second)

		d.SetFull(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		err := ch.Publish(ctx, "", "q", persistent("m"), warren.PublishOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, warren.ErrStorage)
		closed := begin(t, publisherTo(t, ch, "", "q"))
		require.NoError(t, ch.Close())
		require.ErrorIs(t, <-closed, warren.ErrClosed)
	})
}

func TestTheTimeToLiveBeginsWhenTheDiskTakesTheMessage(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := brokertest.Channel(t, b)
		warren.DiskFails(b, errDevice)
		msg := persistent("m")
		msg.Expiration = "1000"
		done := begin(t, func() error { return brokertest.Send(ch, "", "q", msg, warren.PublishOptions{}) })
		brokertest.Later(time.Hour)
		warren.DiskFails(b, nil)
		require.NoError(t, <-done)
		brokertest.Later(999 * time.Millisecond)
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
		brokertest.Later(time.Millisecond)
		require.Zero(t, brokertest.Ready(t, ch, "q"))
	})
}

func TestTroubleOfTheDiskIsLoggedOnce(t *testing.T) {
	var lines strings.Builder
	log := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelInfo}))
	onDiskWith(t, &warren.Options{Logger: log}, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		for range 3 {
			warren.DiskFails(b, errDevice)
			warren.DiskIsFull(b, warren.ErrDiskFull)
		}
		warren.DiskFails(b, nil)
		d.SetFull(true) // no trouble
		d.SetFull(false)
		require.Equal(t, 1, strings.Count(lines.String(), "\n"), lines.String())
		require.Contains(t, lines.String(), `level=WARN msg="the disk takes nothing: publishers of persistent messages are held back" error="warren: storage has failed: no such device"`)
		lines.Reset()
		warren.DiskIsFull(b, nil)
		require.Contains(t, lines.String(), `level=INFO msg="the disk takes messages again: publishers go on"`)
	})
}

func TestATransactionWaitsForTheDiskWhenItPublishes(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := brokertest.TxChannel(t, b)
		require.NoError(t, publisherTo(t, ch, "", "q")())
		warren.DiskFails(b, errDevice)
		publish := begin(t, publisherTo(t, ch, "", "q"))
		warren.DiskFails(b, nil)
		require.NoError(t, <-publish)
		commit := begin(t, ch.TxCommit)
		d.Sync(0)
		require.NoError(t, <-commit)
	})
}

func TestAChannelHasSoManyConfirmsOnTheirWay(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch, other := confirmChannel(t, b), confirmChannel(t, b)
		for range confirm.Most {
			send(t, ch, "", "q", persistent(""))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		c, err := ch.PublishConfirm(ctx, "", "q", persistent(""), warren.PublishOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Nil(t, c)
		publish := begin(t, publisherTo(t, ch, "", "q"))
		isAnswered(t, send(t, ch, "", "t", persistent("")), confirm.Most+1, true)
		isUnanswered(t, send(t, other, "", "q", persistent("")))
		d.Sync(0)
		synctest.Wait()
		d.Sync(0)
		require.NoError(t, <-publish)
	})
}

func TestByWireThoseWhoWaitForTheDiskAreToldSo(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		r, other := rawConfirmChannel(t, srv), rawConfirmChannel(t, srv)
		for reason, set := range map[string]func(on bool){
			"low on disk": func(on bool) {
				warren.DiskIsFull(b, map[bool]error{true: warren.ErrDiskFull}[on])
			},
			"storage has failed": func(on bool) {
				warren.DiskFails(b, map[bool]error{true: errDevice}[on])
			},
			"the disk is slow": d.SetFull,
		} {
			set(true)
			r.publish("-q", "q")
			require.Equal(t, wire.BasicAckID, expect[*wire.BasicAck](r).ID())
			require.Equal(t, reason, expect[*wire.ConnectionBlocked](r).Reason)
			other.publish("-q", "t")
			other.send(1, &wire.BasicGet{Queue: []byte("t"), NoAck: true})
			require.Equal(t, wire.BasicAckID, expect[*wire.BasicAck](other).ID())
			expect[*wire.BasicGetOk](other)
			for range 2 {
				_, err := other.frames.Next()
				require.NoError(t, err)
			}
			brokertest.Later(time.Hour)
			r.quiet()
			set(false)
			expect[*wire.ConnectionUnblocked](r)
			synctest.Wait()
			d.Sync(0)
			require.Equal(t, wire.BasicAckID, expect[*wire.BasicAck](r).ID())
		}
		d.SetFull(true)
		r.publish("q")
		d.SetFull(false)
		synctest.Wait()
		d.Sync(0)
		require.Equal(t, wire.BasicAckID, expect[*wire.BasicAck](r).ID(), "a short wait is not told")
	})
}

func TestByWireAClientThatNeverStopsIsHeldBackWhileTheDiskIsStuck(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		r := rawConfirmChannel(t, srv)
		one := wire.AppendPublish(nil, 1, &wire.BasicPublish{RoutingKey: []byte("q")}, deliveryMode2, nil, 131072)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range confirm.Most + 1000 {
				r.conn.Write(one)
			}
		}()
		require.Equal(t, "the disk is slow", expect[*wire.ConnectionBlocked](r).Reason)
		require.Len(t, d.Kept(), confirm.Most)
		d.Sync(0)
		r.acked(confirm.Most, true)
		expect[*wire.ConnectionUnblocked](r)
		<-sent
		synctest.Wait()
		d.Sync(0)
		r.acked(confirm.Most+1000, true)
	})
}

func TestByWireFailPublishersCloseTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := warren.NewOnDisk(&warren.Options{MemoryPolicy: warren.FailPublishers})
		defer b.Close()
		srv := amqp.NewServer(b, nil)
		defer srv.Close()
		conn := brokertest.Dial(t, srv.Dial, amqp091.Config{})
		for text, trouble := range map[string]error{"low on disk": syscall.ENOSPC, "storage has failed": errDevice} {
			ch := brokertest.ClientChannel(t, conn)
			_, err := ch.QueueDeclare("q", true, false, false, false, nil)
			require.NoError(t, err)
			closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
			warren.DiskFails(b, trouble)
			require.NoError(t, ch.PublishWithContext(t.Context(), "", "q", false, false, amqp091.Publishing{DeliveryMode: amqp091.Persistent}))
			e := <-closed
			require.Equal(t, 406, e.Code)
			require.Equal(t, "PRECONDITION_FAILED - "+text, e.Reason)
			warren.DiskFails(b, nil)
		}
	})
}

// TestTransientQueuesOfAnOpenedBrokerNeverWaitForTheDisk is about a broker whose
// transient queues can have messages on disk, too, when memory is short.
func TestTransientQueuesOfAnOpenedBrokerNeverWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openFiles(t, filestest.New(), nil)
		ch := confirmChannel(t, b)
		brokertest.Queues(t, ch, "t")
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
		warren.DiskFails(b, errDevice)
		for _, exchange := range []string{"", "amq.fanout"} {
			require.NoError(t, ch.QueueBind("t", "", "amq.fanout", nil))
			isAnswered(t, send(t, ch, exchange, "t", persistent("m")), 1+uint64(len(exchange)/10), true)
		}
		held := begin(t, publisherTo(t, brokertest.Channel(t, b), "", "q"))
		warren.DiskFails(b, nil)
		require.NoError(t, <-held)
		require.NoError(t, b.Close())
	})
}

func TestAnOpenedBrokerConfirmsWhatIsSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch := confirmChannel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
		var list []*warren.Confirmation
		for range 1000 {
			list = append(list, send(t, ch, "", "q", persistent("m")))
		}
		for i, c := range list {
			require.NoError(t, c.Wait(t.Context()))
			isAnswered(t, c, uint64(i+1), true)
		}
		afterPowerCuts(t, dir, func(b *warren.Broker) {
			require.Equal(t, 1000, brokertest.Ready(t, brokertest.Channel(t, b), "q"))
		})
		require.NoError(t, b.Close())
	})
}
