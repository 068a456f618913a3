package remote_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

var (
	linkCuts = flag.Int("remote.linkcuts", 30, "how often the connections of a link are cut")
	linkSeed = flag.Uint64("remote.linkseed", 1, "chooses where")
)

// Every connection of a link is cut somewhere, while messages and calls pass it in both
// directions.
func TestALinkLosesNothingUnderManyCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := brokertest.New(t, nil)
		there, srv := brokertest.Serve(t, nil, nil)
		for q, b := range map[string]*warren.Broker{"here": here, "there": there} {
			_, err := b.Handle(q, func(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil })
			require.NoError(t, err)
		}
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(*linkSeed, 0))
		var cuts atomic.Int64 // connections that were made and are cut
		dial := func(network, addr string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			c := &cutter{dial: srv.Dial, given: map[string]bool{}}
			if cuts.Add(1) <= int64(*linkCuts)+2 {
				c.written, c.at = random.IntN(2) == 0, 30+random.IntN(300)
			}
			return c.Dial(network, addr)
		}
		l := linked(t, here, dial, remote.LinkOptions{
			Push: []remote.LinkRule{{Queue: "a"}}, Pull: []remote.LinkRule{{Queue: "b"}}, Import: []string{"there"}, Export: []string{"here"},
		})
		n, good, bad := 0, 0, 0
		for ; cuts.Load() <= int64(*linkCuts)+2; n++ {
			put(t, here, "a", fmt.Sprint(n))
			put(t, there, "b", fmt.Sprint(n))
			for q, b := range map[string]*warren.Broker{"there": here, "here": there} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				body := fmt.Sprint(q, n)
				reply, err := b.Call(ctx, q, warren.Message{Body: []byte(body)})
				cancel()
				switch {
				case err == nil:
					require.Equal(t, body, string(reply.Body))
					good++
				case errors.Is(err, context.DeadlineExceeded):
					require.NoError(t, err, "a call that does not end")
				default:
					bad++
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(patience)
		for i, got := range [][]string{bodies(t, here, "b"), bodies(t, there, "a")} {
			distinct := map[string]bool{}
			for _, body := range got {
				distinct[body] = true
			}
			require.Len(t, distinct, n, "nothing is lost")
			require.LessOrEqual(t, len(got)-n, int(l.Stats()[i].Redelivered))
		}
		t.Logf("%d messages each way; of %d calls %d have failed; %+v", n, good+bad, bad, l.Stats())
		require.Greater(t, good, bad)
		require.NoError(t, l.Shutdown(t.Context()))
		require.Zero(t, here.Stats().Unacked+there.Stats().Unacked)
	})
}
