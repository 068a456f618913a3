package management

import (
	"time"

	"github.com/warrenmq/warren"
)

func rpcRoutes() []route {
	return []route{{path: "warren/rpc", access: everyUser, get: (*call).rpc}}
}

// rpc shows who serves, who calls, and what became of replies, in the virtual hosts that
// the user may see, or in the one that the query names.
func (c *call) rpc() error {
	in := *c
	in.names = nil
	if name := c.query.Get("vhost"); name != "" {
		in.names = []string{name}
	}
	vhosts, err := in.vhosts()
	if err != nil {
		return err
	}
	l := c.sampler.look()
	earlier := c.sampler.lastMinute(l.now)
	names := c.namesOf()
	return c.object(func(f *fields) {
		c.writeReplies(f, vhosts, l)
		if f.beginList("reply_consumers") {
			for _, v := range vhosts {
				c.writeReplyConsumers(f, v, names)
			}
			f.endList()
		}
		if f.beginList("handlers") {
			for _, v := range vhosts {
				writeHandlers(f, v, l, earlier)
			}
			f.endList()
		}
	})
}

// writeReplies writes the sums over the virtual hosts.
func (c *call) writeReplies(f *fields, vhosts []*warren.VirtualHost, l *look) {
	var now, was warren.RPCInfo
	for _, v := range vhosts {
		n, w := v.RPC(), l.vhost(v.Name()).rpc
		now.Calls += n.Calls
		now.OldestCall = max(now.OldestCall, n.OldestCall)
		now.Replies, was.Replies = now.Replies+n.Replies, was.Replies+w.Replies
		now.TooLate, was.TooLate = now.TooLate+n.TooLate, was.TooLate+w.TooLate
		now.TooFast, was.TooFast = now.TooFast+n.TooFast, was.TooFast+w.TooFast
	}
	if f.begin("calls") {
		f.int("waiting", now.Calls)
		f.int64("oldest_ms", now.OldestCall.Milliseconds())
		f.end()
	}
	f.counter("replies", now.Replies, was.Replies, l)
	f.counter("too_late", now.TooLate, was.TooLate, l)
	f.counter("too_fast", now.TooFast, was.TooFast, l)
}

// maxReplyConsumers is how many are listed of each virtual host.
const maxReplyConsumers = 1000

func (c *call) writeReplyConsumers(f *fields, v *warren.VirtualHost, names map[string]connectionName) {
	n := 0
	for _, k := range v.Consumers() {
		if !k.Reply || c.user.level < monitors && k.User != c.user.Name {
			continue
		}
		if n++; n > maxReplyConsumers {
			return
		}
		name, ok := names[k.Session]
		if !ok {
			name.name = k.Session
		}
		f.open()
		f.str("vhost", k.VirtualHost)
		f.str("user", k.User)
		f.str("connection", name.name)
		f.uint64("channel", k.Channel)
		f.str("tag", k.Tag)
		f.close()
	}
}

func writeHandlers(f *fields, v *warren.VirtualHost, l *look, earlier map[vhostHandler]warren.Durations) {
	ready := make(map[string]int)
	handlers := v.Handlers()
	for i := range handlers {
		h := &handlers[i]
		if _, ok := ready[h.Queue]; !ok {
			q, _ := v.Queue(h.Queue) // zero, if it has gone
			ready[h.Queue] = q.Ready
		}
		was := l.vhost(v.Name()).handlers[handlerKey{h.Queue, h.Tag}]
		f.open()
		f.str("vhost", v.Name())
		f.str("queue", h.Queue)
		f.str("tag", h.Tag)
		f.int("concurrency", h.Concurrency)
		f.int("serving", h.Serving)
		f.int("ready", ready[h.Queue])
		f.counter("served", h.Served, was.served, l)
		f.counter("failed", h.Failed, was.failed, l)
		f.uint64("gone", h.Gone)
		if f.begin("errors") {
			for _, code := range sortedKeys(h.Errors) {
				f.uint64(code, h.Errors[code])
			}
			f.end()
		}
		lately := h.Durations.Since(earlier[vhostHandler{v.Name(), handlerKey{h.Queue, h.Tag}}])
		f.float("p50_ms", inMilliseconds(lately.Quantile(0.5)))
		f.float("p99_ms", inMilliseconds(lately.Quantile(0.99)))
		f.uint64("timed", lately.Count())
		f.close()
	}
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
