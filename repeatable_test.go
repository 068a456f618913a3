package warren_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestRepeatable(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{warren.ErrNoRoute, true},
		{warren.ErrNoConsumers, true},
		{&warren.Return{Code: 313}, true},
		{&warren.Error{Code: 404, Class: 60, Method: 40}, true},
		{&warren.Error{Code: 406, Class: 60, Method: 40}, false},
		{warren.ErrMemoryLimit, true},
		{fmt.Errorf("%w: %w", warren.ErrMemoryLimit, context.DeadlineExceeded), true},
		{warren.ErrStorage, true},
		{warren.ErrDiskFull, true},
		{fmt.Errorf("%w: %w", warren.ErrNacked, warren.ErrStorage), false},
		{warren.ErrNacked, false},
		{warren.ErrRequestDropped, false},
		{warren.ErrClosed, false},
		{context.Canceled, false},
		{context.DeadlineExceeded, false},
		{errors.New("unknown"), false},
		{warren.ErrBusy, true},
		{fmt.Errorf("wrapped: %w", warren.ErrBusy), true},
		{warren.ErrHandlerFailed, false},
		{warren.ErrHandlerPanicked, false},
		{warren.ErrHandlerCodec, false},
		{warren.ErrHandlerTimeout, false},
		{warren.ErrHandlerCancelled, false},
		{&warren.RemoteError{Code: "own"}, false},
		{&warren.RemoteError{Code: "own", Err: warren.ErrNoRoute}, false}, // of a call that the handler has made
		{&warren.RemoteError{Code: "own", Err: warren.ErrBusy}, false},
		{&warren.RemoteError{Code: "busy", Text: "later", Err: warren.ErrRequestDropped}, true},
	} {
		require.Equal(t, test.want, warren.Repeatable(test.err), "%v", test.err)
	}
}

// What a handler returns matches the sentinel of its code, and no other.
func TestEachCodeHasASentinel(t *testing.T) {
	sentinels := map[string]error{
		warren.CodeError: warren.ErrHandlerFailed, warren.CodePanic: warren.ErrHandlerPanicked, warren.CodeCodec: warren.ErrHandlerCodec,
		warren.CodeBusy: warren.ErrBusy, warren.CodeTimeout: warren.ErrHandlerTimeout, warren.CodeCancelled: warren.ErrHandlerCancelled,
	}
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		short, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		time.Sleep(time.Second)
		for code, serve := range map[string]func(context.Context, int) (any, error){
			warren.CodeError:     func(context.Context, int) (any, error) { return nil, errors.New("x") },
			warren.CodePanic:     func(context.Context, int) (any, error) { panic("x") },
			warren.CodeCodec:     func(context.Context, int) (any, error) { return func() {}, nil },
			warren.CodeBusy:      func(context.Context, int) (any, error) { return nil, warren.ErrBusy },
			warren.CodeTimeout:   func(context.Context, int) (any, error) { return nil, fmt.Errorf("x: %w", short.Err()) },
			warren.CodeCancelled: func(context.Context, int) (any, error) { return nil, ended.Err() },
		} {
			h, err := warren.HandleFor(b, code, serve)
			require.NoError(t, err)
			_, err = warren.CallFor[any](t.Context(), b, code, 1)
			for c, sentinel := range sentinels {
				require.Equal(t, c == code, errors.Is(err, sentinel), "%v, %v", err, sentinel)
			}
			headers := callWithHeaders(t, b, code)
			require.Equal(t, code, headers[warren.ErrorCodeHeader])
			require.NoError(t, h.Close())
		}
	})
}

// callWithHeaders returns the headers that a requester of the AMQP model gets.
func callWithHeaders(t *testing.T, b *warren.Broker, queue string) warren.Table {
	ch := brokertest.Channel(t, b)
	defer ch.Close()
	replies, err := ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
	require.NoError(t, err)
	require.NoError(t, ch.Publish(t.Context(), "", queue, warren.Message{ReplyTo: warren.DirectReplyTo, Body: []byte("1")}, warren.PublishOptions{}))
	d, err := replies.Next(t.Context())
	require.NoError(t, err)
	return d.Headers
}

// A handler that was refused by another one has worked on its request already. Its
// caller is not told that a repeat is safe, whatever way the refusal came.
func TestARefusalThatAHandlerPassesOnIsNoRefusal(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "busy", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{}, warren.ErrBusy
		})
		brokertest.Handle(t, b, "busy elsewhere", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{Headers: warren.Table{warren.ErrorCodeHeader: warren.CodeBusy}}, nil
		})
		for _, queue := range []string{"busy", "busy elsewhere"} {
			for _, wrapped := range []bool{false, true} {
				h := brokertest.Handle(t, b, "front", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
					_, err := b.Call(ctx, queue, warren.Message{})
					require.True(t, warren.Repeatable(err))
					if wrapped {
						err = fmt.Errorf("asked %s: %w", queue, err)
					}
					return warren.Message{}, err
				})
				_, err := b.Call(t.Context(), "front", warren.Message{})
				var remote *warren.RemoteError
				require.ErrorAs(t, err, &remote)
				require.Equal(t, warren.CodeError, remote.Code)
				require.False(t, warren.Repeatable(err))
				require.Equal(t, warren.CodeError, callWithHeaders(t, b, "front")[warren.ErrorCodeHeader])
				require.NoError(t, h.Close())
			}
		}
	})
}

// A full queue may be called again, unless it has passed the request on to another queue.
func TestARepeatAfterAFullQueue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "full", warren.QueueOptions{MaxLength: 1, Overflow: warren.RejectPublish})
		brokertest.Queue(t, ch, "other", warren.QueueOptions{})
		brokertest.Queue(t, ch, "passes on", warren.QueueOptions{
			MaxLength: 1, Overflow: warren.RejectPublishDLX, DeadLetter: &warren.DeadLetter{RoutingKey: "other"},
		})
		brokertest.Fill(t, ch, "full", "first")
		brokertest.Fill(t, ch, "passes on", "first")
		_, err := b.Call(t.Context(), "full", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNacked)
		require.True(t, warren.Repeatable(err))
		_, err = b.Call(t.Context(), "passes on", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNacked)
		require.False(t, warren.Repeatable(err))
		require.Equal(t, 1, brokertest.Ready(t, ch, "other"))
	})
}
