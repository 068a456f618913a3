package warrentest

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// What the broker holds is shown in lines, one for each thing, which failures list.

// count returns how many things there are, for people.
func count(n int, one, many string) string {
	switch n {
	case 0:
		return "no " + many
	case 1:
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// inHost returns the name of something for people. The virtual host "/" is not said.
func inHost(kind, name, vhost string) string {
	if vhost == warren.DefaultVirtualHost {
		return fmt.Sprintf("%s '%s'", kind, name)
	}
	return fmt.Sprintf("%s '%s' of virtual host '%s'", kind, name, vhost)
}

// queueLine shows a queue.
func queueLine(q *warren.QueueInfo) string {
	return fmt.Sprintf("%s: %d ready, %d unacked, %s", inHost("queue", q.Name, q.VirtualHost), q.Ready, q.Unacked, count(q.Consumers, "consumer", "consumers"))
}

// noQueue says that there is no queue of a name in "/", and which there are.
func (b *Broker) noQueue(name string) string {
	queues := b.root.Queues()
	if len(queues) == 0 {
		return fmt.Sprintf("no queue '%s', nor any other", name)
	}
	const most = 20
	var names []string
	for i := range queues {
		names = append(names, "'"+queues[i].Name+"'")
	}
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("no queue '%s', but %s", name, strings.Join(names, ", "))
}

// busyQueue reports whether a queue has something to do: what its consumers have not
// settled, or have not got yet. Nobody can tell how far the consumers of a stream are to
// read.
func busyQueue(q *warren.QueueInfo) bool {
	return q.Unacked > 0 || q.Ready > 0 && q.Consumers > 0 && q.Stream == nil
}

// busy shows what keeps the broker from being idle, but for a queue of "/" that is shown
// already.
func (b *Broker) busy(shown string) (lines []string) {
	for _, v := range b.VirtualHosts() {
		queues := v.Queues()
		for i := range queues {
			if q := &queues[i]; busyQueue(q) && (v != b.root || q.Name != shown) {
				lines = append(lines, queueLine(q))
			}
		}
		for _, h := range v.Handlers() {
			if h.Serving > 0 {
				lines = append(lines, handlerLine(&h))
			}
		}
		if line := callsLine(v); line != "" {
			lines = append(lines, line)
		}
	}
	s := b.Stats()
	if s.Waiting > 0 {
		lines = append(lines, count(s.Waiting, "publisher", "publishers")+" blocked for want of memory")
	}
	if s.WaitingForDisk > 0 {
		lines = append(lines, count(s.WaitingForDisk, "publisher", "publishers")+" blocked for want of the disk")
	}
	if n := b.unconfirmed(); n > 0 {
		lines = append(lines, count(n, "publish", "publishes")+" that wait for the disk")
	}
	for _, c := range b.connections() {
		if c.blocked != "" {
			lines = append(lines, c.String()+", blocked: "+c.blocked)
		}
	}
	return lines
}

// unconfirmed returns how many publishes wait for the disk.
func (b *Broker) unconfirmed() (n int) {
	for _, ch := range b.Channels() {
		n += ch.Unconfirmed
	}
	return n
}

// handlerLine shows a handler.
func handlerLine(h *warren.HandlerInfo) string {
	return fmt.Sprintf("a handler of %s: serves %d, has served %d", inHost("queue", h.Queue, h.VirtualHost), h.Serving, h.Served)
}

// callsLine shows the calls of a virtual host that wait; empty: none does.
func callsLine(v *warren.VirtualHost) string {
	n := v.RPC().Calls
	if n == 0 {
		return ""
	}
	line := count(n, "call that waits", "calls that wait") + " for an answer"
	if v.Name() != warren.DefaultVirtualHost {
		line += fmt.Sprintf(" in virtual host '%s'", v.Name())
	}
	return line
}

// connection is a client's connection.
type connection struct {
	name, user string
	from       string // with the peer's address; empty: it has no socket
	session    string
	channels   int
	blocked    string // why; empty: it is not
}

// connections returns the connections of clients, the oldest first.
func (b *Broker) connections() []connection {
	channels := make(map[string]int)
	for _, s := range b.Sessions() {
		channels[s.ID] = s.Channels
	}
	infos := b.Server.Connections()
	list := make([]connection, len(infos))
	for i := range infos {
		c, info := &list[i], &infos[i]
		c.name, _ = info.ClientProperties["connection_name"].(string)
		c.user, c.session = info.User, info.Session
		if info.PeerPort != 0 {
			c.from = " from " + net.JoinHostPort(info.PeerHost, strconv.Itoa(info.PeerPort))
		}
		c.channels = channels[info.Session]
		if info.State == amqp.Blocked {
			c.blocked = info.BlockedReason
		}
	}
	return list
}

// String shows the connection.
func (c *connection) String() string {
	return fmt.Sprintf("%s of user '%s'%s with %s", c.short(), c.user, c.from, count(c.channels, "channel", "channels"))
}

// short shows the connection's name.
func (c *connection) short() string {
	if c.name == "" {
		return "a connection without a name"
	}
	return "connection '" + c.name + "'"
}

// connectionLines shows all connections of clients.
func (b *Broker) connectionLines() (lines []string) {
	for _, c := range b.connections() {
		lines = append(lines, c.String())
	}
	return lines
}

// sessionName returns a function that shows the owner of a consumer or a channel.
func (b *Broker) sessionName() func(session string) string {
	list := b.connections()
	return func(session string) string {
		i := slices.IndexFunc(list, func(c connection) bool { return c.session == session })
		if i < 0 {
			return "the test's process"
		}
		return list[i].short()
	}
}
