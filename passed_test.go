package warren_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// TestCountsAreExactWhileChannelsAndQueuesComeAndGo: publishers share queues, channels end,
// queues and exchanges are deleted, and others look meanwhile. Nothing is counted twice or
// lost.
func TestCountsAreExactWhileChannelsAndQueuesComeAndGo(t *testing.T) {
	b := brokertest.New(t, nil)
	v, err := b.VirtualHost(warren.DefaultVirtualHost)
	require.NoError(t, err)
	defer b.Watch()()
	const publishers, channels, messages = 4, 30, 40
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			own := "own" + string(rune('0'+p))
			for i := range channels {
				ch, err := b.Channel()
				if err != nil {
					t.Error(err)
					return
				}
				for _, name := range []string{"shared", own} {
					if _, err := ch.QueueDeclare(name, warren.QueueOptions{}); err != nil {
						t.Error(err)
					}
				}
				for range messages {
					for _, name := range []string{"shared", own} {
						if err := brokertest.Send(ch, "", name, warren.Message{Body: []byte("x")}, warren.PublishOptions{}); err != nil {
							t.Error(err)
						}
					}
				}
				if i%3 == 0 {
					ch.QueueDelete(own, warren.QueueDeleteOptions{})
				}
				if i%7 == 0 {
					ch.QueuePurge("shared")
				}
				ch.Close()
			}
		})
	}
	stop := make(chan struct{})
	var look sync.WaitGroup
	look.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			v.Exchanges()
			b.Channels()
			b.Sessions()
			b.Stats()
		}
	})
	all.Wait()
	close(stop)
	look.Wait()
	const want = publishers * channels * messages * 2
	require.EqualValues(t, want, b.Stats().Received)
	x, err := v.Exchange("")
	require.NoError(t, err)
	require.Equal(t, warren.ExchangeCounts{In: want, Out: want}, x.ExchangeCounts)
}
