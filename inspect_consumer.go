package warren

import (
	"cmp"
	"slices"

	"github.com/warrenmq/warren/internal/queue"
)

// ConsumerInfo shows a consumer of a queue, a handler, or a consumer of direct
// reply-to.
type ConsumerInfo struct {
	Tag         string
	Queue       string // [DirectReplyTo], or another name of it, for a reply consumer
	VirtualHost string
	Session     string // the ID of its session; empty for a handler
	Channel     uint64 // the number of its channel; zero for a handler
	User        string
	Remote      bool // it is a client of the listener
	Handler     bool // it belongs to a [Handler]
	Reply       bool // it receives the replies to its channel's requests

	NoAck     bool
	Exclusive bool
	Active    bool // false: another consumer is the queue's single active one
	Priority  int
	Prefetch  int // of its own, or from Qos; zero: no limit. Of a handler: its concurrency
	Unacked   int // deliveries that are not settled

	Delivered uint64 // including redeliveries
	Acked     uint64 // deliveries settled by an ack, or that needed none
}

// Consumers returns the consumers of the virtual host's queues, with handlers and reply
// consumers, sorted by queue.
func (v *VirtualHost) Consumers() []ConsumerInfo {
	owners := make(map[*queue.Consumer]*Consumer)
	var list []ConsumerInfo
	for _, s := range v.broker.sessionList(func(s *Session) bool { return s.vhost == v }) {
		for _, ch := range s.channelList() {
			for _, c := range ch.consumerList() {
				if c.reply == nil {
					owners[c.inner] = c
				} else {
					list = append(list, c.info(ConsumerInfo{Reply: true, NoAck: true, Active: true}))
				}
			}
		}
	}
	t := v.view()
	for i := range t.queues {
		for _, shown := range t.queues[i].consumers() {
			info := ConsumerInfo{
				NoAck: shown.NoAck, Exclusive: shown.Exclusive, Active: shown.Active,
				Priority: shown.Priority, Prefetch: shown.Prefetch, Unacked: shown.Unacked,
				Delivered: shown.Delivered, Acked: shown.Acked,
			}
			if c := owners[shown.Consumer]; c != nil {
				info = c.info(info)
			} else if shown.IsPool {
				info.Tag, info.Queue, info.VirtualHost, info.Handler = shown.Tag, t.queues[i].name, v.name, true
			} else {
				continue // it came after its channel was asked
			}
			list = append(list, info)
		}
	}
	slices.SortStableFunc(list, func(x, y ConsumerInfo) int { return cmp.Compare(x.Queue, y.Queue) })
	return list
}

// consumerList returns the channel's consumers, the oldest first.
func (ch *Channel) consumerList() []*Consumer {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.sortedConsumers()
}

// info completes what users see with what the consumer's channel knows.
func (c *Consumer) info(info ConsumerInfo) ConsumerInfo {
	s := c.ch.session
	info.Tag, info.Queue, info.VirtualHost, info.Session = c.tag, c.queue, s.vhost.name, s.id
	info.User, info.Remote = s.User(), s.isRemote()
	c.ch.mu.Lock()
	info.Channel = c.ch.shownNumber
	c.ch.mu.Unlock()
	return info
}
