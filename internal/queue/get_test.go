package queue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
)

// TestWhatNobodyHasSeenIsAsBefore: a message that was taken and could not be passed on
// is ready again, and counts as before.
func TestWhatNobodyHasSeenIsAsBefore(t *testing.T) {
	for _, noAck := range []bool{false, true} {
		q := newQueueForTest(t, &Options{})
		_, err := q.Push(&message.Publishing{Entry: message.Entry{Body: make([]byte, 10)}})
		require.NoError(t, err)
		before := q.Stats()
		d, _, ok, err := q.Get(noAck, nil)
		require.NoError(t, err)
		require.True(t, ok)
		q.Unget(&d, noAck)
		after := q.Stats()
		require.Equal(t, 1, after.Ready)
		require.Zero(t, after.Unacked)
		require.Equal(t, before.Acked, after.Acked)
		require.Equal(t, before.Bytes, after.Bytes)

		d, _, _, err = q.Get(noAck, nil)
		require.NoError(t, err)
		rest, _, err := q.Close(ErrDeleted, Always)
		require.NoError(t, err)
		rest.Drop()
		q.Unget(&d, noAck)
		require.Zero(t, q.Stats().Unacked)
		require.Zero(t, q.Stats().Bytes)
	}
}
