package warren_test

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

var consumeOptions = []struct {
	name string
	o    warren.ConsumeOptions
}{
	{"ack", warren.ConsumeOptions{}},
	{"ack, prefetch 1", warren.ConsumeOptions{Prefetch: 1}},
	{"ack, prefetch 7", warren.ConsumeOptions{Prefetch: 7}},
	{"no ack", warren.ConsumeOptions{NoAck: true}},
}

// Messages that a loop has not seen are back in the queue as if they had never
// left it, however the loop was left.
func TestLeavingALoopGivesBackWhatItHasNotSeen(t *testing.T) {
	const all, seen = 500, 70 // more than one batch
	for _, test := range consumeOptions {
		for _, way := range []string{"break", "panic", "goexit", "context", "cancel", "close"} {
			t.Run(test.name+", "+way, func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					other, ch := brokertest.Channel(t, b), brokertest.Channel(t, b)
					brokertest.Queues(t, other, "q")
					brokertest.Fill(t, other, "q", brokertest.Numbers(0, all-1)...)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					var got []string
					var last error
					var wg sync.WaitGroup
					wg.Go(func() {
						defer func() { recover() }()
						for d, err := range ch.Deliveries(ctx, "q", test.o) {
							if err != nil {
								last = err
								continue
							}
							got = append(got, string(d.Body))
							if !test.o.NoAck {
								d.Ack(false)
							}
							if len(got) < seen {
								continue
							}
							switch way {
							case "break":
								return
							case "panic":
								panic("left")
							case "goexit":
								runtime.Goexit()
							case "context":
								cancel()
							case "cancel":
								ch.Cancel(d.ConsumerTag)
							case "close":
								ch.Close()
							}
						}
					})
					wg.Wait()
					require.Equal(t, brokertest.Numbers(0, seen-1), got)
					switch way {
					case "context":
						require.ErrorIs(t, last, context.Canceled)
					case "cancel", "close":
						require.ErrorIs(t, last, warren.ErrClosed)
					default:
						require.NoError(t, last)
					}
					s := b.Stats()
					require.Zero(t, s.Consumers)
					require.Zero(t, s.Unacked)
					require.EqualValues(t, seen, s.Delivered)
					bodies, redelivered := brokertest.DrainAgain(t, other, "q")
					require.Equal(t, brokertest.Numbers(seen, all-1), bodies)
					require.False(t, redelivered)
					brokertest.Clean(t, b)
				})
			})
		}
	}
}

func TestSeenAndUnsettledComesBackAsRedelivered(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		other, ch := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, other, "q")
		brokertest.Fill(t, other, "q", brokertest.Numbers(0, 9)...)
		n := 0
		for _, err := range ch.Deliveries(t.Context(), "q", warren.ConsumeOptions{}) {
			require.NoError(t, err)
			if n++; n == 3 {
				break
			}
		}
		require.Equal(t, 3, b.Stats().Unacked, "they stay with the channel")
		require.Equal(t, 7, b.Stats().Ready)
		require.NoError(t, ch.Close())
		for i := range 10 {
			d, ok, err := other.Get("q", true)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, strconv.Itoa(i), string(d.Body), "in the old order")
			require.Equal(t, i < 3, d.Redelivered)
		}
	})
}

func TestConsumersOwnLoopDoesNotCancelIt(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 199)...)
		c, err := ch.Consume("q", warren.ConsumeOptions{})
		require.NoError(t, err)
		var got []string
		for len(got) < 200 {
			for d, err := range c.Deliveries(t.Context()) {
				require.NoError(t, err)
				got = append(got, string(d.Body))
				if len(got)%7 == 0 || len(got) == 200 {
					break
				}
			}
		}
		require.Equal(t, brokertest.Numbers(0, 199), got)
		require.Equal(t, 1, b.Stats().Consumers)
	})
}

func TestErrorIsTheLastPair(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		collect := func(ctx context.Context, queue string) (bodies []string, errs []error) {
			for d, err := range ch.Deliveries(ctx, queue, warren.ConsumeOptions{NoAck: true}) {
				if err != nil {
					require.Equal(t, warren.Delivery{}, d)
					errs = append(errs, err)
				} else {
					require.Empty(t, errs)
					bodies = append(bodies, string(d.Body))
				}
			}
			return bodies, errs
		}
		_, errs := collect(t.Context(), "missing")
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], warren.ErrNotFound)

		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 99)...)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		start := time.Now()
		bodies, errs := collect(ctx, "q")
		require.Equal(t, brokertest.Numbers(0, 99), bodies)
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], context.DeadlineExceeded)
		require.Equal(t, 3*time.Hour, time.Since(start))
		require.Zero(t, b.Stats().Consumers)

		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 99)...)
		time.AfterFunc(time.Hour, func() { ch.QueueDelete("q", warren.QueueDeleteOptions{}) })
		bodies, errs = collect(t.Context(), "q")
		require.Equal(t, brokertest.Numbers(0, 99), bodies)
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], warren.ErrConsumerCancelled)
	})
}

// A context that ends stops a loop even when there is always one more message.
func TestEndOfContextStopsABusyLoop(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 9)...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		for d, err := range ch.Deliveries(ctx, "q", warren.ConsumeOptions{Prefetch: 1}) {
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
				break
			}
			n++
			require.NoError(t, d.Ack(false))
			if n == 3 {
				cancel()
			}
		}
		require.Equal(t, 3, n)
		require.Equal(t, 7, b.Stats().Ready)
	})
}

func TestManyReadersOfOneConsumerGetEachMessageOnce(t *testing.T) {
	for _, test := range consumeOptions {
		t.Run(test.name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				c, err := ch.Consume("q", test.o)
				require.NoError(t, err)
				var mu sync.Mutex
				var got []string
				var wg sync.WaitGroup
				for i := range 8 {
					wg.Go(func() {
						for {
							ctx, cancel := context.WithCancel(context.Background())
							if i%2 == 0 { // half of them give up now and then
								time.AfterFunc(time.Duration(i+1)*time.Millisecond, cancel)
							}
							d, err := c.Next(ctx)
							ended := ctx.Err() != nil
							cancel()
							if err != nil {
								if ended {
									continue
								}
								return
							}
							mu.Lock()
							got = append(got, string(d.Body))
							mu.Unlock()
							if !test.o.NoAck {
								d.Ack(false)
							}
						}
					})
				}
				for i := range 300 {
					brokertest.Fill(t, ch, "q", strconv.Itoa(i))
					if i%10 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
				time.Sleep(time.Second)
				require.NoError(t, c.Cancel())
				require.NoError(t, c.Cancel())
				wg.Wait()
				require.Len(t, got, 300)
				want := brokertest.Numbers(0, 299)
				slices.Sort(want)
				slices.Sort(got)
				require.Equal(t, want, got)
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestMailboxIsBoundedAndTheRestStaysInTheQueue(t *testing.T) {
	for _, noAck := range []bool{false, true} {
		brokertest.RunWith(t, &warren.Options{Mailbox: 5}, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 19)...)
			c, err := ch.Consume("q", warren.ConsumeOptions{NoAck: noAck})
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, 15, b.Stats().Ready)
			for i := range 8 { // unsettled ones are no unread ones
				d, err := c.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, strconv.Itoa(i), string(d.Body))
				synctest.Wait()
				require.Equal(t, 14-i, b.Stats().Ready)
			}
			require.NoError(t, c.Cancel())
			require.Equal(t, 12, b.Stats().Ready)
		})
	}
}

func TestMailboxIs256ByDefault(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 299)...)
		_, err := ch.Consume("q", warren.ConsumeOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 300-256, b.Stats().Ready)
	})
}

func TestPrefetchBoundsWhatIsUnsettled(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 9)...)
		var open []warren.Delivery
		most := 0
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 3})
		read := make(chan struct{})
		go func() {
			defer close(read)
			for d, err := range c.Deliveries(t.Context()) {
				if err == nil {
					open = append(open, d)
					most = max(most, len(open))
				}
			}
		}()
		for settled := 0; settled < 10; {
			synctest.Wait()
			require.Len(t, open, min(3, 10-settled))
			batch := open
			open = nil
			for _, d := range batch {
				require.NoError(t, d.Ack(false))
				settled++
			}
		}
		require.NoError(t, c.Cancel())
		<-read
		require.Equal(t, 3, most)
		brokertest.Clean(t, b)
	})
}

func TestConsumeFuncCallsOneAfterAnotherUntilTheEnd(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 4)...)
		var got []string
		running := 0
		c, err := ch.ConsumeFunc("q", warren.ConsumeOptions{NoAck: true}, func(_ context.Context, d warren.Delivery) error {
			running++
			time.Sleep(time.Hour)
			got = append(got, string(d.Body)+"/"+strconv.Itoa(running))
			running--
			return nil
		})
		require.NoError(t, err)
		time.Sleep(150 * time.Minute) // in the third call
		require.NoError(t, c.Cancel())
		select {
		case <-c.Done():
			t.Fatal("done before the last call has returned")
		default:
		}
		<-c.Done()
		require.Equal(t, []string{"0/1", "1/1", "2/1"}, got)
		bodies, redelivered := brokertest.DrainAgain(t, ch, "q")
		require.Equal(t, []string{"3", "4"}, bodies)
		require.False(t, redelivered)

		c, err = ch.ConsumeFunc("missing", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error { return nil })
		require.ErrorIs(t, err, warren.ErrNotFound)
		require.Nil(t, c)
	})
}

func TestConsumeFuncThatLeavesByGoexitEndsItsConsumer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 4)...)
		c, err := ch.ConsumeFunc("q", warren.ConsumeOptions{NoAck: true}, func(context.Context, warren.Delivery) error { runtime.Goexit(); return nil })
		require.NoError(t, err)
		<-c.Done()
		synctest.Wait()
		require.Zero(t, b.Stats().Consumers)
		bodies, _ := brokertest.DrainAgain(t, ch, "q")
		require.Equal(t, brokertest.Numbers(1, 4), bodies)
	})
}

func TestConsumersThatComeAndGoLoseNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		const all = 2000
		var mu sync.Mutex
		got := make(map[string]int)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for {
					mu.Lock()
					finished := len(got) == all
					mu.Unlock()
					if finished {
						return
					}
					mine := brokertest.MustChannel(b)
					n := 0
					ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
					for d, err := range mine.Deliveries(ctx, "q", warren.ConsumeOptions{Prefetch: 10 * i}) {
						if err != nil {
							break
						}
						if n++; n > 20+i {
							break // this one is not settled
						}
						mu.Lock()
						got[string(d.Body)]++
						mu.Unlock()
						d.Ack(n%3 == 0)
					}
					cancel()
					mine.Close()
				}
			})
		}
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, all-1)...)
		wg.Wait()
		require.Len(t, got, all)
		for body, n := range got {
			require.Equal(t, 1, n, body)
		}
		brokertest.Clean(t, b)
	})
}

func TestLeavingALoopOverRepliesKeepsTheRest(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		replies := brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{ReplyTo: warren.DirectReplyTo}, warren.PublishOptions{}))
		address := brokertest.Take(t, ch, "q").ReplyTo
		brokertest.Put(t, ch, "", address, "1", "2", "3")
		for d, err := range replies.Deliveries(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, "1", string(d.Body))
			break
		}
		brokertest.Put(t, ch, "", address, "4")
		for _, want := range []string{"2", "3", "4"} {
			require.Equal(t, want, string(brokertest.Next(t, replies).Body))
		}
	})
}

// flickering is a context whose error comes and goes, which none should do.
type flickering struct {
	context.Context
	n *int
}

func (f flickering) Err() error {
	*f.n++
	if *f.n%3 == 0 {
		return context.Canceled
	}
	return nil
}

// A loop may end by such an error, but what it has read and not shown comes next.
func TestALoopLosesNothingToAContextThatChangesItsMind(t *testing.T) {
	ch := brokertest.Channel(t, brokertest.New(t, nil))
	brokertest.Queue(t, ch, "q", warren.QueueOptions{})
	for i := range 50 {
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte(strconv.Itoa(i))}, warren.PublishOptions{}))
	}
	n := 0
	got := 0
	for got < 50 {
		for d, err := range ch.Deliveries(flickering{context.Background(), &n}, "q", warren.ConsumeOptions{}) {
			if err != nil {
				break
			}
			require.Equal(t, strconv.Itoa(got), string(d.Body))
			require.NotEmpty(t, d.ConsumerTag)
			d.Ack(false)
			got++
			if got == 50 {
				break
			}
		}
	}
}
