package delay_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
	"github.com/warrenmq/warren/internal/table"
)

// diskEnv is an env whose messages are on disk, too.
type diskEnv struct {
	*env
	disk *store.Store
}

func newDiskEnv(t testing.TB, dir *filestest.Dir) *diskEnv {
	t.Helper()
	e := newEnv()
	s, err := store.Open(dir, store.Options{Clock: &e.clock}, func(uint32) bool { return true })
	require.NoError(t, err)
	e.On(s, 1, func(f func()) { f() })
	s.Start()
	return &diskEnv{e, s}
}

// end ends the store as the end of a broker does.
func (e *diskEnv) end(t testing.TB) {
	t.Helper()
	e.Close(true)
	require.NoError(t, e.tasks.Wait(t.Context()))
	require.NoError(t, e.disk.Close(t.Context()))
	require.True(t, e.memory.Fits(0), "nothing is held any more")
}

func persistent(key string, ms int) *message.Publishing {
	c := message.NewPublished(&message.Properties{Headers: table.Table{delay.Header: ms}, DeliveryMode: 2})
	return &message.Publishing{Entry: message.Entry{Body: []byte(key), Key: key, Content: c}}
}

func TestWhatIsKeptBackOnDiskIsThereAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		e := newDiskEnv(t, dir)
		e.Recover()
		p := persistent("a", 20)
		require.True(t, e.Add(p))
		require.NotZero(t, p.Synced, "a confirm has something to wait for")
		require.True(t, e.Add(persistent("b", 10)))
		require.True(t, e.add("transient", 10))
		e.end(t)
		require.Empty(t, e.keys())

		e = newDiskEnv(t, dir)
		require.True(t, e.Add(persistent("c", 10)))
		sleep(15)
		require.Empty(t, e.keys(), "nothing is released before Recover")
		messages, _ := e.Stats()
		require.Equal(t, 3, messages)
		e.Recover()
		synctest.Wait()
		require.Equal(t, []string{"b", "c"}, e.keys())
		messages, bytes := e.Stats()
		require.Equal(t, 1, messages)
		require.NotZero(t, bytes)
		require.True(t, e.Add(persistent("d", 6)), "its place is behind the others")
		e.end(t)

		e = newDiskEnv(t, dir)
		sleep(100)
		e.Recover()
		synctest.Wait()
		require.Equal(t, []string{"a", "d"}, e.keys())
		e.end(t)
	})
}

// TestTheEndWaitsForTheMessageThatIsReleased ends a store while it releases messages: one
// is where it belongs when Close returns, and the others stay on disk.
func TestTheEndWaitsForTheMessageThatIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		e := newDiskEnv(t, dir)
		e.Recover()
		var ended sync.WaitGroup
		hold := make(chan struct{})
		closed := make(chan struct{})
		e.during = func(n int) {
			if n == 300 {
				ended.Go(func() {
					e.Close(true)
					close(closed)
				})
				<-hold
			}
		}
		for i := range 600 {
			require.True(t, e.Add(persistent(fmt.Sprint(i), 10)))
		}
		sleep(10)
		select {
		case <-closed:
			require.Fail(t, "a message is being released")
		default:
		}
		close(hold)
		<-closed
		require.Len(t, e.keys(), 300)
		e.end(t)

		e = newDiskEnv(t, dir)
		e.Recover()
		synctest.Wait()
		require.Len(t, e.keys(), 300)
		require.Equal(t, "300", e.keys()[0])
		e.end(t)
	})
}

// TestWhatCannotBeReleasedStays has a broker that ends before its exchange.
func TestWhatCannotBeReleasedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		e := newDiskEnv(t, dir)
		e.Recover()
		e.refuses = true
		require.True(t, e.Add(persistent("a", 10)))
		sleep(10)
		e.end(t)
		e = newDiskEnv(t, dir)
		e.Recover()
		synctest.Wait()
		require.Equal(t, []string{"a"}, e.keys())
		e.end(t)
	})
}

func TestAStoreIsDeletedWhileItLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		e := newDiskEnv(t, dir)
		e.Recover()
		require.True(t, e.Add(persistent("a", 10)))
		e.end(t)
		e = newDiskEnv(t, dir)
		e.Recover() // it is closed while it loads
		e.Close(false)
		synctest.Wait()
		messages, bytes := e.Stats()
		require.Zero(t, messages)
		require.Zero(t, bytes)
		e.end(t)
	})
}
