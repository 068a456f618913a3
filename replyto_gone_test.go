package warren_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// A requester who does not read is cancelled when its buffer is full. Neither
// the replier nor anybody else notices.
func TestReplyToSlowRequester(t *testing.T) {
	for _, name := range replyNames {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newReplyWorld(t, name, &warren.Options{ReplyBuffer: 4})
				slow := w.address()
				sibling, err := w.session.Channel()
				require.NoError(t, err)
				siblings := consumeReplies(t, sibling, name)
				other := w.requestOn(sibling, name, "").ReplyTo
				_, err = w.requester.QueueDeclare("ordinary", warren.QueueOptions{})
				require.NoError(t, err)
				ordinary, err := w.requester.Consume("ordinary", warren.ConsumeOptions{})
				require.NoError(t, err)

				began := time.Now()
				for i := range 10 {
					require.NoError(t, w.reply(slow, fmt.Sprint(i), warren.PublishOptions{}))
					require.NoError(t, w.reply(other, fmt.Sprint(i), warren.PublishOptions{Mandatory: true}))
					require.Equal(t, fmt.Sprint(i), string(brokertest.Next(t, siblings).Body))
				}
				require.Equal(t, began, time.Now(), "nobody waited")
				isReturned(t, w.reply(slow, "late", warren.PublishOptions{Mandatory: true}), 312, "NO_ROUTE", slow, "late")
				s := w.b.Stats()
				require.Equal(t, uint64(1), s.RepliesTooFast, "the one that found the buffer full")
				require.Equal(t, uint64(6), s.RepliesTooLate)
				require.Equal(t, uint64(4+10), s.Replies)

				t.Log("What had arrived can still be read.")
				for i := range 4 {
					require.Equal(t, fmt.Sprint(i), string(brokertest.Next(t, w.replies).Body))
				}
				for range 2 {
					_, err = w.replies.Next(t.Context())
					require.ErrorIs(t, err, warren.ErrSlowConsumer)
				}

				t.Log("The channel goes on: its other consumer as before, and with a new reply consumer.")
				require.NoError(t, w.reply("ordinary", "message", warren.PublishOptions{}))
				require.Equal(t, "message", string(brokertest.Next(t, ordinary).Body))
				err = w.requester.Publish(t.Context(), "", "work", warren.Message{ReplyTo: name}, warren.PublishOptions{})
				brokertest.Fails(t, err, 406, 60, 40, noReplyConsumer)
				w.replies, err = w.requester.Consume(name, warren.ConsumeOptions{NoAck: true, Tag: w.replies.Tag()})
				require.NoError(t, err)
				require.NoError(t, w.reply(w.address(), "answer", warren.PublishOptions{Mandatory: true}))
				w.gets("answer")
			})
		})
	}
}

// The buffer counts unread replies, not all that ever came.
func TestReplyToRequesterThatKeepsUp(t *testing.T) {
	withReplyWorld(t, &warren.Options{ReplyBuffer: 2}, func(w *replyWorld) {
		address := w.address()
		for range 10 {
			require.NoError(w, w.reply(address, "1", warren.PublishOptions{Mandatory: true}))
			require.NoError(w, w.reply(address, "2", warren.PublishOptions{Mandatory: true}))
			require.Equal(w, "1", string(brokertest.Next(w.T, w.replies).Body))
			w.gets("2")
		}
		require.Zero(w, w.b.Stats().RepliesTooFast)
	})
}

// A reader that waits learns at once that its consumer has ended.
func TestReplyToWaitingRequesterIsWoken(t *testing.T) {
	for how, leave := range waysToGo {
		t.Run(how, func(t *testing.T) {
			eachReplyName(t, func(w *replyWorld) {
				began := time.Now()
				time.AfterFunc(time.Second, func() { leave(w) })
				_, err := w.replies.Next(w.Context())
				require.ErrorIs(w, err, warren.ErrClosed)
				require.Equal(w, time.Second, time.Since(began))
				synctest.Wait() // for leave to return
			})
		})
	}
}

// One's own cancel drops the replies that nobody has read.
func TestReplyToUnreadRepliesAreDroppedByCancel(t *testing.T) {
	for how, leave := range waysToGo {
		t.Run(how, func(t *testing.T) {
			eachReplyName(t, func(w *replyWorld) {
				require.NoError(w, w.reply(w.address(), "unread", warren.PublishOptions{}))
				leave(w)
				_, err := w.replies.Next(w.Context())
				require.ErrorIs(w, err, warren.ErrClosed)
				require.Zero(w, w.b.Stats().Ready, "they are in no queue")
			})
		})
	}
}

// The requester's last channel may go while its session stays, and the other
// way round a session takes all its requesters with it.
func TestReplyToSessionCloseEndsAllItsRequesters(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		sibling, err := w.session.Channel()
		require.NoError(w, err)
		consumeReplies(w.T, sibling, w.name)
		first, second := w.address(), w.requestOn(sibling, w.name, "").ReplyTo
		require.NoError(w, w.requester.Close())
		require.ErrorIs(w, w.reply(first, "", warren.PublishOptions{Mandatory: true}), warren.ErrNoRoute)
		require.NoError(w, w.reply(second, "", warren.PublishOptions{Mandatory: true}))
		require.NoError(w, w.session.Close())
		require.ErrorIs(w, w.reply(second, "", warren.PublishOptions{Mandatory: true}), warren.ErrNoRoute)
		require.Zero(w, w.b.Stats().Requesters)
	})
}

// The end of the broker, or of the virtual host, is the end of its requesters.
func TestReplyToBrokerClose(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		v, err := w.b.VirtualHostDeclare("other")
		require.NoError(w, err)
		ch, err := v.Channel()
		require.NoError(w, err)
		theirs := consumeReplies(w.T, ch, w.name)
		time.AfterFunc(time.Second, func() { w.b.VirtualHostDelete("other") })
		_, err = theirs.Next(w.Context())
		require.ErrorIs(w, err, warren.ErrClosed)
		require.Equal(w, 1, w.b.Stats().Requesters)

		address := w.address()
		time.AfterFunc(time.Second, func() { w.b.Close() })
		_, err = w.replies.Next(w.Context())
		require.ErrorIs(w, err, warren.ErrClosed)
		require.ErrorIs(w, w.reply(address, "late", warren.PublishOptions{}), warren.ErrClosed)
		_, err = w.requester.Consume(w.name, warren.ConsumeOptions{NoAck: true})
		require.ErrorIs(w, err, warren.ErrClosed)
		synctest.Wait()
	})
}

// Replies that are on their way while the requester leaves are delivered or
// returned, one or the other, and no replier comes to harm.
func TestReplyToRequesterClosesWhileRepliesComeIn(t *testing.T) {
	const rounds, repliers = 30, 4
	for how, leave := range waysToGo {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := warren.New(&warren.Options{ReplyBuffer: 1 << 30}) // nobody is too slow
				defer b.Close()
				var delivered, returned, read atomic.Uint64
				for round := range rounds {
					w := &replyWorld{T: t, b: b, name: replyNames[round%len(replyNames)]}
					hammerReplies(w, repliers, 3*round, func() { leave(w) }, &delivered, &returned, &read)
				}
				s := b.Stats()
				require.Equal(t, delivered.Load(), s.Replies)
				require.Equal(t, returned.Load(), s.RepliesTooLate)
				require.Equal(t, uint64(rounds*repliers), returned.Load(), "each replier stops at its first")
				require.LessOrEqual(t, read.Load(), delivered.Load())
				require.Zero(t, s.Requesters)
				require.Zero(t, s.RepliesTooFast)
			})
		})
	}
}

// hammerReplies opens a requester in w, has it replied to by many, and lets it
// leave when some replies have come.
func hammerReplies(w *replyWorld, repliers, replies int, leave func(), delivered, returned, read *atomic.Uint64) {
	var err error
	w.session, err = w.b.Session()
	require.NoError(w, err)
	defer w.session.Close()
	w.requester, err = w.session.Channel()
	require.NoError(w, err)
	w.replies = consumeReplies(w.T, w.requester, w.name)
	w.server = brokertest.Channel(w.T, w.b)
	defer w.server.Close()
	_, err = w.server.QueueDeclare("work", warren.QueueOptions{})
	require.NoError(w, err)
	w.work, err = w.server.Consume("work", warren.ConsumeOptions{NoAck: true})
	require.NoError(w, err)
	address := w.address()

	var all sync.WaitGroup
	enough := make(chan struct{})
	var came atomic.Int64
	for range repliers {
		ch := brokertest.Channel(w.T, w.b)
		defer ch.Close()
		require.NoError(w, ch.Confirm())
		all.Go(func() {
			for {
				c, err := ch.PublishConfirm(w.Context(), "", address, warren.Message{}, warren.PublishOptions{Mandatory: true})
				if c == nil || !c.Acked() {
					w.Errorf("the reply was not confirmed: %v", err)
					return
				}
				if errors.Is(err, warren.ErrNoRoute) {
					returned.Add(1)
					return
				}
				if err != nil {
					w.Error(err)
					return
				}
				delivered.Add(1)
				if came.Add(1) == int64(replies)+1 {
					close(enough)
				}
				runtime.Gosched() // on one CPU, too, the requester gets its turn soon
			}
		})
	}
	all.Go(func() {
		<-enough
		leave()
	})
	all.Go(func() {
		for {
			if _, err := w.replies.Next(w.Context()); err != nil {
				if !errors.Is(err, warren.ErrClosed) {
					w.Error(err)
				}
				return
			}
			read.Add(1)
		}
	})
	all.Wait()
	_, err = w.server.QueueDeclarePassive(address)
	require.ErrorIs(w, err, warren.ErrNotFound)
}
