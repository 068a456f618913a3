package mailbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
)

var errEnd = errors.New("the end")

// box is a mailbox with its owner's lock.
type box struct {
	mu sync.Mutex
	*mailbox.Mailbox
}

func newBox() *box {
	b := &box{}
	b.Mailbox = mailbox.New(&b.mu)
	return b
}

// put appends messages with these positions and wakes a reader, as owners do.
func (b *box) put(positions ...uint64) {
	b.mu.Lock()
	wake := false
	for _, pos := range positions {
		wake = b.Put(&message.Item{Pos: pos})
	}
	b.mu.Unlock()
	if wake {
		b.Signal()
	}
}

// next reads at most n messages.
func (b *box) next(ctx context.Context, n int) ([]uint64, error) {
	dst := make([]message.Item, n)
	b.mu.Lock()
	n, err := b.Read(ctx, dst)
	b.mu.Unlock()
	var positions []uint64
	for _, it := range dst[:n] {
		positions = append(positions, it.Pos)
	}
	return positions, err
}

func TestMessagesComeInOrderThroughReuseOfTheRoom(t *testing.T) {
	b := newBox()
	in, out := uint64(0), uint64(0)
	for range 100 {
		b.put(in, in+1, in+2)
		in += 3
		got, err := b.next(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, []uint64{out, out + 1}, got)
		out += 2
	}
	require.Equal(t, 100, b.Len())
	b.PutFront([]message.Item{{Pos: 1000}, {Pos: 1001}})
	got, err := b.next(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, []uint64{1000, 1001, out}, got, "what comes back is before all others")
	require.Equal(t, 99, b.Len())
	unread := b.Drain()
	require.Len(t, unread, 99)
	require.Equal(t, out+1, unread[0].Pos)
	require.Zero(t, b.Len())
}

func TestUnreadMessagesCanBeReadAfterTheEnd(t *testing.T) {
	b := newBox()
	b.put(1, 2)
	require.False(t, b.Close(errEnd), "nobody waits")
	b.Close(context.Canceled)
	for _, pos := range []uint64{1, 2} {
		got, err := b.next(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, []uint64{pos}, got)
	}
	_, err := b.next(t.Context(), 1)
	require.ErrorIs(t, err, errEnd, "the first error stays")
}

func TestOneSignalIsEnoughForAllWhoCanGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		results := make(chan error, 3)
		for range cap(results) {
			go func() {
				_, err := b.next(t.Context(), 1)
				results <- err
			}()
		}
		synctest.Wait()
		b.put(1, 2)
		synctest.Wait()
		require.Len(t, results, 2, "two messages, two readers")
		require.NoError(t, <-results)
		require.NoError(t, <-results)
		for range 2 { // two wait again
			go func() {
				_, err := b.next(t.Context(), 1)
				results <- err
			}()
		}
		synctest.Wait()
		b.mu.Lock()
		require.True(t, b.Close(errEnd))
		b.mu.Unlock()
		b.Signal()
		for range 3 {
			require.ErrorIs(t, <-results, errEnd, "the end concerns all")
		}
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			_, err := b.next(ctx, 1)
			result <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)
		b.put(1)
		got, err := b.next(ctx, 1)
		require.NoError(t, err, "what is there needs no waiting")
		require.Equal(t, []uint64{1}, got)
	})
}

// request is the content of a request whose call counts as told when lost.
type request struct {
	message.Content
	told int
}

func (r *request) Lost(n int)                 { r.told += n }
func (r *request) Unawaited() message.Content { return nil }

func TestAbandonTellsUnreadRequestsOnce(t *testing.T) {
	b := newBox()
	read, unread := &request{}, &request{}
	b.Put(&message.Item{Entry: message.Entry{Content: read}})
	b.Put(&message.Item{Entry: message.Entry{Content: unread}})
	b.Put(&message.Item{})
	_, err := b.next(t.Context(), 1)
	require.NoError(t, err)
	b.Abandon()
	b.Abandon()
	require.Equal(t, []int{0, 1}, []int{read.told, unread.told})
	require.Equal(t, 2, b.Len())
}
