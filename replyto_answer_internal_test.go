package warren

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is taken is what was set, and nothing of it is left for the next requester,
// whatever came before.
func TestAnAnswerIsTakenWhole(t *testing.T) {
	failed := errors.New("failed")
	answers := []struct {
		reply Message
		err   error
	}{
		{Message{}, nil},
		{Message{Body: []byte("body")}, nil},
		{Message{Body: []byte("body"), CorrelationId: "1"}, nil},
		{Message{Body: []byte("body"), CorrelationId: "1", Headers: Table{"a": int64(1)}}, nil},
		{Message{CorrelationId: "1", Headers: Table{ErrorCodeHeader: "error"}}, failed},
		{Message{DeliveryMode: Persistent}, nil},
		{Message{Priority: 1}, nil},
		{Message{ReplyTo: "a"}, nil},
		{Message{Timestamp: time.Unix(1, 0)}, nil},
		{Message{AppId: "a"}, failed},
	}
	var a answer
	for _, first := range answers {
		for _, second := range answers {
			for _, set := range []struct {
				reply Message
				err   error
			}{first, second} {
				a.set(&set.reply, set.err)
				var reply Message
				require.Equal(t, set.err, a.take(&reply))
				require.Equal(t, set.reply, reply)
				require.Equal(t, answer{}, a)
			}
		}
		a.fail(failed)
		var reply Message
		require.Equal(t, failed, a.take(&reply))
		require.Zero(t, reply)
		require.Equal(t, answer{}, a)
	}
}
