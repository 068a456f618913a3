package queue

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/message"
)

// ring is a host of queues in a ring: each sends its letters to the next, until there
// were enough.
type ring struct {
	queues []*Queue
	next   map[*Queue]*Queue
	most   int64
	sent   atomic.Int64

	mu     sync.Mutex
	inRows []int // letters that a goroutine has sent without a break
}

func (r *ring) Expired(*Queue) {}

func (r *ring) WhenDeclared(f func()) { f() }

func (r *ring) DeadLetter(q *Queue, lost *Lost, l *Letters) bool {
	r.mu.Lock()
	if len(l.Edit.Remove) == 0 { // l is new, or was reset
		l.Edit.Remove = append(l.Edit.Remove, "seen")
		r.inRows = append(r.inRows, 0)
	}
	r.inRows[len(r.inRows)-1]++
	r.mu.Unlock()
	if r.sent.Add(1) <= r.most {
		r.next[q].PushLetter(&message.Publishing{Entry: lost.Entry}, l)
	}
	return true
}

func newRing(queues int, most int64) *ring {
	shared := &Shared{Clock: clock.Start()}
	shared.Memory.Init(-1, false, nil)
	r := &ring{most: most, next: make(map[*Queue]*Queue)}
	rules := NoRules()
	rules.MaxLength, rules.DeadLetter = 0, &DeadLetter{}
	for range queues {
		q := &Queue{}
		q.Init("q", r, shared, &Options{Rules: &rules})
		r.queues = append(r.queues, q)
	}
	for i, q := range r.queues {
		r.next[q] = r.queues[(i+1)%queues]
	}
	return r
}

// TestLettersOfOthersKeepNobodyBusy: letters that make letters go on when the publisher
// has its answer, and none is lost.
func TestLettersOfOthersKeepNobodyBusy(t *testing.T) {
	for _, queues := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			r := newRing(queues, 5*extraLetters)
			_, err := r.queues[0].Push(&message.Publishing{})
			require.NoError(t, err)
			time.Sleep(time.Millisecond)
			synctest.Wait()
			for _, n := range r.inRows {
				require.LessOrEqual(t, n, extraLetters+2*lettersAtOnce)
			}
			require.EqualValues(t, 5*extraLetters+1, r.sent.Load())
			for _, q := range r.queues {
				require.Zero(t, q.Stats().Bytes)
			}
		})
	}
}

// TestLettersOfManyQueuesNestNowhere: a chain of queues, each of which loses what it
// gets to the next, is no chain of calls.
func TestLettersOfManyQueuesNestNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(20_000, 20_000)
		_, err := r.queues[0].Push(&message.Publishing{Entry: message.Entry{Body: []byte("m")}})
		require.NoError(t, err)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, 20_001, r.sent.Load())
	})
}

// TestLettersThatWaitAreSentWhenTheQueueIsDeleted: they were lost before it was.
func TestLettersThatWaitAreSentWhenTheQueueIsDeleted(t *testing.T) {
	r := newRing(1, 10)
	q := r.queues[0]
	q.mu.Lock()
	for range 3 {
		q.seldom()
		q.addLost(Lost{Reason: message.DiedMaxLen})
	}
	q.mu.Unlock()
	rest, _, err := q.Close(ErrDeleted, Always)
	require.NoError(t, err)
	require.Zero(t, r.sent.Load())
	rest.Drop()
	require.EqualValues(t, 3, r.sent.Load())
}

// changingHost takes the queue's rules away when the first letter comes, as a
// policy that is deleted does.
type changingHost struct {
	noHost
	to []*DeadLetter
}

func (h *changingHost) DeadLetter(q *Queue, m *Lost, _ *Letters) bool {
	h.to = append(h.to, m.To)
	q.Obey(uint64(len(h.to)), nil)
	return true
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
