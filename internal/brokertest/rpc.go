package brokertest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// Handle starts a handler.
func Handle(t testing.TB, r warren.Responder, queue string, h warren.HandlerFunc, opts ...warren.HandleOptions) *warren.Handler {
	t.Helper()
	handler, err := r.Handle(queue, h, opts...)
	require.NoError(t, err)
	return handler
}

// Reply is a handler that answers every request with a fixed body.
func Reply(body string) warren.HandlerFunc {
	return func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte(body)}, nil
	}
}

// Echo is a handler that answers with the request's body.
func Echo(_ context.Context, req *warren.Request) (warren.Message, error) {
	return warren.Message{Body: req.Body}, nil
}

// A Gate is a handler that tells of each request, and echoes it when it is let
// go or its context ends.
type Gate struct {
	Entered chan string // the requests' bodies
	Release chan struct{}
}

// NewGate makes a Gate that up to a thousand requests may enter unseen.
func NewGate() *Gate {
	return &Gate{Entered: make(chan string, 1000), Release: make(chan struct{})}
}

// Serve is the handler.
func (g *Gate) Serve(ctx context.Context, req *warren.Request) (warren.Message, error) {
	g.Entered <- string(req.Body)
	select {
	case <-g.Release:
		return warren.Message{Body: req.Body}, nil
	case <-ctx.Done():
		return warren.Message{}, context.Cause(ctx)
	}
}

// A CallResult is how a Call ended.
type CallResult struct {
	Reply warren.Message
	Err   error
}

// Call calls in a goroutine.
func Call(ctx context.Context, c warren.Caller, queue, body string, opts ...warren.CallOptions) <-chan CallResult {
	return CallWith(ctx, c, queue, warren.Message{Body: []byte(body)}, opts...)
}

// CallWith is Call with a message.
func CallWith(ctx context.Context, c warren.Caller, queue string, msg warren.Message, opts ...warren.CallOptions) <-chan CallResult {
	result := make(chan CallResult, 1)
	go func() {
		reply, err := c.Call(ctx, queue, msg, opts...)
		result <- CallResult{reply, err}
	}()
	return result
}

// Answer is how a Call in a goroutine ends, which it must within a minute of
// the bubble's time.
func Answer(t testing.TB, call <-chan CallResult) (warren.Message, error) {
	t.Helper()
	select {
	case r := <-call:
		return r.Reply, r.Err
	case <-time.After(time.Minute):
		require.FailNow(t, "the call does not return")
		return warren.Message{}, nil
	}
}

// Clean requires that the broker has no message and nothing of any call.
func Clean(t testing.TB, b *warren.Broker) {
	t.Helper()
	synctest.Wait()
	s := b.Stats()
	require.Zero(t, s.Requesters, "requesters")
	require.Zero(t, s.Ready, "ready")
	require.Zero(t, s.Unacked, "unacked")
	require.Zero(t, s.Bytes, "bytes")
}
