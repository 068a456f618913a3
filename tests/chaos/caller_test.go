package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/warrenmq/warren"
)

// caller calls a handler, in the process or by direct reply-to.
type caller struct {
	*round
	rnd *rand.Rand
	who int
}

func (c *caller) run() {
	for left, life := quota, 0; left > 0; life++ {
		n := 1 + c.rnd.IntN(30)
		left -= n
		if c.rnd.IntN(3) == 0 {
			c.call(n)
			continue
		}
		ch, err := c.open(c.rnd, true)
		if err != nil {
			continue
		}
		c.ask(ch, n, fmt.Sprintf("caller %d.%d", c.who, life))
		ch.Close()
	}
}

// call: nothing that happens to others is a reason to fail.
func (c *caller) call(n int) {
	for i := range n {
		body := fmt.Appendf(nil, "call %d of %d", i, c.who)
		reply, err := c.broker.Call(context.Background(), "echo", warren.Message{Body: body})
		if err != nil || !bytes.Equal(reply.Body, body) {
			c.failf("%s: %q, %v", body, reply.Body, err)
		}
	}
}

// ask sends requests and waits for a reply to each. They come in any order,
// each once, and to nobody else.
func (c *caller) ask(ch channel, n int, who string) {
	replies, err := ch.Consume(warren.DirectReplyTo, true, false)
	if err != nil {
		return
	}
	open := map[string]bool{}
	for i := range n {
		m := &message{key: "echo", replyTo: warren.DirectReplyTo, correlation: fmt.Sprint(i), body: fmt.Append(nil, who, i)}
		if _, err := ch.Publish("", m); err != nil {
			return
		}
		open[m.correlation] = true
	}
	for len(open) > 0 {
		d, err := replies.Next(context.Background())
		if err != nil {
			return
		}
		if !open[d.correlation] || string(d.body) != fmt.Sprint(who, d.correlation) || d.redelivered {
			c.failf("%s got a wrong reply to %q: %q", who, d.correlation, d.body)
		}
		delete(open, d.correlation)
	}
}
