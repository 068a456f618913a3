package warren

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// changeList stores the changes that it reads, and calls then for each if it is set.
type changeList struct {
	mu   sync.Mutex
	list []change
	then func(*change)
}

func (l *changeList) wants(changeKind) bool { return true }

func (l *changeList) read(c *change) {
	l.mu.Lock()
	l.list = append(l.list, *c)
	l.mu.Unlock()
	if l.then != nil {
		l.then(c)
	}
}

func (l *changeList) kinds() (kinds []changeKind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.list {
		kinds = append(kinds, c.kind)
	}
	l.list = nil
	return kinds
}

// TestChangesAreTold makes one change after another and checks which changes a
// reader gets.
func TestChangesAreTold(t *testing.T) {
	b := New(nil)
	list := &changeList{}
	b.addChangeReader(list)
	var ch *Channel
	var s *Session
	var c *Consumer
	v, err := b.VirtualHostDeclare("v")
	require.NoError(t, err)
	require.Equal(t, []changeKind{vhostDeclared}, list.kinds())
	for _, step := range []struct {
		do   func() error
		want []changeKind
	}{
		{func() (err error) { s, err = v.Session(); return err }, []changeKind{sessionOpened}},
		{func() (err error) { ch, err = s.Channel(); return err }, []changeKind{channelOpened}},
		{func() error { return ch.ExchangeDeclare("x", Topic, ExchangeOptions{AutoDelete: true}) }, []changeKind{exchangeDeclared}},
		{func() error { return ch.ExchangeDeclare("x", Topic, ExchangeOptions{AutoDelete: true}) }, nil},
		{func() error { _, err := ch.QueueDeclare("q", QueueOptions{}); return err }, []changeKind{queueDeclared}},
		{func() error { return ch.QueueBind("q", "#", "x", nil) }, []changeKind{bindingMade}},
		{func() error { return ch.QueueBind("q", "#", "x", nil) }, nil},
		{func() error { return v.PolicySet(Policy{Name: "p", Definition: Table{"max-length": 1}}) }, []changeKind{policySet}},
		{func() error { return v.PolicyDelete("p") }, []changeKind{policyDeleted}},
		{func() error { v.LimitsSet(VirtualHostLimits{MaxQueues: 9}); return nil }, []changeKind{limitsSet}},
		{func() error { return b.UserDeclare("ann", "") }, []changeKind{userDeclared}},
		{func() error { return v.PermissionsSet("ann", AllPermissions()) }, []changeKind{permissionsSet}},
		{func() error { return v.PermissionsDelete("ann") }, []changeKind{permissionsDeleted}},
		{func() error { return b.UserDelete("ann") }, []changeKind{userDeleted}},
		{func() (err error) { c, err = ch.Consume("q", ConsumeOptions{}); return err }, []changeKind{consumerStarted}},
		{func() error { return c.Cancel() }, []changeKind{consumerEnded}},
		{func() error { return ch.QueueUnbind("q", "#", "x", nil) }, []changeKind{bindingRemoved, exchangeDeleted}},
		{func() error { _, err := ch.QueueDelete("q", QueueDeleteOptions{}); return err }, []changeKind{queueDeleted}},
		{func() error { return ch.Close() }, []changeKind{channelClosed}},
		{func() error { return s.Close() }, []changeKind{sessionClosed}},
		{func() error { return b.VirtualHostDelete("v") }, []changeKind{vhostDeleted}},
		{func() error { return b.Close() }, []changeKind{brokerClosed}},
	} {
		require.NoError(t, step.do())
		require.Equal(t, step.want, list.kinds())
	}
}

// TestChangesComeInOrder declares and deletes queues from many goroutines: for each
// queue a reader gets the declaration first, then the deletion.
func TestChangesComeInOrder(t *testing.T) {
	b := New(nil)
	defer b.Close()
	list := &changeList{}
	b.addChangeReader(list)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			ch, err := b.Channel()
			if err != nil {
				panic(err)
			}
			for j := range 50 {
				name := fmt.Sprintf("q%d.%d", i, j)
				ch.QueueDeclare(name, QueueOptions{})
				ch.QueueDelete(name, QueueDeleteOptions{})
			}
		})
	}
	wait.Wait()
	declared := map[string]int{}
	for _, c := range list.list {
		switch c.kind {
		case queueDeclared:
			declared[c.queue.Name()]++
			require.Equal(t, 1, declared[c.queue.Name()])
		case queueDeleted:
			declared[c.queue.Name()]--
			require.Zero(t, declared[c.queue.Name()])
		}
	}
	require.Len(t, declared, 400)
}

// TestAReaderOfChangesMayUseTheBroker: no lock is held while changes are read.
func TestAReaderOfChangesMayUseTheBroker(t *testing.T) {
	b := New(nil)
	defer b.Close()
	list := &changeList{}
	var err error
	list.then = func(c *change) {
		if c.kind != queueDeclared || c.queue.Name() != "q" {
			return
		}
		ch, openErr := b.Channel()
		_, declareErr := ch.QueueDeclare("another", QueueOptions{})
		err = errors.Join(openErr, declareErr, ch.Close())
	}
	b.addChangeReader(list)
	ch, openErr := b.Channel()
	require.NoError(t, openErr)
	_, declareErr := ch.QueueDeclare("q", QueueOptions{})
	require.NoError(t, declareErr)
	require.NoError(t, err)
	require.Equal(t, 2, b.Stats().Queues)
}

// TestTheMemoryAlarmIsTold fills the memory and frees it, with publishers that fail
// at the limit.
func TestTheMemoryAlarmIsTold(t *testing.T) {
	b := New(&Options{MemoryLimit: 1000, MemoryPolicy: FailPublishers})
	defer b.Close()
	ch, err := b.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("q", QueueOptions{})
	require.NoError(t, err)
	list := &changeList{}
	b.addChangeReader(list)
	publish := func() error {
		return ch.Publish(t.Context(), "", "q", Message{Body: make([]byte, 1000)}, PublishOptions{})
	}
	require.NoError(t, publish())
	require.Empty(t, list.kinds())
	require.ErrorIs(t, publish(), ErrMemoryLimit)
	require.ErrorIs(t, publish(), ErrMemoryLimit)
	require.Equal(t, []changeKind{memoryAlarmStarted}, list.kinds())
	_, err = ch.QueuePurge("q")
	require.NoError(t, err)
	require.NoError(t, publish())
	require.Equal(t, []changeKind{memoryAlarmEnded}, list.kinds())
}

// TestASlowReaderOfChangesLosesSome blocks a reader while more changes come than
// may wait: it is told how many it has missed.
func TestASlowReaderOfChangesLosesSome(t *testing.T) {
	b := New(nil)
	defer b.Close()
	list := &changeList{}
	started, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	list.then = func(c *change) {
		if c.user == "first" {
			close(started)
			<-release
		}
	}
	b.addChangeReader(list)
	go func() {
		defer close(done)
		b.announce(change{kind: userDeclared, user: "first"})
	}()
	<-started
	const missed = 7
	for range maxPendingChanges + missed {
		b.announce(change{kind: userDeleted}) // it waits for nobody
	}
	close(release)
	<-done
	require.Len(t, list.list, 1+maxPendingChanges+1)
	last := list.list[len(list.list)-1]
	require.Equal(t, changesLost, last.kind)
	require.Equal(t, missed, last.count)
	list.kinds()
	require.NoError(t, b.UserDeclare("last", ""))
	require.Equal(t, []changeKind{userDeclared}, list.kinds())
}

// TestAReaderOfChangesMayPanic: the panic is the caller's, and the broker goes on.
func TestAReaderOfChangesMayPanic(t *testing.T) {
	b := New(nil)
	defer b.Close()
	list := &changeList{then: func(c *change) {
		if c.user == "bad" {
			panic("reader")
		}
	}}
	b.addChangeReader(list)
	require.PanicsWithValue(t, "reader", func() { b.UserDeclare("bad", "") })
	require.NoError(t, b.UserDeclare("good", ""))
	require.Equal(t, []changeKind{userDeclared, userDeclared}, list.kinds())
}

// TestAReaderOfChangesMayLeave: it reads nothing more, nobody else is hindered, and
// without readers nothing is kept.
func TestAReaderOfChangesMayLeave(t *testing.T) {
	b := New(nil)
	defer b.Close()
	one, two := &changeList{}, &changeList{}
	b.addChangeReader(one)
	b.addChangeReader(two)
	require.NoError(t, b.UserDeclare("ann", ""))
	b.removeChangeReader(one)
	require.NoError(t, b.UserDelete("ann"))
	require.Equal(t, []changeKind{userDeclared}, one.kinds())
	require.Equal(t, []changeKind{userDeclared, userDeleted}, two.kinds())
	b.removeChangeReader(two)
	b.removeChangeReader(two)
	require.NoError(t, b.UserDeclare("ben", ""))
	require.Empty(t, two.kinds())
	require.EqualValues(t, 2, b.changes.recorded, "nobody reads")
	require.Empty(t, b.changes.pending)
}

// TestAReaderOfChangesGetsNothingFromBefore: what was recorded before a reader came is
// not read by it, even if nobody has read it yet.
func TestAReaderOfChangesGetsNothingFromBefore(t *testing.T) {
	b := New(nil)
	defer b.Close()
	one, two := &changeList{}, &changeList{}
	b.addChangeReader(one)
	b.recordChange(change{kind: userDeclared})
	b.addChangeReader(two)
	b.recordChange(change{kind: userDeleted})
	b.notifyReaders()
	require.Equal(t, []changeKind{userDeclared, userDeleted}, one.kinds())
	require.Equal(t, []changeKind{userDeleted}, two.kinds())
	b.recordChange(change{kind: userDeclared})
	b.removeChangeReader(one)
	b.removeChangeReader(two)
	b.addChangeReader(two)
	b.notifyReaders()
	require.Empty(t, two.kinds())
}

// TestTheEndOfTheBrokerIsNeverLost: readers that are too slow for what is before it
// hear of it, so that they end.
func TestTheEndOfTheBrokerIsNeverLost(t *testing.T) {
	b := New(nil)
	list := &changeList{}
	b.addChangeReader(list)
	for range maxPendingChanges + 1 {
		b.recordChange(change{kind: userDeleted})
	}
	require.NoError(t, b.Close())
	kinds := list.kinds()
	require.Len(t, kinds, maxPendingChanges+2)
	require.Contains(t, kinds, brokerClosed)
}
