package amqp_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// begin sends a message of size octets without the last of them.
func (r *rawClient) begin(channel uint16, key string, size int) {
	r.send(channel, &wire.BasicPublish{RoutingKey: []byte(key)})
	r.sendFrame(wire.FrameHeader, channel, contentHeader(uint64(size)))
	for left := size - 1; left > 0; left -= 100_000 {
		r.sendFrame(wire.FrameBody, channel, strings.Repeat("x", min(left, 100_000)))
	}
}

// finish sends the last octet of a message that was begun.
func (r *rawClient) finish(channel uint16) { r.sendFrame(wire.FrameBody, channel, "y") }

// withShortMemory has two clients that have each begun a message of half the limit.
func withShortMemory(t *testing.T, f func(t *env, a, b *rawClient)) {
	const limit = 2 << 20
	withServerOf(t, &warren.Options{MemoryLimit: limit}, nil, func(t *env) {
		brokertest.Queues(t, t.native(), "q")
		a, b := t.raw(), t.raw()
		for _, r := range []*rawClient{a, b} {
			r.send(1, &wire.ConfirmSelect{})
			expect[*wire.ConfirmSelectOk](r)
			r.begin(1, "q", limit/2-10_000)
		}
		synctest.Wait()
		require.Greater(t, t.broker.Stats().Memory, int64(limit-20_000), "what is not complete counts")
		f(t, a, b)
	})
}

// TestMessagesThatHaveBegunAreCompleted fills the memory with two halves of messages: whoever
// has begun goes on, and a third waits for the end of one.
func TestMessagesThatHaveBegunAreCompleted(t *testing.T) {
	withShortMemory(t, func(t *env, a, b *rawClient) {
		late := t.raw("connection.blocked")
		late.write(late.publishing(1, "", "q", strings.Repeat("z", 200_000)))
		expect[*wire.ConnectionBlocked](late)
		a.finish(1)
		expect[*wire.BasicAck](a)
		b.finish(1)
		expect[*wire.BasicAck](b)
		late.quiet(time.Second)
		_, err := t.native().QueuePurge("q")
		require.NoError(t, err)
		expect[*wire.ConnectionUnblocked](late)
		require.Equal(t, 1, t.ready("q"))
	})
}

// TestAConnectionWithABegunMessageDoesNotWait is about the other channels of one that
// has begun a message: a little more is taken, and much more is refused, since the
// connection would wait for itself.
func TestAConnectionWithABegunMessageDoesNotWait(t *testing.T) {
	withShortMemory(t, func(t *env, a, b *rawClient) {
		a.send(2, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](a)
		a.write(a.publishing(2, "", "q", strings.Repeat("z", 100_000)))
		require.Equal(t, 1, t.ready("q"))
		a.write(a.publishing(2, "", "q", strings.Repeat("z", 1_000_000)))
		closed := expect[*wire.ChannelClose](a)
		require.EqualValues(t, 406, closed.ReplyCode)
		require.Equal(t, "PRECONDITION_FAILED - low on memory, and the connection cannot wait: it has incomplete messages or transactions", closed.ReplyText)
		require.Equal(t, wire.BasicPublishID, closed.Cause)
		a.finish(1)
		expect[*wire.BasicAck](a)
		b.hangUp()
		require.Equal(t, 2, t.ready("q"))
	})
}

func TestWhatWasReceivedCountsNoMoreWhenItsConnectionOrChannelEnds(t *testing.T) {
	for name, end := range map[string]func(r *rawClient){
		"hangs up":             func(r *rawClient) { r.hangUp() },
		"breaks the rules":     func(r *rawClient) { r.sendFrame(wire.FrameBody, 1, "far too much"); r.next() },
		"is closed with a 501": func(r *rawClient) { r.sendFrame(wire.FrameHeader, 1, contentHeader(1)); r.next() },
	} {
		t.Run(name, func(t *testing.T) {
			withShortMemory(t, func(t *env, a, b *rawClient) {
				end(a)
				end(b)
				synctest.Wait()
				require.Zero(t, t.broker.Stats().Memory)
			})
		})
	}
}

// TestAMessageOfMoreThanHalfTheLimitIsRefused says why the others above can always be
// completed.
func TestAMessageOfMoreThanHalfTheLimitIsRefused(t *testing.T) {
	withServerOf(t, &warren.Options{MemoryLimit: 1 << 20}, nil, func(t *env) {
		r := t.raw()
		r.send(1, &wire.BasicPublish{RoutingKey: []byte("q")})
		r.sendFrame(wire.FrameHeader, 1, contentHeader(1<<19+1))
		require.Equal(t, "PRECONDITION_FAILED - message size 524289 is larger than configured max size 524288", expect[*wire.ChannelClose](r).ReplyText)
		err := t.native().Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 1<<19+1)}, warren.PublishOptions{})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
	})
}
