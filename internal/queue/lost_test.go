package queue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/message"
)

// changingHost takes the queue's rules away when the first letter comes, as a
// policy that is deleted does.
type changingHost struct {
	noHost
	to []*DeadLetter
}

func (h *changingHost) DeadLetter(q *Queue, m *Lost) {
	h.to = append(h.to, m.To)
	q.Obey(uint64(len(h.to)), nil)
}

// A message goes where the rules said when the queue lost it, even if they have
// changed before its turn to be sent has come.
func TestLettersGoWhereTheRulesSaidWhenTheyWereLost(t *testing.T) {
	shared := &Shared{Clock: clock.Start()}
	shared.Memory.Init(-1, false, nil)
	host := &changingHost{}
	q := &Queue{}
	q.Init("q", host, shared, &Options{})
	for range 2*lettersAtOnce + 1 {
		taken, err := q.Push(&message.Publishing{})
		require.NoError(t, err)
		require.True(t, taken)
	}
	r, to := NoRules(), &DeadLetter{Exchange: "dead"}
	r.MaxLength, r.DeadLetter = 0, to
	q.Obey(0, &r) // loses all
	require.Len(t, host.to, 2*lettersAtOnce+1)
	for _, had := range host.to {
		require.Same(t, to, had)
	}
}
