package warren_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestAStreamKeepsNoMoreThanItsLimits(t *testing.T) {
	body := strings.Repeat("x", 100)
	for name, c := range map[string]struct {
		o         warren.QueueOptions
		put       int
		low, high int // so many stay: what goes, goes by segments
	}{
		"unlimited":           {warren.QueueOptions{}, 1000, 1000, 1000},
		"length":              {warren.QueueOptions{MaxLength: 80}, 1000, 70, 80},
		"length of one":       {warren.QueueOptions{MaxLength: 1}, 10, 1, 1},
		"no length":           {warren.QueueOptions{Args: warren.Table{"x-max-length": 0}}, 10, 1, 1}, // the newest segment stays
		"long":                {warren.QueueOptions{MaxLength: 3000}, 4000, 3000 - 256, 3000},
		"bytes":               {warren.QueueOptions{MaxLengthBytes: 8000}, 1000, 70, 80},
		"few bytes":           {warren.QueueOptions{MaxLengthBytes: 99}, 10, 1, 1},
		"bytes, in segments":  {warren.QueueOptions{MaxLengthBytes: 8000, MaxSegmentBytes: 4000}, 1000, 40, 80},
		"large segments":      {warren.QueueOptions{MaxLengthBytes: 8000, MaxSegmentBytes: 20000}, 1000, 1, 200},
		"small segments":      {warren.QueueOptions{MaxLengthBytes: 8000, MaxSegmentBytes: 1}, 1000, 70, 80},
		"both limits":         {warren.QueueOptions{MaxLengthBytes: 8000, MaxLength: 16}, 1000, 14, 16},
		"just within a limit": {warren.QueueOptions{MaxLength: 80}, 80, 80, 80},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Stream(t, ch, "s", c.o)
				for i := range c.put {
					brokertest.Put(t, ch, "", "s", body)
					require.LessOrEqual(t, brokertest.Ready(t, ch, "s"), max(c.high, 1), "after %d", i)
				}
				n := brokertest.Ready(t, ch, "s")
				require.GreaterOrEqual(t, n, c.low)
				list := offsetsOf(t, brokertest.Read(t, streamReader(t, b, warren.StreamFirst(), 2000)))
				require.Len(t, list, min(n, 2000))
				require.Equal(t, int64(c.put-n), list[0], "the oldest have gone, and offsets go on")
				s := b.Stats()
				require.Equal(t, uint64(c.put-n), s.Dropped)
				if !brokertest.Paged {
					require.Equal(t, int64(n*(100+100/8+len("s")+100)), s.Bytes, "what has gone counts no more")
				}
			})
		})
	}
}

func TestMessagesOfAStreamGoByTheirAge(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{MaxAge: 80 * time.Second})
		for i := range 200 { // one a second
			brokertest.Put(t, ch, "", "s", fmt.Sprint(i))
			n := brokertest.Ready(t, ch, "s")
			require.GreaterOrEqual(t, n, min(i+1, 80))
			require.LessOrEqual(t, n, 91, "a segment spans an eighth of it")
			time.Sleep(time.Second)
		}
		time.Sleep(79 * time.Second)
		synctest.Wait()
		require.Zero(t, brokertest.Ready(t, ch, "s"), "the last ones, too, go by themselves")
		require.Zero(t, b.Stats().Bytes)
		r := streamReader(t, b, warren.StreamFirst(), 10)
		brokertest.Put(t, ch, "", "s", "200")
		d := brokertest.Next(t, r)
		require.Equal(t, []int64{200}, offsetsOf(t, []warren.Delivery{d}))
		time.Sleep(80 * time.Second)
		synctest.Wait()
		require.Zero(t, brokertest.Ready(t, ch, "s"))
		require.NoError(t, d.Ack(false), "what was lent can be settled")
	})
}

func TestAReaderThatWasOvertakenGoesOnAtTheOldestMessage(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{MaxLength: 8})
		r := streamReader(t, b, warren.StreamNext(), 2)
		brokertest.Put(t, ch, "", "s", brokertest.Numbers(0, 99)...)
		require.Equal(t, append(brokertest.Numbers(0, 1), brokertest.Numbers(92, 99)...), readAcking(t, r))
		require.Equal(t, brokertest.Numbers(92, 99), readAcking(t, streamReader(t, b, warren.StreamOffset(5), 2)))
	})
}

func TestReadersKeepNothingOfAStream(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{MaxAge: time.Second})
		r := streamReader(t, b, warren.StreamNext(), 5)
		brokertest.Put(t, ch, "", "s", brokertest.Numbers(1, 100)...)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Zero(t, b.Stats().Ready)
		require.Zero(t, b.Stats().Bytes)
		require.Equal(t, brokertest.Numbers(1, 5), readAcking(t, r), "what had arrived")
	})
}

func TestAStreamCountsAgainstTheMemoryLimit(t *testing.T) {
	const limit = 100 << 10
	brokertest.RunWith(t, &warren.Options{MemoryLimit: limit}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{MaxAge: time.Minute})
		body := strings.Repeat("x", 1000)
		for range limit / 1226 {
			brokertest.Put(t, ch, "", "s", body)
		}
		brokertest.Put(t, ch, "", "s", body)
		full, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, ch.Publish(full, "", "s", warren.Message{}, warren.PublishOptions{}), context.DeadlineExceeded)
		require.NoError(t, ch.Publish(t.Context(), "", "s", warren.Message{}, warren.PublishOptions{}), "what has gone makes room")
		require.Equal(t, 1, brokertest.Ready(t, ch, "s"))
	})
}

func TestCallsThroughAStream(t *testing.T) {
	answer := func(c *warren.Consumer, ch *warren.Channel) {
		d, err := c.Next(context.Background())
		if err == nil && d.Ack(false) == nil {
			brokertest.Send(ch, "", d.ReplyTo, warren.Message{Body: append([]byte("re: "), d.Body...), CorrelationId: d.CorrelationId}, warren.PublishOptions{})
		}
	}
	call := func(b *warren.Broker) (string, error) {
		m, err := b.Call(context.Background(), "s", warren.Message{Body: []byte("hi")})
		return string(m.Body), err
	}
	t.Run("the first reader that answers", func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			streamOf(t, ch)
			for range 2 {
				go answer(streamReader(t, b, warren.StreamNext(), 1), ch)
			}
			reply, err := call(b)
			require.NoError(t, err)
			require.Equal(t, "re: hi", reply)
		})
	})
	t.Run("a handler", func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			streamOf(t, brokertest.Channel(t, b), "old")
			h, err := b.Handle("s", func(_ context.Context, r *warren.Request) (warren.Message, error) {
				if string(r.Body) == "old" {
					panic("from before the handler came")
				}
				return warren.Message{Body: append([]byte("re: "), r.Body...)}, nil
			}, warren.HandleOptions{Concurrency: 2})
			require.NoError(t, err)
			for range 10 {
				reply, err := call(b)
				require.NoError(t, err)
				require.Equal(t, "re: hi", reply)
			}
			require.NoError(t, h.Close())
			require.Equal(t, 11, b.Stats().Ready)
			require.Zero(t, b.Stats().Unacked)
		})
	})
	for name, o := range map[string]warren.QueueOptions{"age": {MaxAge: time.Minute}, "length": {MaxLength: 1}} {
		t.Run("a request that goes unanswered by "+name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Stream(t, ch, "s", o)
				next := streamReader(t, b, warren.StreamNext(), 1)
				failed := make(chan error)
				go func() { _, err := call(b); failed <- err }()
				_, err := next.Next(t.Context())
				require.NoError(t, err)
				if o.MaxLength > 0 {
					brokertest.Put(t, ch, "", "s", "m")
				}
				require.ErrorIs(t, <-failed, warren.ErrRequestDropped)
			})
		})
	}
}

func TestADeletedStreamLeavesACallToItsOtherQueues(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch)
		streamReader(t, b, warren.StreamNext(), 1)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("s", "", "amq.fanout", nil))
		require.NoError(t, ch.QueueBind("q", "", "amq.fanout", nil))
		done := make(chan error)
		go func() {
			_, err := b.Call(context.Background(), "", warren.Message{}, warren.CallOptions{Exchange: "amq.fanout"})
			done <- err
		}()
		synctest.Wait()
		_, err := ch.QueueDelete("s", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		d := brokertest.Take(t, ch, "q")
		require.NoError(t, brokertest.Send(ch, "", d.ReplyTo, warren.Message{}, warren.PublishOptions{}))
		require.NoError(t, <-done, "the other queue had the request still")
	})
}

func TestAStreamLetsThroughWhatAFilterAsksFor(t *testing.T) {
	for name, c := range map[string]struct {
		o    warren.ConsumeOptions
		want func(value string) bool
	}{
		"one":        {warren.ConsumeOptions{Filter: []string{"a"}}, func(v string) bool { return v == "a" }},
		"two":        {warren.ConsumeOptions{Filter: []string{"a", "rare"}}, func(v string) bool { return v == "a" || v == "rare" }},
		"rare":       {warren.ConsumeOptions{Filter: []string{"rare"}}, func(v string) bool { return v == "rare" }},
		"nobody's":   {warren.ConsumeOptions{Filter: []string{"x"}}, func(v string) bool { return false }},
		"unfiltered": {warren.ConsumeOptions{Filter: []string{"a"}, MatchUnfiltered: true}, func(v string) bool { return v == "a" || v == "" }},
		"empty":      {warren.ConsumeOptions{Filter: []string{}, MatchUnfiltered: true}, func(v string) bool { return true }},
		"text":       {warren.ConsumeOptions{Args: warren.Table{"x-stream-filter": "b"}}, func(v string) bool { return v == "b" }},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				streamOf(t, ch)
				var want []string
				put := func(from, to int) {
					for i := from; i < to; i++ {
						m, value := warren.Message{Body: []byte(fmt.Sprint(i))}, ""
						switch {
						case i%1000 == 700:
							value = "rare"
						case i/300%2 == 0:
							value = []string{"", "a", "b", "c"}[i%4]
						}
						if value != "" {
							m.Headers = warren.Table{"x-stream-filter-value": value}
						}
						if c.want(value) {
							want = append(want, string(m.Body))
						}
						require.NoError(t, brokertest.Send(ch, "", "s", m, warren.PublishOptions{}))
					}
				}
				n := brokertest.Less(2000, 2)
				put(0, n)
				c.o.Offset, c.o.Prefetch = warren.StreamFirst(), 2
				r := brokertest.Consume(t, brokertest.Channel(t, b), "s", c.o)
				require.Equal(t, append([]string{}, want...), readAcking(t, r), "what was there")
				want = nil
				put(n, n+n/2)
				require.Equal(t, append([]string{}, want...), readAcking(t, r), "what has come since")
			})
		})
	}
}

func TestAFilterValueIsAText(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch)
		for _, v := range []any{5, true, "", nil, "5"} {
			m := warren.Message{Body: []byte(fmt.Sprintf("%T", v)), Headers: warren.Table{"x-stream-filter-value": v}}
			require.NoError(t, brokertest.Send(ch, "", "s", m, warren.PublishOptions{}))
		}
		o := warren.ConsumeOptions{Filter: []string{"5"}, Offset: warren.StreamFirst(), Prefetch: 10}
		require.Equal(t, []string{"string"}, readAcking(t, brokertest.Consume(t, brokertest.Channel(t, b), "s", o)))
		o.MatchUnfiltered = true
		require.Equal(t, []string{"int", "bool", "string", "<nil>", "string"}, readAcking(t, brokertest.Consume(t, brokertest.Channel(t, b), "s", o)))
	})
}

// TestAnUnsettledDeliveryOfAStreamKeepsNothing lets a reader hold what the stream
// evicts: only offsets are left of that.
func TestAnUnsettledDeliveryOfAStreamKeepsNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{MaxLength: 8}) // each message goes by itself
		r := brokertest.Consume(t, ch, "s", warren.ConsumeOptions{Offset: warren.StreamFirst(), Prefetch: 20})
		var first weak.Pointer[byte]
		func() {
			body := make([]byte, 1000)
			first = weak.Make(&body[0])
			require.NoError(t, ch.Publish(t.Context(), "", "s", warren.Message{Body: body}, warren.PublishOptions{}))
			require.Len(t, brokertest.Read(t, r), 1)
		}()
		for i := range 10 {
			brokertest.Put(t, ch, "", "s", fmt.Sprint(i+1))
		}
		brokertest.Read(t, r)
		runtime.GC()
		require.Nil(t, first.Value(), "the reader's channel has not kept it")
		require.NoError(t, ch.Recover(false))
		require.Equal(t, []int64{3, 4, 5, 6, 7, 8, 9, 10}, offsetsOf(t, brokertest.Read(t, r)), "what is there still is repeated")
		require.Equal(t, 8, b.Stats().Unacked, "and the rest is settled")
	})
}
