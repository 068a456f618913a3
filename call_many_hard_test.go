package warren_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// At the deadline all that have not answered are named, and their handlers' contexts
// have ended. What has come before is an answer, even if nobody has looked at it yet.
func TestManyAtTheDeadline(t *testing.T) {
	for _, idle := range []bool{false, true} {
		t.Run(fmt.Sprint("the reader is idle: ", idle), func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				gate := brokertest.NewGate()
				serveMany(t, b, map[string]warren.HandlerFunc{"a": brokertest.Echo, "b": brokertest.Echo, "hangs": gate.Serve, "hangs, too": gate.Serve})
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "nobody's")
				require.NoError(t, ch.QueueBind("nobody's", "", "amq.fanout", nil))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				var order []string
				for a, err := range b.CallMany(ctx, "amq.fanout", "", aRequest) {
					if err == nil {
						require.Equal(t, "x", string(a.Body))
					} else {
						require.ErrorIs(t, err, context.DeadlineExceeded)
						require.False(t, warren.Repeatable(err))
					}
					if order = append(order, a.Queue); len(order) == 1 && idle {
						time.Sleep(time.Hour)
					}
				}
				require.ElementsMatch(t, []string{"a", "b"}, order[:2], "answers come first")
				require.ElementsMatch(t, []string{"hangs", "hangs, too", "nobody's"}, order[2:])
				if !idle {
					require.Equal(t, time.Second, time.Since(began))
				}
				brokertest.Clean(t, b)
			})
		})
	}
}

// leaveMany are ways to end a loop before its end.
var leaveMany = map[string]func(many iter.Seq2[warren.Answer, error]){
	"break": func(many iter.Seq2[warren.Answer, error]) {
		for range many {
			break
		}
	},
	"panic": func(many iter.Seq2[warren.Answer, error]) {
		defer func() { recover() }()
		for range many {
			panic("in the loop")
		}
	},
	"goexit": func(many iter.Seq2[warren.Answer, error]) {
		var wg sync.WaitGroup
		wg.Go(func() {
			for range many {
				runtime.Goexit()
			}
		})
		wg.Wait()
	},
	"pull": func(many iter.Seq2[warren.Answer, error]) {
		next, stop := iter.Pull2(many)
		next()
		stop()
	},
}

func TestManyAreLeft(t *testing.T) {
	for how, leave := range leaveMany {
		t.Run(how, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				gate := brokertest.NewGate()
				late := make(chan struct{})
				serveMany(t, b, map[string]warren.HandlerFunc{
					"a": func(context.Context, *warren.Request) (warren.Message, error) {
						<-gate.Entered
						<-gate.Entered
						return warren.Message{}, nil
					},
					"hangs": gate.Serve,
					"deaf": func(context.Context, *warren.Request) (warren.Message, error) {
						gate.Entered <- ""
						<-late
						return warren.Message{}, nil
					},
				})
				leave(b.CallMany(t.Context(), "amq.fanout", "", aRequest))
				synctest.Wait()
				require.Zero(t, b.Stats().Requesters)
				require.Equal(t, 1, b.Stats().Unacked, "the deaf one's")
				require.Equal(t, uint64(1), b.Stats().RepliesTooLate, "what the other one has returned")
				close(late)
				brokertest.Clean(t, b)
				require.Equal(t, uint64(2), b.Stats().RepliesTooLate)
			})
		})
	}
}

// Who has not been served when the loop is left is not served any more.
func TestManyThatAreLeftAreNotServed(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "slow")
		require.NoError(t, ch.QueueBind("slow", "", "amq.fanout", nil))
		serveMany(t, b, map[string]warren.HandlerFunc{"fast": brokertest.Echo})
		for range b.CallMany(t.Context(), "amq.fanout", "", aRequest) {
			break
		}
		require.Equal(t, 1, brokertest.Ready(t, ch, "slow"))
		brokertest.Handle(t, b, "slow", func(context.Context, *warren.Request) (warren.Message, error) {
			t.Error("served")
			return warren.Message{}, nil
		})
		brokertest.Clean(t, b)
	})
}

func TestManyWhenTheBrokerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		gate := brokertest.NewGate()
		serveMany(t, b, map[string]warren.HandlerFunc{"a": brokertest.Echo, "b": gate.Serve, "c": gate.Serve})
		answers := 0
		failed := map[string]error{}
		for a, err := range b.CallMany(t.Context(), "amq.fanout", "", aRequest) {
			if err == nil {
				answers++
				go b.Close()
				continue
			}
			failed[a.Queue] = err
		}
		require.Equal(t, 1, answers)
		require.Len(t, failed, 2)
		for queue, err := range failed {
			// The handler may have been told first.
			require.True(t, errors.Is(err, warren.ErrClosed) || errors.Is(err, warren.ErrHandlerCancelled), "%s: %v", queue, err)
		}
	})
}

// A queue that is deleted while the loop waits has dropped its request.
func TestManyWhenAQueueIsDeleted(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		serveMany(t, b, map[string]warren.HandlerFunc{"a": brokertest.Echo})
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "deleted", "purged")
		for _, q := range []string{"deleted", "purged"} {
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		answers := 0
		failed := map[string]error{}
		for a, err := range b.CallMany(t.Context(), "amq.fanout", "", aRequest) {
			if err != nil {
				failed[a.Queue] = err
				continue
			}
			answers++
			_, err = ch.QueueDelete("deleted", warren.QueueDeleteOptions{})
			require.NoError(t, err)
			_, err = ch.QueuePurge("purged")
			require.NoError(t, err)
		}
		require.Equal(t, 1, answers)
		require.Len(t, failed, 2)
		require.ErrorIs(t, failed["deleted"], warren.ErrRequestDropped)
		require.ErrorIs(t, failed["purged"], warren.ErrRequestDropped)
		brokertest.Clean(t, b)
	})
}

// Two replies of one server are one answer, and one of another server with the same
// address does not count either.
func TestManyWhenAServerAnswersTwice(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var twice warren.HandlerFunc = func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			ch := brokertest.Channel(t, b)
			defer ch.Close()
			for i := range 2 {
				reply := warren.Message{CorrelationId: req.CorrelationId, Body: fmt.Append(nil, i)}
				require.NoError(t, ch.Publish(ctx, "", req.ReplyTo, reply, warren.PublishOptions{}))
			}
			return warren.Message{Body: []byte("third")}, nil
		}
		slow := func(context.Context, *warren.Request) (warren.Message, error) {
			time.Sleep(time.Second)
			return warren.Message{Body: []byte("slow")}, nil
		}
		serveMany(t, b, map[string]warren.HandlerFunc{"a": twice, "b": twice, "slow": slow})
		answers, failed := gather(b.CallMany(t.Context(), "amq.fanout", "", aRequest))
		require.Empty(t, failed)
		require.Equal(t, map[string]string{"a": "0", "b": "0", "slow": "slow"}, answers)
		require.Equal(t, uint64(4), b.Stats().RepliesTooLate)
		brokertest.Clean(t, b)
	})
}

// A handler that gathers hands its deadline on, and what it gathers ends with it.
func TestManyInAChain(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		serveMany(t, b, map[string]warren.HandlerFunc{"leaf 1": gate.Serve, "leaf 2": gate.Serve})
		brokertest.Handle(t, b, "root", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			_, failed := gather(b.CallMany(ctx, "amq.fanout", "", aRequest))
			require.Len(t, failed, 2)
			return warren.Message{}, errors.Join(failed["leaf 1"], failed["leaf 2"])
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := b.Call(ctx, "root", aRequest)
		require.Equal(t, context.DeadlineExceeded, err)
		brokertest.Clean(t, b)
	})
}

// Gatherers and plain callers share the slots. Whatever ends them, all slots are free
// in the end, and nobody gets an answer that is another's.
func TestManyAtOnce(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		handlers := map[string]warren.HandlerFunc{}
		for i := range 8 {
			handlers[fmt.Sprint(i)] = func(_ context.Context, req *warren.Request) (warren.Message, error) {
				if d := time.Duration(rand.IntN(3)); d > 0 {
					time.Sleep(d * time.Millisecond)
				}
				return warren.Message{Body: fmt.Append(nil, string(req.Body), " ", i)}, nil
			}
		}
		serveMany(t, b, handlers)
		var wg sync.WaitGroup
		for g := range 40 {
			wg.Go(func() {
				for round := range 20 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(4)+1)*time.Millisecond)
					id := fmt.Sprint(g, "/", round)
					if round%4 == 3 {
						reply, err := b.Call(ctx, "3", warren.Message{Body: []byte(id)})
						if err == nil && string(reply.Body) != id+" 3" {
							t.Errorf("a wrong answer: %s", reply.Body)
						}
						cancel()
						continue
					}
					enough := rand.IntN(10)
					for a, err := range b.CallMany(ctx, "amq.fanout", "", warren.Message{Body: []byte(id)}) {
						if err == nil && string(a.Body) != id+" "+a.Queue {
							t.Errorf("a wrong answer: %s", a.Body)
						}
						if enough--; enough == 0 {
							break
						}
					}
					cancel()
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		brokertest.Clean(t, b)
	})
}
