package fuzz_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/warrenmq/warren"
)

// caller calls the handlers that the host opens and closes.
type caller struct {
	*round
	r   *rand.Rand
	who int
}

func newCaller(r *round, who int) *caller { return &caller{r, r.random("caller", who), who} }

func (c *caller) run() {
	for i := range operations {
		c.call(i)
		if c.r.IntN(4) == 0 {
			c.pause(c.r)
		}
	}
}

// call: the answer is that to this request and to no other.
func (c *caller) call(i int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+c.r.IntN(10))*time.Millisecond)
	defer cancel()
	body := fmt.Appendf(nil, "call %d of caller %d", i, c.who)
	queue, o := "handled", warren.CallOptions{RequireConsumer: c.r.IntN(8) == 0}
	if c.r.IntN(8) == 0 { // where others may answer, or nobody
		queue, o.Exchange = pick(c.r, queueNames), pick(c.r, exchangeNames)
	}
	reply, err := c.broker.Call(ctx, queue, warren.Message{Body: body}, o)
	if !normal(err) {
		c.t.Errorf("Call: %v", err)
	}
	if err == nil && !bytes.Equal(reply.Body, body) {
		c.t.Errorf("the answer to %q is %q", body, reply.Body)
	}
}

// handle serves calls, and what others send to its queue, until the handler is
// closed. It may take its time, and fail where nobody waits.
func (h *host) handle(ctx context.Context, req *warren.Request) (warren.Message, error) {
	switch len(req.Body) % 5 {
	case 0:
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	case 1:
		if req.Redelivered {
			return warren.Message{}, warren.ErrNoReply
		}
	}
	if req.ReplyTo == "" && len(req.Body)%3 == 0 && req.Headers["x-death"] == nil { // or it could go round for ever
		return warren.Message{}, errors.New("no")
	}
	return warren.Message{Body: req.Body}, nil
}
