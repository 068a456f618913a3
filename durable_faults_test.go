//go:build !paged

package warren_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// TestAFailureAtAnyOperationNeverConfirmsWhatIsLost lets each operation of the disk fail
// in turn, once or for a while, while messages are published, put on disk only, and
// consumed. What was confirmed is there after a power cut, consumers go on meanwhile, and
// the broker goes on by itself when the disk does.
func TestAFailureAtAnyOperationNeverConfirmsWhatIsLost(t *testing.T) {
	for _, bad := range []error{syscall.ENOSPC, syscall.EIO} {
		for _, lasts := range []bool{false, true} {
			t.Run(fmt.Sprint(bad, " lasts ", lasts), func(t *testing.T) {
				for n, more := 1, true; more; n++ {
					synctest.Test(t, func(t *testing.T) { more = failAt(t, n, lasts, bad) })
				}
			})
		}
	}
}

// failAt is the test above for operation n after Open. It reports whether that was reached.
func failAt(t *testing.T, n int, lasts bool, bad error) (reached bool) {
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	ch, reader := channelOf(t, b, "/"), channelOf(t, b, "/")
	brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
	brokertest.Queues(t, ch, "transient")
	require.NoError(t, ch.Confirm())
	time.Sleep(time.Minute)
	at := dir.Ops() + n
	if lasts {
		dir.FailFrom(at, bad)
	} else {
		dir.FailAt(at, bad)
	}
	var mu sync.Mutex
	confirmed, nacked := []string{}, 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 8 {
			body := fmt.Sprint(i)
			err := persistently(t, ch, "q", body)
			if err != nil && !errors.Is(err, warren.ErrStorage) {
				t.Error(err)
				return
			}
			mu.Lock()
			if err == nil {
				confirmed = append(confirmed, body)
			} else {
				nacked++
			}
			mu.Unlock()
			if i == 3 {
				warren.PageOut(b)
			}
		}
	}()
	time.Sleep(10 * time.Second)
	reached = dir.Ops() >= at
	mu.Lock()
	before, waits := len(confirmed), len(confirmed)+nacked < 8
	mu.Unlock()
	if waits {
		require.True(t, lasts, "operation %d failed once: the broker goes on by itself", at)
		require.ErrorIs(t, b.Stats().DiskError, warren.ErrStorage)
		require.ErrorIs(t, b.Stats().DiskError, bad)
		require.Equal(t, 1, b.Stats().WaitingForDisk)
	}
	brokertest.Fill(t, reader, "transient", "x")
	require.Equal(t, []string{"x"}, brokertest.Drain(t, reader, "transient"))
	if before > 0 { // a consumer goes on
		d := brokertest.Take(t, reader, "q")
		require.NoError(t, d.Nack(false, true))
	}
	crash := dir.Clone()
	dir.Heal()
	<-done
	time.Sleep(time.Minute)
	require.NoError(t, b.Stats().DiskError, "operation %d", at)
	require.NoError(t, persistently(t, ch, "q", "last"))
	confirmed = append(confirmed, "last")
	looks := map[*filestest.Dir][]string{dir: confirmed, crash: confirmed[:before]}
	for of, want := range looks {
		for seed := range 3 {
			after := openFiles(t, of.Image(rand.New(rand.NewPCG(uint64(at), uint64(seed)))), nil)
			got := brokertest.Drain(t, channelOf(t, after, "/"), "q")
			require.Subset(t, got, want, "operation %d", at)
			seen := map[string]bool{}
			for _, body := range got {
				require.False(t, seen[body], "operation %d: %s came twice", at, body)
				seen[body] = true
			}
			require.NoError(t, after.Close())
		}
	}
	got := brokertest.Drain(t, reader, "q")
	require.Subset(t, got, confirmed)
	require.NoError(t, b.Close())
	return reached
}

// TestCloseAnswersAllConfirmsThatWait closes a broker while 1,000 confirms wait for the
// disk, which is well or stuck: each is answered, once, and an ack is true.
func TestCloseAnswersAllConfirmsThatWait(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		t.Run(fmt.Sprint("stuck ", stuck), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filestest.New()
				b := openFiles(t, dir, &warren.Options{CloseTimeout: 5 * time.Second})
				ch := channelOf(t, b, "/")
				brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
				require.NoError(t, ch.Confirm())
				time.Sleep(time.Minute)
				free := make(chan struct{})
				dir.Before(func(op filestest.Op) error {
					if op.Kind == filestest.Sync {
						<-free
					}
					return nil
				})
				var list []*warren.Confirmation
				for i := range 1000 {
					c, err := ch.PublishConfirm(t.Context(), "", "q", warren.Message{Body: []byte(fmt.Sprint(i)), DeliveryMode: warren.Persistent}, warren.PublishOptions{})
					require.NoError(t, err)
					list = append(list, c)
				}
				synctest.Wait()
				var crash *filestest.Dir
				closed := make(chan error, 1)
				begun := time.Now()
				go func() { closed <- b.Close() }()
				synctest.Wait()
				if !stuck {
					close(free)
				}
				err := <-closed
				require.LessOrEqual(t, time.Since(begun), 15*time.Second)
				acked := []string{}
				for i, c := range list {
					select {
					case <-c.Done():
					default:
						require.Fail(t, "no answer", "message %d", i)
					}
					if c.Acked() {
						require.NoError(t, c.Wait(t.Context()))
						acked = append(acked, fmt.Sprint(i))
					} else {
						require.ErrorIs(t, c.Wait(t.Context()), warren.ErrClosed)
					}
				}
				if stuck {
					require.ErrorIs(t, err, warren.ErrStorage)
					require.Empty(t, acked)
					close(free)
					return
				}
				require.NoError(t, err)
				require.Len(t, acked, 1000)
				crash = dir.Image(rand.New(rand.NewPCG(1, 1)))
				after := openFiles(t, crash, nil)
				require.Equal(t, acked, brokertest.Drain(t, channelOf(t, after, "/"), "q"))
				require.NoError(t, after.Close())
			})
		})
	}
}
