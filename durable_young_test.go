package warren_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/topology"
)

// TestWhatMovesToAQueueThatIsNotOnDiskYetIsNotLost has confirmed messages that go to
// another queue, by a delayed exchange or as dead letters, while the declaration of that
// queue is not on disk: after a crash they are where they were, or there.
func TestWhatMovesToAQueueThatIsNotOnDiskYetIsNotLost(t *testing.T) {
	for name, way := range map[string]struct {
		put  func(t *testing.T, ch *warren.Channel)
		move func(t *testing.T, ch *warren.Channel)
		from func(b *warren.Broker) int // how many have not moved
	}{
		"delayed": {
			put:  func(t *testing.T, ch *warren.Channel) { putLater(t, ch, "new", "x", time.Hour) },
			move: func(t *testing.T, ch *warren.Channel) { brokertest.Later(time.Hour) },
			from: func(b *warren.Broker) int { // its time has come, and it leads nowhere
				synctest.Wait()
				s := b.Stats()
				return s.Delayed + int(s.Unroutable)
			},
		},
		"dead letter": {
			put: func(t *testing.T, ch *warren.Channel) { require.NoError(t, persistently(t, ch, "q", "x")) },
			move: func(t *testing.T, ch *warren.Channel) {
				d := brokertest.Take(t, ch, "q")
				require.NoError(t, d.Reject(false))
			},
			from: func(b *warren.Broker) int { return b.Stats().Ready },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filestest.New()
				b := openFiles(t, dir, nil)
				ch, other := channelOf(t, b, "/"), channelOf(t, b, "/")
				laterExchange(t, ch)
				brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true, DeadLetter: &warren.DeadLetter{RoutingKey: "new"}})
				require.NoError(t, ch.Confirm())
				way.put(t, ch)
				time.Sleep(time.Minute)
				held := make(chan struct{})
				dir.Before(func(op filestest.Op) error {
					if strings.HasPrefix(op.Name, topology.Prefix) {
						<-held
					}
					return nil
				})
				declared := waitingFor(t, func() error {
					_, err := other.QueueDeclare("new", warren.QueueOptions{Durable: true})
					return err
				})
				bound := waitingFor(t, func() error { return ch.QueueBind("new", "new", "later", nil) })
				way.move(t, other)
				brokertest.Later(time.Minute)
				require.Equal(t, 1, brokertest.Ready(t, other, "new"), "it has moved")
				moved, kept := 0, 0
				look := func(b *warren.Broker) {
					if _, err := channelOf(t, b, "/").QueueDeclarePassive("new"); isThere(t, err) {
						require.Equal(t, []string{"x"}, brokertest.Drain(t, channelOf(t, b, "/"), "new"))
						moved++
						return
					}
					require.Equal(t, 1, way.from(b), "it is where it was")
					kept++
				}
				afterPowerCuts(t, dir, look)
				require.Positive(t, kept)
				close(held)
				require.NoError(t, <-declared)
				require.NoError(t, <-bound)
				time.Sleep(time.Minute)
				moved, kept = 0, 0
				afterPowerCuts(t, dir, func(b *warren.Broker) {
					look(b)
					require.Zero(t, way.from(b), "it is there once")
				})
				require.Zero(t, kept)
				require.NoError(t, b.Close())
			})
		})
	}
}
