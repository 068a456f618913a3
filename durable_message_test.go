package warren_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/topology"
)

func TestConfirmedMessagesSurvive(t *testing.T) {
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	ch := channelOf(t, b, "/")
	for _, name := range []string{"q", "r"} {
		_, err := ch.QueueDeclare(name, warren.QueueOptions{Durable: true})
		require.NoError(t, err)
		require.NoError(t, ch.QueueBind(name, "", "amq.fanout", nil))
	}
	require.NoError(t, ch.Confirm())
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprint(i))
		require.NoError(t, ch.Publish(t.Context(), "amq.fanout", "", warren.Message{Body: []byte(want[i]), DeliveryMode: warren.Persistent}, warren.PublishOptions{}))
		require.NoError(t, ch.Publish(t.Context(), "amq.fanout", "", warren.Message{Body: []byte("transient")}, warren.PublishOptions{}))
	}
	afterPowerCuts(t, dir, func(b *warren.Broker) {
		require.Equal(t, want, brokertest.Drain(t, channelOf(t, b, "/"), "q"))
		require.Equal(t, want, brokertest.Drain(t, channelOf(t, b, "/"), "r"))
	})
	b = reopened(t, b, dir)
	ch = channelOf(t, b, "/")
	d := brokertest.Take(t, ch, "q")
	require.False(t, d.Redelivered)
	require.Equal(t, "0", string(d.Body))
	require.NoError(t, d.Ack(false))
	_, err := ch.QueueDelete("r", warren.QueueDeleteOptions{})
	require.NoError(t, err)
	_, err = ch.QueueDeclare("r", warren.QueueOptions{Durable: true})
	require.NoError(t, err)
	b = reopened(t, b, dir)
	require.Equal(t, want[1:], brokertest.Drain(t, channelOf(t, b, "/"), "q"))
	require.Empty(t, brokertest.Drain(t, channelOf(t, b, "/"), "r"), "a new queue of the same name has nothing of the old one")
}

// TestAConfirmWaitsForTheDeclarationOfTheQueue publishes to a queue whose declaration is
// not on disk yet: without its queue the message would be lost.
func TestAConfirmWaitsForTheDeclarationOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch, other := channelOf(t, b, "/"), channelOf(t, b, "/")
		_, err := ch.QueueDeclare("old", warren.QueueOptions{Durable: true})
		require.NoError(t, err)
		require.NoError(t, other.Confirm())
		time.Sleep(time.Minute)
		held := make(chan struct{})
		dir.Before(func(op filestest.Op) error {
			if strings.HasPrefix(op.Name, topology.Prefix) {
				<-held
			}
			return nil
		})
		publish := func(queue string) chan error {
			done := make(chan error, 1)
			go func() {
				done <- other.Publish(t.Context(), "", queue, warren.Message{DeliveryMode: warren.Persistent}, warren.PublishOptions{})
			}()
			time.Sleep(time.Second)
			synctest.Wait()
			return done
		}
		require.NoError(t, <-publish("old"))
		declared := make(chan error, 1)
		go func() {
			_, err := ch.QueueDeclare("new", warren.QueueOptions{Durable: true})
			declared <- err
		}()
		synctest.Wait()
		confirmed := publish("new")
		require.Empty(t, confirmed)
		require.Empty(t, declared)
		close(held)
		require.NoError(t, <-confirmed)
		require.NoError(t, <-declared)
		dir.Before(nil)
		afterPowerCuts(t, dir, func(b *warren.Broker) {
			require.Len(t, brokertest.Drain(t, channelOf(t, b, "/"), "new"), 1)
		})
		require.NoError(t, <-publish("new"))
		require.NoError(t, b.Close())
	})
}

// TestDeadLettersOfAStartFindTheirWay has messages that expire while the broker is not
// there: they are dead-lettered when all is there again that leads them.
func TestDeadLettersOfAStartFindTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch := channelOf(t, b, "/")
		require.NoError(t, ch.ExchangeDeclare("dead", warren.Topic, warren.ExchangeOptions{Durable: true}))
		const queues = 20
		for i := range queues {
			name := fmt.Sprint(i)
			_, err := ch.QueueDeclare(name, warren.QueueOptions{Durable: true, MessageTTL: time.Minute, DeadLetter: &warren.DeadLetter{Exchange: "dead", RoutingKey: name}})
			require.NoError(t, err)
			_, err = ch.QueueDeclare("dead "+name, warren.QueueOptions{Durable: true})
			require.NoError(t, err)
			require.NoError(t, ch.QueueBind("dead "+name, name, "dead", nil))
			require.NoError(t, ch.Publish(t.Context(), "", name, warren.Message{Body: []byte(name), DeliveryMode: warren.Persistent}, warren.PublishOptions{}))
		}
		require.NoError(t, b.Close())
		time.Sleep(time.Hour)
		b = openFiles(t, dir, nil)
		synctest.Wait()
		ch = channelOf(t, b, "/")
		for i := range queues {
			require.Equal(t, []string{fmt.Sprint(i)}, brokertest.Drain(t, ch, fmt.Sprint("dead ", i)))
		}
		require.Zero(t, b.Stats().LettersDropped)
		require.NoError(t, b.Close())
	})
}

// TestWhatSurvivesIsNotDropped has messages in queues of all kinds when a broker with a
// directory ends.
func TestWhatSurvivesIsNotDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openFiles(t, filestest.New(), nil)
		ch := channelOf(t, b, "/")
		require.NoError(t, ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{Durable: true, DelayedType: warren.Fanout}))
		message := warren.Message{DeliveryMode: warren.Persistent, Headers: warren.Table{"x-delay": 1000}}
		require.NoError(t, ch.Publish(t.Context(), "later", "", message, warren.PublishOptions{}))
		for name, o := range map[string]warren.QueueOptions{
			"durable": {Durable: true}, "transient": {}, "exclusive": {Durable: true, Exclusive: true},
		} {
			_, err := ch.QueueDeclare(name, o)
			require.NoError(t, err)
			require.NoError(t, ch.Publish(t.Context(), "", name, message, warren.PublishOptions{}))
		}
		var dropped *warren.DroppedError
		require.ErrorAs(t, b.Shutdown(t.Context()), &dropped)
		require.Equal(t, &warren.DroppedError{Messages: 2, Queues: []warren.DroppedQueue{
			{VirtualHost: "/", Name: "exclusive", Ready: 1}, {VirtualHost: "/", Name: "transient", Ready: 1},
		}}, dropped)
	})
}
