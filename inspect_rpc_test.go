package warren_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func rpcOf(t *testing.T, b *warren.Broker) warren.RPCInfo {
	t.Helper()
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	return v.RPC()
}

func TestWaitingCallsShowThemselves(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		require.Equal(t, warren.RPCInfo{}, rpcOf(t, b))
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve)
		ctx, cancel := context.WithCancel(t.Context())
		unseen := brokertest.Call(ctx, b, "q", "nobody watches")
		brokertest.Later(time.Minute)
		require.Equal(t, warren.RPCInfo{Calls: 1}, rpcOf(t, b))

		stop := b.Watch()
		require.Equal(t, warren.RPCInfo{Calls: 1}, rpcOf(t, b), "when the call began is not known")
		first := brokertest.Call(t.Context(), b, "q", "first")
		brokertest.Later(time.Second)
		second := brokertest.Call(t.Context(), b, "q", "second")
		brokertest.Later(time.Second)
		c := brokertest.Consume(t, brokertest.Channel(t, b), warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		require.Equal(t, warren.RPCInfo{Calls: 3, OldestCall: 2 * time.Second, ReplyConsumers: 1}, rpcOf(t, b))
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		require.Equal(t, warren.RPCInfo{}, v.RPC(), "another virtual host")
		require.NoError(t, c.Cancel())

		cancel()
		_, err = brokertest.Answer(t, unseen)
		require.ErrorIs(t, err, context.Canceled)
		gate.Release <- struct{}{} // either of the two
		gate.Release <- struct{}{}
		for _, call := range []<-chan brokertest.CallResult{first, second} {
			_, err := brokertest.Answer(t, call)
			require.NoError(t, err)
		}
		synctest.Wait() // also for the handler of the call that was cancelled
		synctest.Wait() // the handler of the cancelled one has to see that it is too late
		info := rpcOf(t, b)
		require.Zero(t, info.Calls)
		require.Zero(t, info.OldestCall)
		require.EqualValues(t, 3, info.Replies+info.TooLate, "the one that was cancelled may have got a reply first")

		// A later call takes the place of an earlier one, and its age is its own.
		stop()
		unseen = brokertest.Call(t.Context(), b, "q", "nobody watches")
		brokertest.Later(time.Hour)
		require.Zero(t, rpcOf(t, b).OldestCall)
		defer b.Watch()()
		third := brokertest.Call(t.Context(), b, "q", "third")
		brokertest.Later(3 * time.Second)
		require.Equal(t, 3*time.Second, rpcOf(t, b).OldestCall)
		close(gate.Release)
		for _, call := range []<-chan brokertest.CallResult{unseen, third} {
			_, err := brokertest.Answer(t, call)
			require.NoError(t, err)
		}
		synctest.Wait()
		later := rpcOf(t, b)
		require.Equal(t, info.Replies+2, later.Replies)
		require.Equal(t, info.TooLate, later.TooLate)
	})
}

// TestTheAgeOfOneCallAmongMany: when calls are many, some of them do not look at the
// clock, but the age of one that stays is nearly right, and each look puts it right for
// those that come.
func TestTheAgeOfOneCallAmongMany(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "slow", gate.Serve)
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			time.Sleep(time.Millisecond)
			return warren.Message{}, nil
		})
		many := func(n int) {
			for range n {
				_, err := b.Call(t.Context(), "q", warren.Message{})
				require.NoError(t, err)
			}
		}
		stop := b.Watch()
		many(20_000)
		first := brokertest.Call(t.Context(), b, "slow", "x")
		synctest.Wait()
		began := time.Now()
		many(20_000)
		oldest := rpcOf(t, b).OldestCall
		require.GreaterOrEqual(t, oldest, time.Since(began))
		require.LessOrEqual(t, oldest, time.Since(began)+64*time.Millisecond)
		gate.Release <- struct{}{}
		_, err := brokertest.Answer(t, first)
		require.NoError(t, err)
		for what, pause := range map[string]func(){
			"after a look":          func() { rpcOf(t, b) },
			"after a new beginning": func() { stop(); stop = b.Watch() },
		} {
			many(20_000)
			brokertest.Later(time.Hour)
			pause()
			call := brokertest.Call(t.Context(), b, "slow", "x")
			brokertest.Later(time.Second)
			require.Equal(t, time.Second, rpcOf(t, b).OldestCall, what)
			gate.Release <- struct{}{}
			_, err = brokertest.Answer(t, call)
			require.NoError(t, err)
		}
		stop()
	})
}

// TestManyWaitingCallsAreCounted: more than are looked at without a pause.
func TestManyWaitingCallsAreCounted(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Queues(t, brokertest.Channel(t, b), "q")
		defer b.Watch()()
		const calls = 1500
		ctx, cancel := context.WithCancel(t.Context())
		var list []<-chan brokertest.CallResult
		for range calls {
			list = append(list, brokertest.Call(ctx, b, "q", ""))
		}
		brokertest.Later(time.Second)
		require.Equal(t, warren.RPCInfo{Calls: calls, OldestCall: time.Second}, rpcOf(t, b))
		cancel()
		for _, call := range list {
			_, err := brokertest.Answer(t, call)
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Zero(t, rpcOf(t, b).Calls)
	})
}
