package warren_test

import (
	"context"
	"errors"
	"fmt"
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

// listener reads events in a goroutine of its own.
type listener struct {
	events []warren.Event
	lost   []int
	end    error
	done   chan struct{}
	stop   context.CancelFunc
}

// listen starts a listener. It has begun when listen returns.
func listen(t *testing.T, b *warren.Broker) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &listener{done: make(chan struct{}), stop: cancel}
	go func() {
		defer close(l.done)
		for e, err := range b.Events(ctx) {
			if lost, ok := errors.AsType[*warren.EventsLostError](err); ok {
				l.lost = append(l.lost, lost.Count)
				continue
			}
			if err != nil {
				l.end = err
				continue
			}
			l.events = append(l.events, e)
		}
	}()
	synctest.Wait()
	return l
}

// take returns the events that came since the last call. Their times must be now.
func (l *listener) take(t *testing.T) []warren.Event {
	t.Helper()
	synctest.Wait()
	events := l.events
	l.events = nil
	for i := range events {
		require.WithinDuration(t, time.Now(), events[i].Time, 0, events[i].Kind)
		events[i].Time = time.Time{}
	}
	return events
}

// TestEventsOfTheTopology makes one change after another, and requires all fields of
// what is told about each.
func TestEventsOfTheTopology(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		s, err := v.Session()
		require.NoError(t, err)
		ch := brokertest.Channel(t, s)
		l := listen(t, b)
		event := func(kind warren.EventKind, name string) warren.Event {
			return warren.Event{Kind: kind, VirtualHost: "v", Name: name}
		}
		bound := func(kind warren.EventKind, destination string) warren.Event {
			return warren.Event{Kind: kind, VirtualHost: "v", Name: "x", Queue: destination}
		}
		for i, step := range []struct {
			do   func() error
			want []warren.Event
		}{
			{func() error { _, err := b.VirtualHostDeclare("w"); return err }, []warren.Event{{Kind: "vhost.created", VirtualHost: "w", Name: "w"}}},
			{func() error { _, err := b.VirtualHostDeclare("w"); return err }, nil},
			{func() error { return b.VirtualHostDelete("w") }, []warren.Event{{Kind: "vhost.deleted", VirtualHost: "w", Name: "w"}}},
			{func() error { v.LimitsSet(warren.VirtualHostLimits{MaxQueues: 9}); return nil }, []warren.Event{event("vhost.limits.set", "v")}},
			{func() error { return ch.ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{AutoDelete: true}) }, []warren.Event{event("exchange.created", "x")}},
			{func() error { return ch.ExchangeDeclare("y", warren.Topic, warren.ExchangeOptions{}) }, []warren.Event{event("exchange.created", "y")}},
			{func() error { _, err := ch.QueueDeclare("q", warren.QueueOptions{}); return err }, []warren.Event{event("queue.created", "q")}},
			{func() error { _, err := ch.QueueDeclare("q", warren.QueueOptions{}); return err }, nil},
			{func() error { _, err := ch.QueueDeclare("own", warren.QueueOptions{Exclusive: true}); return err },
				[]warren.Event{{Kind: "queue.created", VirtualHost: "v", Name: "own", Session: s.ID()}}},
			{func() error { return ch.QueueBind("q", "#", "x", nil) }, []warren.Event{bound("binding.created", "q")}},
			{func() error { return ch.ExchangeBind("y", "#", "x", nil) }, []warren.Event{bound("binding.created", "y")}},
			{func() error { return ch.ExchangeUnbind("y", "#", "x", nil) }, []warren.Event{bound("binding.deleted", "y")}},
			{func() error { return ch.QueueUnbind("q", "#", "x", nil) }, []warren.Event{bound("binding.deleted", "q"), event("exchange.deleted", "x")}},
			{func() error { return v.PolicySet(warren.Policy{Name: "p", Definition: warren.Table{"max-length": 1}}) }, []warren.Event{event("policy.set", "p")}},
			{func() error { return v.PolicyDelete("p") }, []warren.Event{event("policy.cleared", "p")}},
			{func() error { return b.UserDeclare("ann", "") }, []warren.Event{{Kind: "user.created", Name: "ann"}}},
			{func() error { return v.PermissionsSet("ann", warren.AllPermissions()) }, []warren.Event{{Kind: "permission.created", VirtualHost: "v", User: "ann"}}},
			{func() error { return v.TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: "y"}) },
				[]warren.Event{{Kind: "topic.permission.created", VirtualHost: "v", Name: "y", User: "ann"}}},
			{func() error { return v.TopicPermissionsDelete("ann", "none") }, nil},
			{func() error { return v.TopicPermissionsDelete("ann", "") },
				[]warren.Event{{Kind: "topic.permission.deleted", VirtualHost: "v", Name: "y", User: "ann"}}},
			{func() error { return v.PermissionsDelete("ann") }, []warren.Event{{Kind: "permission.deleted", VirtualHost: "v", User: "ann"}}},
			{func() error { return b.UserDelete("ann") }, []warren.Event{{Kind: "user.deleted", Name: "ann"}}},
			{func() error { _, err := ch.QueueDelete("q", warren.QueueDeleteOptions{}); return err }, []warren.Event{event("queue.deleted", "q")}},
		} {
			time.Sleep(time.Second)
			require.NoError(t, step.do(), i)
			require.Equal(t, step.want, l.take(t), i)
		}
		require.Empty(t, l.lost)
		l.stop()
		<-l.done
		require.ErrorIs(t, l.end, context.Canceled)
	})
}

// TestEventsOfClients is the same for those who use the broker.
func TestEventsOfClients(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		root, err := b.VirtualHost("/")
		require.NoError(t, err)
		l := listen(t, b)
		s, err := root.SessionFor("guest")
		require.NoError(t, err)
		ch := brokertest.Channel(t, s)
		brokertest.Channel(t, s)
		brokertest.Queues(t, ch, "q")
		on := func(kind warren.EventKind, channel uint64) warren.Event {
			return warren.Event{Kind: kind, VirtualHost: "/", Session: s.ID(), User: "guest", Channel: channel}
		}
		consumer := func(kind warren.EventKind, tag, queue, reason string) warren.Event {
			e := on(kind, 1)
			e.Name, e.Queue, e.Reason = tag, queue, reason
			return e
		}
		session := func(kind warren.EventKind, reason string) warren.Event {
			e := on(kind, 0)
			e.Name, e.Reason = s.ID(), reason
			return e
		}
		require.Equal(t, []warren.Event{
			session("connection.created", ""), on("channel.created", 1), on("channel.created", 2),
			{Kind: "queue.created", VirtualHost: "/", Name: "q"},
		}, l.take(t))

		// A consumer that its user ends.
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "a"})
		require.NoError(t, c.Cancel())
		require.NoError(t, c.Cancel())
		require.Equal(t, []warren.Event{consumer("consumer.created", "a", "q", ""), consumer("consumer.deleted", "a", "q", "")}, l.take(t))

		// Consumers that others end, and one of replies.
		c = brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "b"})
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "c"})
		brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{Tag: "r", NoAck: true})
		l.take(t)
		require.NoError(t, b.ConsumerCancel(s.ID(), 1, "c"))
		require.Equal(t, []warren.Event{consumer("consumer.deleted", "c", "q", "cancelled from outside")}, l.take(t))
		_, err = ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, []warren.Event{
			{Kind: "queue.deleted", VirtualHost: "/", Name: "q"},
			consumer("consumer.deleted", "b", "q", "its queue was deleted"),
		}, l.take(t))
		require.NoError(t, c.Cancel())
		require.Empty(t, l.take(t), "it has ended already")

		// The end of channels and of the session.
		require.NoError(t, ch.Close())
		require.Equal(t, []warren.Event{consumer("consumer.deleted", "r", warren.DirectReplyTo, ""), on("channel.closed", 1)}, l.take(t))
		require.NoError(t, b.SessionClose(s.ID(), "go away"))
		require.Equal(t, []warren.Event{on("channel.closed", 2), session("connection.closed", "go away")}, l.take(t))
		l.stop()
	})
}

// handlerTag returns the tag of the only handler of a queue.
func handlerTag(t *testing.T, b *warren.Broker, queue string) string {
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	list := v.Handlers()
	require.Len(t, list, 1)
	require.Equal(t, queue, list[0].Queue)
	return list[0].Tag
}

func TestEventsOfHandlers(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		l := listen(t, b)
		var tag string
		event := func(kind warren.EventKind, reason string) warren.Event {
			return warren.Event{Kind: kind, VirtualHost: "/", Name: tag, Queue: "q", Reason: reason}
		}
		queue := func(kind warren.EventKind) warren.Event {
			return warren.Event{Kind: kind, VirtualHost: "/", Name: "q"}
		}
		serve := func(_ context.Context, req *warren.Request) (warren.Message, error) {
			switch string(req.Body) {
			case "exit":
				runtime.Goexit()
			case "error":
				return warren.Message{}, errors.New("no panic")
			}
			panic(errors.New(strings.Repeat("x", 300)))
		}
		h := brokertest.Handle(t, b, "q", serve)
		tag = handlerTag(t, b, "q")
		require.Equal(t, []warren.Event{queue("queue.created"), event("handler.created", "")}, l.take(t))
		for body, reason := range map[string]string{"": strings.Repeat("x", 255) + "…", "exit": "the handler called runtime.Goexit"} {
			_, err := b.Call(t.Context(), "q", warren.Message{Body: []byte(body)})
			require.ErrorIs(t, err, &warren.RemoteError{Code: warren.CodePanic})
			require.Equal(t, []warren.Event{event("handler.panicked", reason)}, l.take(t))
		}
		_, err := b.Call(t.Context(), "q", warren.Message{Body: []byte("error")})
		require.Error(t, err)
		require.Empty(t, l.take(t))
		require.NoError(t, h.Close())
		require.Equal(t, []warren.Event{event("handler.deleted", ""), queue("queue.deleted")}, l.take(t))

		// The end of the queue is the end of its handler, but what it serves comes first.
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve)
		tag = handlerTag(t, b, "q")
		l.take(t)
		call := brokertest.Call(t.Context(), b, "q", "x")
		synctest.Wait()
		_, err = brokertest.Channel(t, b).QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Contains(t, l.take(t), queue("queue.deleted"))
		close(gate.Release)
		_, err = brokertest.Answer(t, call)
		require.NoError(t, err)
		require.Equal(t, []warren.Event{event("handler.deleted", "its queue was deleted")}, l.take(t))
		l.stop()
	})
}

func TestEventsOfAlarmsAndImports(t *testing.T) {
	o := &warren.Options{MemoryLimit: 1000, MemoryPolicy: warren.FailPublishers}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		l := listen(t, b)
		publish := func() error {
			return ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 1000)}, warren.PublishOptions{})
		}
		require.NoError(t, publish())
		require.ErrorIs(t, publish(), warren.ErrMemoryLimit)
		_, err := ch.QueuePurge("q")
		require.NoError(t, err)
		require.NoError(t, publish())
		require.Equal(t, []warren.Event{{Kind: "alarm.set", Name: "memory"}, {Kind: "alarm.cleared", Name: "memory"}}, l.take(t))
		require.NoError(t, b.DefinitionsImport(strings.NewReader(`{"queues": []}`)))
		require.Equal(t, []warren.Event{{Kind: "definitions.imported"}}, l.take(t))
		require.Error(t, b.DefinitionsImport(strings.NewReader(`{"bindings": [{"source": "no", "vhost": "/", "destination": "no", "destination_type": "queue", "routing_key": "", "arguments": {}}]}`)))
		require.Equal(t, []warren.Event{{Kind: "definitions.imported", Reason: "problems: 1"}}, l.take(t))
		l.stop()
	})
}

// TestEventsEnd ends loops in each way that there is.
func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines(t)
		b := warren.New(nil)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("the cause"))
		defer cancel()
		for e, err := range b.Events(ctx) { // nothing happens
			require.Zero(t, e)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		for _, err := range b.Events(ctx) { // nor does it here
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		n := 0
		require.NoError(t, b.UserDeclare("early", ""))
		go func() {
			time.Sleep(time.Second)
			for i := range 3 {
				b.UserDeclare(strconv.Itoa(i), "")
			}
		}()
		for e, err := range b.Events(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, strconv.Itoa(n), e.Name, "without what was before the loop")
			if n++; n == 2 {
				break
			}
		}
		synctest.Wait() // until the third one is declared
		l := listen(t, b)
		brokertest.Channel(t, b)
		require.NoError(t, b.Close())
		<-l.done
		require.ErrorIs(t, l.end, warren.ErrClosed)
		kinds := []warren.EventKind{}
		for _, e := range l.events {
			kinds = append(kinds, e.Kind)
		}
		require.Equal(t, []warren.EventKind{"connection.created", "channel.created", "channel.closed", "connection.closed"}, kinds)
		require.Contains(t, l.events[3].Reason, "shutdown")
		ends := 0
		for _, err := range b.Events(t.Context()) {
			require.ErrorIs(t, err, warren.ErrClosed)
			ends++
		}
		require.Equal(t, 1, ends)
		require.Equal(t, before, goroutines(t))
	})
}

// TestASlowReaderOfEventsIsToldWhatItHasLost: nobody waits for it, and the loss is told
// where it was.
func TestASlowReaderOfEventsIsToldWhatItHasLost(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		release, done := make(chan struct{}), make(chan struct{})
		var got []string
		go func() {
			defer close(done)
			for e, err := range b.Events(t.Context()) {
				if err != nil {
					got = append(got, err.Error())
					<-release
					continue
				}
				got = append(got, e.Name)
				switch e.Name {
				case "first":
					<-release
				case "last":
					return
				}
			}
		}()
		synctest.Wait()
		require.NoError(t, b.UserDeclare("first", ""))
		synctest.Wait()
		const waiting, lost = 4096, 7
		for i := range waiting + lost {
			require.NoError(t, b.UserDeclare(strconv.Itoa(i), ""))
		}
		release <- struct{}{}
		synctest.Wait()
		require.NoError(t, b.UserDeclare("last", ""))
		release <- struct{}{}
		<-done
		require.Len(t, got, 1+waiting+1+1)
		require.Equal(t, []string{"first", "0", "1"}, got[:3])
		require.Equal(t, []string{strconv.Itoa(waiting - 1), (&warren.EventsLostError{Count: lost}).Error(), "last"}, got[waiting:])
		require.Contains(t, got[waiting+1], fmt.Sprintf("%d events were lost", lost))
	})
}

// TestAReaderOfEventsMayUseTheBroker changes the broker by what it reads.
func TestAReaderOfEventsMayUseTheBroker(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		go func() {
			synctest.Wait()
			b.UserDeclare("a", "")
		}()
		var names []string
		for e, err := range b.Events(t.Context()) {
			require.NoError(t, err)
			if names = append(names, e.Name); len(names) == 3 {
				break
			}
			require.NoError(t, b.UserDeclare(e.Name+"a", ""))
		}
		require.Equal(t, []string{"a", "aa", "aaa"}, names)
	})
}

// TestReadersOfEventsAreApart: each gets all, and the end of one is none of another.
func TestReadersOfEventsAreApart(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		one, two := listen(t, b), listen(t, b)
		require.NoError(t, b.UserDeclare("a", ""))
		require.Len(t, one.take(t), 1)
		one.stop()
		<-one.done
		require.NoError(t, b.UserDeclare("b", ""))
		require.Len(t, two.take(t), 2)
		require.Empty(t, one.take(t))
		two.stop()
	})
}

// TestEventsBeginWithTheCall: who looks at the state before the loop misses nothing, and
// events that no loop reads end with the context.
func TestEventsBeginWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		events := b.Events(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		unread := b.Events(ctx)
		require.NoError(t, b.UserDeclare("first", ""))
		cancel()
		synctest.Wait()
		for e, err := range unread {
			require.Zero(t, e)
			require.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, b.Close())
		var got []string
		var end error
		for e, err := range events {
			got, end = append(got, e.Name), err
		}
		require.Equal(t, []string{"first", ""}, got, "also after the broker was closed")
		require.ErrorIs(t, end, warren.ErrClosed)
		for _, err := range events {
			require.ErrorIs(t, err, warren.ErrClosed, "a second loop")
		}
	})
}
