package metrics

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// group is a set of metrics of objects that can be asked for together.
type group struct {
	name      string // as in the parameter family
	onRequest bool   // it is not among the metrics per object
	collect   func(*view) []Family
}

// detailedName is the name of a metric when it was asked for by its group.
func detailedName(name string) string {
	prefix, rest, _ := strings.Cut(name, "_")
	if strings.HasPrefix(rest, "cluster_") {
		return name
	}
	return prefix + "_detailed_" + rest
}

// Groups returns the names of the groups of metrics that Detailed knows.
func Groups() []string {
	var names []string
	for _, g := range groups() {
		names = append(names, g.name)
	}
	return names
}

func groups() []group {
	queue := []string{"vhost", "queue"}
	channel := []string{"channel", "vhost"}
	connection := []string{"connection", "vhost"}
	exchange := []string{"vhost", "exchange"}
	return []group{
		objects("queue_coarse_metrics", false, coarseQueueMetrics(), queue, queues, queueLabels),
		objects("queue_consumer_count", false, queueConsumers(), queue, queues, queueLabels),
		objects("queue_metrics", false, append(queueConsumers(), queueMetrics()...), queue, queues, queueLabels),
		objects("queue_delivery_metrics", false, queueDeliveryMetrics(), queue, queues, queueLabels),
		objects("queue_info", false, queueInfo(), append(queue, "queue_type"), queues, func(q *warren.QueueInfo) []string {
			return []string{q.VirtualHost, q.Name, "rabbit_" + string(q.Type) + "_queue"}
		}),
		objects("exchange_metrics", false, exchangeMetrics(), exchange, exchanges, exchangeLabels),
		objects("exchange_bindings", true, exchangeBindings(), append(exchange, "type"), exchanges, typedExchangeLabels),
		objects("exchange_names", true, exchangeNames(), append(exchange, "type"), exchanges, typedExchangeLabels),
		objects("channel_metrics", false, channelMetrics(), channel, channels, channelLabels),
		objects("channel_exchange_metrics", false, channelExchangeMetrics(), channel, channels, channelLabels),
		objects("channel_queue_metrics", false, channelQueueMetrics(), channel, channels, channelLabels),
		objects("connection_coarse_metrics", false, coarseConnectionMetrics(), connection, connections, func(c *amqp.ConnectionInfo) []string {
			return []string{c.Session, c.VirtualHost}
		}),
		objects("connection_metrics", false, connectionMetrics(), connection, sessions, func(c *warren.SessionInfo) []string {
			return []string{c.ID, c.VirtualHost}
		}),
		objects("vhost_status", true, vhostStatus(), []string{"vhost"}, vhosts, func(v **warren.VirtualHost) []string {
			return []string{(*v).Name()}
		}),
		{"rpc_metrics", false, handlerFamilies},
	}
}

// objects makes a group of metrics of objects.
func objects[T any](name string, onRequest bool, metrics []metric[T], labels []string, list func(*view) []T, values func(*T) []string) group {
	counts := slices.ContainsFunc(metrics, func(m metric[T]) bool { return m.kind == Counter })
	return group{name, onRequest, func(v *view) []Family {
		if !counts {
			return collect(metrics, labels, list(v), values)
		}
		return collectSteady(metrics, labels, list(v), values, func(values [][]string) [][]steadyCounter {
			return v.objects.of(name, len(metrics), values, v.only == nil)
		})
	}}
}

// view is one look at the objects of a broker, or of some of its virtual hosts. Each list
// is made once.
type view struct {
	*Source
	only map[string]bool // virtual hosts; nil: all

	queues    func() []warren.QueueInfo
	exchanges func() []warren.ExchangeInfo
	channels  func() []warren.ChannelInfo
}

func newView(s *Source, only map[string]bool) *view {
	v := &view{Source: s, only: only}
	v.queues = sync.OnceValue(func() (list []warren.QueueInfo) {
		for _, h := range vhosts(v) {
			list = append(list, h.Queues()...)
		}
		return list
	})
	v.exchanges = sync.OnceValue(func() (list []warren.ExchangeInfo) {
		for _, h := range vhosts(v) {
			list = append(list, h.Exchanges()...)
		}
		return list
	})
	v.channels = sync.OnceValue(func() []warren.ChannelInfo {
		return wantedOf(v, s.broker.Channels(), func(c *warren.ChannelInfo) string { return c.VirtualHost })
	})
	return v
}

// wantedOf returns those objects whose virtual host is wanted.
func wantedOf[T any](v *view, list []T, vhost func(*T) string) []T {
	if v.only == nil {
		return list
	}
	return slices.DeleteFunc(list, func(o T) bool { return !v.only[vhost(&o)] })
}

func vhosts(v *view) []*warren.VirtualHost {
	return wantedOf(v, v.broker.VirtualHosts(), func(h **warren.VirtualHost) string { return (*h).Name() })
}

func queues(v *view) []warren.QueueInfo       { return v.queues() }
func exchanges(v *view) []warren.ExchangeInfo { return v.exchanges() }
func channels(v *view) []warren.ChannelInfo   { return v.channels() }

func sessions(v *view) []warren.SessionInfo {
	return wantedOf(v, v.broker.Sessions(), func(s *warren.SessionInfo) string { return s.VirtualHost })
}

func connections(v *view) (list []amqp.ConnectionInfo) {
	for _, server := range v.options.Servers {
		list = append(list, wantedOf(v, server.Connections(), func(c *amqp.ConnectionInfo) string { return c.VirtualHost })...)
	}
	return list
}

func queueLabels(q *warren.QueueInfo) []string       { return []string{q.VirtualHost, q.Name} }
func exchangeLabels(x *warren.ExchangeInfo) []string { return []string{x.VirtualHost, x.Name} }

func typedExchangeLabels(x *warren.ExchangeInfo) []string {
	return []string{x.VirtualHost, x.Name, string(x.Type)}
}

func channelLabels(c *warren.ChannelInfo) []string {
	return []string{c.Session + " (" + strconv.FormatUint(c.Number, 10) + ")", c.VirtualHost}
}

func gaugeOf[T any](name, help string, value func(*T) int) metric[T] {
	return metric[T]{name, help, Gauge, func(v *T) float64 { return float64(value(v)) }, nil}
}

func counterOf[T any](name, help string, value func(*T) uint64) metric[T] {
	return metric[T]{name, help, Counter, func(v *T) float64 { return float64(value(v)) }, nil}
}

func coarseQueueMetrics() []metric[warren.QueueInfo] {
	return []metric[warren.QueueInfo]{
		gaugeOf("rabbitmq_queue_messages_ready", "Messages that wait for a consumer, in memory or on disk; all messages of streams.", func(q *warren.QueueInfo) int { return q.Ready }),
		gaugeOf("rabbitmq_queue_messages_unacked", "Messages that were delivered and are not settled.", func(q *warren.QueueInfo) int { return q.Unacked }),
		gaugeOf("rabbitmq_queue_messages", "Ready and unacknowledged messages.", func(q *warren.QueueInfo) int { return q.Ready + q.Unacked }),
	}
}

func queueConsumers() []metric[warren.QueueInfo] {
	return []metric[warren.QueueInfo]{
		gaugeOf("rabbitmq_queue_consumers", "Consumers of queues, with handlers.", func(q *warren.QueueInfo) int { return q.Consumers }),
	}
}

func queueMetrics() []metric[warren.QueueInfo] {
	return []metric[warren.QueueInfo]{
		gaugeOf("rabbitmq_queue_messages_ram", "Messages that are in memory.", func(q *warren.QueueInfo) int { return max(0, q.Ready-q.OnDisk) + q.Unacked }),
		gaugeOf("rabbitmq_queue_messages_ready_ram", "Ready messages that are in memory.", func(q *warren.QueueInfo) int { return max(0, q.Ready-q.OnDisk) }),
		gaugeOf("rabbitmq_queue_messages_unacked_ram", "Unacknowledged messages, which are in memory.", func(q *warren.QueueInfo) int { return q.Unacked }),
		gaugeOf("rabbitmq_queue_messages_ram_bytes", "What ready and unacknowledged messages hold in memory.", func(q *warren.QueueInfo) int { return int(q.Bytes) }),
		gaugeOf("warren_queue_messages_on_disk", "Ready messages that are on disk and not in memory.", func(q *warren.QueueInfo) int { return q.OnDisk }),
		counterOf("rabbitmq_queue_messages_published_total", "Messages that the queue took.", func(q *warren.QueueInfo) uint64 { return q.Published }),
		counterOf("warren_queue_messages_dead_lettered_total", "Messages that the queue sent to its dead letter exchange.", func(q *warren.QueueInfo) uint64 { return q.DeadLettered }),
		counterOf("warren_queue_messages_dropped_total", "Messages that were purged, lost without a dead letter exchange, or dropped from a stream.", func(q *warren.QueueInfo) uint64 { return q.Dropped }),
		gaugeOf("rabbitmq_stream_segments", "Segments of a stream.", func(q *warren.QueueInfo) int { return q.Stream.Segments }).
			when(func(q *warren.QueueInfo) bool { return q.Stream != nil }),
	}
}

func queueDeliveryMetrics() []metric[warren.QueueInfo] {
	return []metric[warren.QueueInfo]{
		counterOf("rabbitmq_queue_get_ack_total", "Messages sent to basic.get that are to be acknowledged.", func(q *warren.QueueInfo) uint64 { return less(q.Got, q.GotNoAck) }),
		counterOf("rabbitmq_queue_get_total", "Messages sent to basic.get that need no acknowledgement.", func(q *warren.QueueInfo) uint64 { return q.GotNoAck }),
		counterOf("rabbitmq_queue_messages_delivered_ack_total", "Messages sent to consumers that acknowledge.", func(q *warren.QueueInfo) uint64 { return deliveredAck(&q.QueueCounts) }),
		counterOf("rabbitmq_queue_messages_delivered_total", "Messages sent to consumers that need not acknowledge.", func(q *warren.QueueInfo) uint64 { return deliveredNoAck(&q.QueueCounts) }),
		counterOf("rabbitmq_queue_messages_redelivered_total", "Messages sent again after they had come back.", func(q *warren.QueueInfo) uint64 { return q.Redelivered }),
		counterOf("rabbitmq_queue_messages_acked_total", "Messages that consumers have acknowledged.", func(q *warren.QueueInfo) uint64 { return acknowledged(&q.QueueCounts) }),
		counterOf("rabbitmq_queue_get_empty_total", "Times that basic.get found no message.", func(q *warren.QueueInfo) uint64 { return q.GetEmpty }),
	}
}

func queueInfo() []metric[warren.QueueInfo] {
	return []metric[warren.QueueInfo]{
		gaugeOf("rabbitmq_queue_info", "The type of a queue; always 1.", func(*warren.QueueInfo) int { return 1 }),
	}
}

func exchangeMetrics() []metric[warren.ExchangeInfo] {
	return []metric[warren.ExchangeInfo]{
		counterOf("rabbitmq_exchange_messages_published_total", "Messages that were published to the exchange.", func(x *warren.ExchangeInfo) uint64 { return x.In }),
		counterOf("warren_exchange_messages_routed_total", "Copies that queues and requesters took of them.", func(x *warren.ExchangeInfo) uint64 { return x.Out }),
		gaugeOf("warren_exchange_messages_delayed", "Messages that the exchange holds back.", func(x *warren.ExchangeInfo) int { return x.Delayed }),
	}
}

func exchangeBindings() []metric[warren.ExchangeInfo] {
	return []metric[warren.ExchangeInfo]{
		gaugeOf("rabbitmq_cluster_exchange_bindings", "Bindings of which the exchange is the source.", func(x *warren.ExchangeInfo) int { return x.Bindings }),
	}
}

func exchangeNames() []metric[warren.ExchangeInfo] {
	return []metric[warren.ExchangeInfo]{
		gaugeOf("rabbitmq_cluster_exchange_name", "An exchange that exists; always 1.", func(*warren.ExchangeInfo) int { return 1 }),
	}
}

func vhostStatus() []metric[*warren.VirtualHost] {
	return []metric[*warren.VirtualHost]{
		gaugeOf("rabbitmq_cluster_vhost_status", "A virtual host that exists; always 1.", func(**warren.VirtualHost) int { return 1 }),
	}
}

func channelMetrics() []metric[warren.ChannelInfo] {
	return []metric[warren.ChannelInfo]{
		gaugeOf("rabbitmq_channel_consumers", "Consumers of the channel.", func(c *warren.ChannelInfo) int { return c.Consumers }),
		gaugeOf("rabbitmq_channel_messages_unacked", "Deliveries that are not settled.", func(c *warren.ChannelInfo) int { return c.Unacked }),
		gaugeOf("rabbitmq_channel_messages_unconfirmed", "Publishes that wait for the disk before they are confirmed.", func(c *warren.ChannelInfo) int { return c.Unconfirmed }),
		gaugeOf("rabbitmq_channel_messages_uncommitted", "Publishes in a transaction that is not committed.", func(c *warren.ChannelInfo) int { return c.Uncommitted }),
		gaugeOf("rabbitmq_channel_acks_uncommitted", "Settled deliveries in a transaction that is not committed.", func(c *warren.ChannelInfo) int { return c.UncommittedAcks }),
		gaugeOf("rabbitmq_consumer_prefetch", "The limit of unsettled deliveries for later consumers; 0: none.", func(c *warren.ChannelInfo) int { return c.Prefetch }),
	}
}

func channelExchangeMetrics() []metric[warren.ChannelInfo] {
	return []metric[warren.ChannelInfo]{
		counterOf("rabbitmq_channel_messages_published_total", "Messages published on the channel.", func(c *warren.ChannelInfo) uint64 { return c.Published }),
		counterOf("rabbitmq_channel_messages_unroutable_returned_total", "Of these, messages that were returned.", func(c *warren.ChannelInfo) uint64 { return c.Returned }),
		counterOf("rabbitmq_channel_messages_unroutable_dropped_total", "Of these, messages that no queue took and that were dropped.", func(c *warren.ChannelInfo) uint64 { return c.Unroutable }),
	}
}

func channelQueueMetrics() []metric[warren.ChannelInfo] {
	return []metric[warren.ChannelInfo]{
		counterOf("rabbitmq_channel_get_ack_total", "Messages that basic.get has brought and that are to be acknowledged.", func(c *warren.ChannelInfo) uint64 { return less(c.Got, c.GotNoAck) }),
		counterOf("rabbitmq_channel_get_total", "Messages that basic.get has brought and that need no acknowledgement.", func(c *warren.ChannelInfo) uint64 { return c.GotNoAck }),
		counterOf("rabbitmq_channel_messages_delivered_ack_total", "Messages sent to consumers that acknowledge.", func(c *warren.ChannelInfo) uint64 { return less(c.Delivered, c.DeliveredNoAck) }),
		counterOf("rabbitmq_channel_messages_delivered_total", "Messages sent to consumers that need not acknowledge.", func(c *warren.ChannelInfo) uint64 { return c.DeliveredNoAck }),
		counterOf("rabbitmq_channel_messages_redelivered_total", "Messages sent again after they had come back.", func(c *warren.ChannelInfo) uint64 { return c.Redelivered }),
		counterOf("rabbitmq_channel_messages_acked_total", "Messages that the channel has acknowledged.", func(c *warren.ChannelInfo) uint64 { return c.Acked }),
	}
}

func coarseConnectionMetrics() []metric[amqp.ConnectionInfo] {
	return []metric[amqp.ConnectionInfo]{
		counterOf("rabbitmq_connection_incoming_bytes_total", "Bytes that came from the client.", func(c *amqp.ConnectionInfo) uint64 { return c.Received }),
		counterOf("rabbitmq_connection_outgoing_bytes_total", "Bytes that were sent to the client.", func(c *amqp.ConnectionInfo) uint64 { return c.Sent }),
	}
}

func connectionMetrics() []metric[warren.SessionInfo] {
	return []metric[warren.SessionInfo]{
		gaugeOf("rabbitmq_connection_channels", "Channels of the session.", func(s *warren.SessionInfo) int { return s.Channels }),
	}
}
