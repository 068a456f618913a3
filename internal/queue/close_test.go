package queue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
)

// listener is a message's content that looks at the queue when the message is lost.
type listener struct {
	message.Content
	lost func()
}

func (l *listener) Lost(int) { l.lost() }

// TestMessagesAreDroppedWithoutTheLock: of a queue that is purged or deleted, messages
// that are lost may take long, and everything else goes on meanwhile.
func TestMessagesAreDroppedWithoutTheLock(t *testing.T) {
	const many = 3*droppedAtOnce + 1
	for name, end := range map[string]func(q *Queue) int{
		"purge": func(q *Queue) int { return q.Purge() },
		"close": func(q *Queue) int {
			rest, n, err := q.Close(ErrDeleted, Always)
			require.NoError(t, err)
			require.Zero(t, q.Stats().Ready, "the messages are gone at once")
			rest.Drop()
			return n
		},
	} {
		for levels := range uint8(2) {
			t.Run(name, func(t *testing.T) {
				q := newQueueForTest(t, &Options{MaxPriority: levels})
				lost := 0
				content := &listener{message.NewPublished(&message.Properties{}), func() {
					lost++
					require.Zero(t, q.Stats().Ready)
				}}
				for range many {
					taken, err := q.Push(&message.Publishing{Entry: message.Entry{Content: content}})
					require.NoError(t, err)
					require.True(t, taken)
				}
				require.Equal(t, many, end(q))
				require.Equal(t, many, lost)
				require.Equal(t, uint64(many), q.Stats().Dropped)
				require.Zero(t, q.Stats().Bytes)
			})
		}
	}
}

// countingSink counts what a consumer gets and how often it is cancelled.
type countingSink struct{ got, cancelled int }

func (s *countingSink) Accepted() {}

func (s *countingSink) Deliver(message.Item) *mailbox.Mailbox {
	s.got++
	return nil
}

func (s *countingSink) Cancelled(error) *mailbox.Mailbox {
	s.cancelled++
	return nil
}

// TestConsumersOfADeletedQueueAreCancelledOnce: also if they are removed before they
// are told, and then not at all.
func TestConsumersOfADeletedQueueAreCancelledOnce(t *testing.T) {
	const many = 2*droppedAtOnce + 1
	q := newQueueForTest(t, &Options{})
	var sinks []*countingSink
	var consumers []*Consumer
	for range many {
		s := &countingSink{}
		c := NewConsumer(q, s, &ConsumerOptions{NoAck: true, Direct: true})
		require.NoError(t, q.Add(c))
		sinks, consumers = append(sinks, s), append(consumers, c)
	}
	rest, _, err := q.Close(ErrDeleted, Always)
	require.NoError(t, err)
	taken, err := q.Push(&message.Publishing{})
	require.NoError(t, err)
	require.False(t, taken)
	consumers[7].Remove(ErrRemoved)
	rest.Drop()
	for i, s := range sinks {
		want := 1
		if i == 7 {
			want = 0
		}
		require.Equal(t, want, s.cancelled)
		require.Zero(t, s.got)
	}
}

// newQueueForTest makes a queue of a broker without a memory limit.
func newQueueForTest(t *testing.T, o *Options) *Queue {
	t.Helper()
	shared := &Shared{}
	shared.Memory.Init(-1, false, nil)
	q := &Queue{}
	q.Init("q", nil, shared, o)
	return q
}
