package metrics

import (
	"time"

	"github.com/warrenmq/warren"
)

// state is what the metrics of a whole broker are made from.
type state struct {
	warren.Stats
	capacity   warren.Capacity
	process    process
	uptime     time.Duration
	channels   int
	publishers int
	of         channelSums
}

// channelSums are sums over all channels.
type channelSums struct{ consumers, unacked, unconfirmed, uncommitted, acksUncommitted int }

// look takes the state of the broker.
func (s *Source) look() *state {
	b := s.broker
	st := &state{Stats: b.Stats(), capacity: b.Capacity(), process: lookAtProcess(), uptime: time.Since(b.Started())}
	channels := b.Channels()
	st.channels = len(channels)
	for i := range channels {
		c := &channels[i]
		if c.Published > 0 {
			st.publishers++
		}
		st.of.consumers += c.Consumers
		st.of.unacked += c.Unacked
		st.of.unconfirmed += c.Unconfirmed
		st.of.uncommitted += c.Uncommitted
		st.of.acksUncommitted += c.UncommittedAcks
	}
	return st
}

// whole returns the metrics of the broker, without the sums over objects if perObject is
// set, because the metrics of objects have the same names.
func (s *Source) whole(perObject bool) []Family {
	st := []state{*s.look()}
	none := func(*state) []string { return nil }
	protocol := []string{"protocol"}
	amqp091 := []string{"amqp091"}
	families := collect(wholeMetrics(), nil, st, none)
	families = append(families, collect(messageMetrics(), protocol, st, func(*state) []string { return amqp091 })...)
	if !perObject {
		families = append(families, collect(sumMetrics(), nil, st, none)...)
	}
	s.mu.Lock()
	s.steady.apply(families)
	s.mu.Unlock()
	families = append(families, sizes(&st[0].Sizes), Family{
		Name: "warren_publishers_waiting", Kind: Gauge, Labels: []string{"reason"},
		Help: "Publishers that wait until there is room in memory or on the disk.",
		Samples: []Sample{
			{Labels: []string{"memory"}, Value: float64(st[0].Waiting)},
			{Labels: []string{"disk"}, Value: float64(st[0].WaitingForDisk)},
		},
	})
	return families
}

// sizes makes the histogram of the sizes of messages.
func sizes(m *warren.MessageSizes) Family {
	d := &Distribution{Sum: float64(m.Bytes)}
	limits := warren.SizeLimits()
	for i, n := range m.Counts {
		d.Count += n
		if i < len(limits) {
			d.Buckets = append(d.Buckets, Bucket{float64(limits[i]), d.Count})
		}
	}
	return Family{
		Name: "rabbitmq_message_size_bytes", Kind: Histogram, Help: "Bodies of messages that were published to exchanges.",
		Labels: []string{"protocol"}, Samples: []Sample{{Labels: []string{"amqp091"}, Histogram: d}},
	}
}

func gauge(name, help string, value func(*state) float64) metric[state] {
	return metric[state]{name, help, Gauge, value, nil}
}

func counter(name, help string, value func(*state) uint64) metric[state] {
	return metric[state]{name, help, Counter, func(s *state) float64 { return float64(value(s)) }, nil}
}

// when makes a metric that only some brokers have.
func (m metric[T]) when(has func(*T) bool) metric[T] {
	m.has = has
	return m
}

// wholeMetrics are those without labels.
func wholeMetrics() []metric[state] {
	limited := func(s *state) bool { return s.capacity.MemoryLimit > 0 }
	disk := func(s *state) bool { return s.capacity.Disk }
	return []metric[state]{
		gauge("rabbitmq_connections", "Sessions: connections of clients, and those of this program.", func(s *state) float64 { return float64(s.Sessions) }),
		gauge("rabbitmq_channels", "Channels.", func(s *state) float64 { return float64(s.channels) }),
		gauge("rabbitmq_queues", "Queues and streams.", func(s *state) float64 { return float64(s.Queues) }),
		gauge("rabbitmq_consumers", "Consumers of queues, with handlers.", func(s *state) float64 { return float64(s.Consumers) }),
		gauge("warren_exchanges", "Exchanges, with the predeclared ones.", func(s *state) float64 { return float64(s.Exchanges) }),
		gauge("warren_virtual_hosts", "Virtual hosts.", func(s *state) float64 { return float64(s.VirtualHosts) }),

		counter("rabbitmq_connections_opened_total", "Sessions that were opened.", func(s *state) uint64 { return s.SessionsOpened }),
		counter("rabbitmq_connections_closed_total", "Sessions that have ended.", func(s *state) uint64 { return s.SessionsClosed }),
		counter("rabbitmq_channels_opened_total", "Channels that were opened.", func(s *state) uint64 { return s.ChannelsOpened }),
		counter("rabbitmq_channels_closed_total", "Channels that have ended.", func(s *state) uint64 { return s.ChannelsClosed }),
		counter("rabbitmq_queues_declared_total", "Queues that were made. Declarations of queues that exist do not count.", func(s *state) uint64 { return s.QueuesDeclared }),
		counter("rabbitmq_queues_created_total", "Queues that were made.", func(s *state) uint64 { return s.QueuesDeclared }),
		counter("rabbitmq_queues_deleted_total", "Queues that were deleted in whatever way.", func(s *state) uint64 { return s.QueuesDeleted }),
		counter("rabbitmq_auth_attempts_total", "Logins, accepted or refused.", func(s *state) uint64 { return s.Logins + s.LoginsRefused }),
		counter("rabbitmq_auth_attempts_succeeded_total", "Logins that were accepted.", func(s *state) uint64 { return s.Logins }),
		counter("rabbitmq_auth_attempts_failed_total", "Logins that were refused.", func(s *state) uint64 { return s.LoginsRefused }),

		gauge("rabbitmq_erlang_uptime_seconds", "Time since the broker was made. There is no Erlang: the name is what dashboards ask for.", func(s *state) float64 { return s.uptime.Seconds() }),
		gauge("rabbitmq_process_open_fds", "File descriptors that the process has open.", func(s *state) float64 { return float64(s.process.openFiles) }).
			when(func(s *state) bool { return s.process.openFiles > 0 }),
		gauge("rabbitmq_process_max_fds", "File descriptors that the process may have open.", func(s *state) float64 { return float64(s.process.maxFiles) }).
			when(func(s *state) bool { return s.process.maxFiles > 0 }),
		gauge("rabbitmq_process_resident_memory_bytes", "Memory that the process holds, with all that the program does beside.", func(s *state) float64 { return float64(s.process.resident) }),
		gauge("rabbitmq_resident_memory_limit_bytes", "Resident memory of now, and what messages may still take: the distance to rabbitmq_process_resident_memory_bytes is what is left before publishers wait.", func(s *state) float64 {
			return float64(s.process.resident) + float64(max(0, s.capacity.MemoryLimit-s.Memory))
		}).when(limited),
		gauge("warren_memory_bytes", "What counts against the memory limit.", func(s *state) float64 { return float64(s.Memory) }),
		gauge("warren_memory_limit_bytes", "The memory limit.", func(s *state) float64 { return float64(s.capacity.MemoryLimit) }).when(limited),
		gauge("warren_topology_bytes", "What queues, exchanges, bindings, consumers, channels and sessions hold, about.", func(s *state) float64 { return float64(s.TopologyBytes) }),
		gauge("rabbitmq_disk_space_available_bytes", "Bytes that are free on the disk of the broker's directory.", func(s *state) float64 { return float64(s.capacity.DiskFree) }).
			when(func(s *state) bool { return s.capacity.Disk && s.capacity.DiskFree >= 0 }),
		gauge("rabbitmq_disk_space_available_limit_bytes", "Bytes that must stay free on it.", func(s *state) float64 { return float64(s.capacity.DiskLimit) }).when(disk),
		gauge("rabbitmq_alarms_memory_used_watermark", "1 while publishers wait, or are refused, because memory is short.", func(s *state) float64 { return truth(s.capacity.MemoryAlarm) }),
		gauge("rabbitmq_alarms_free_disk_space_watermark", "1 while publishers to the disk are held back: it is nearly full, or writes fail.", func(s *state) float64 { return truth(s.capacity.DiskAlarm) }),

		gauge("warren_messages_delayed", "Messages in delayed exchanges.", func(s *state) float64 { return float64(s.Delayed) }),
		counter("warren_messages_dropped_total", "Messages that were purged, deleted with their queue, lost without a dead letter exchange, or dropped from a stream.", func(s *state) uint64 { return s.Dropped }),
		counter("warren_messages_dead_lettered_total", "Messages that were sent to a dead letter exchange.", func(s *state) uint64 { return s.DeadLettered }),
		counter("warren_dead_letters_dropped_total", "Dead letters that were dropped because their message had become too many, or because memory was exhausted.", func(s *state) uint64 { return s.LettersDropped }),
		counter("warren_messages_failed_total", "Messages on which a handler or a consuming function failed, and no requester was told.", func(s *state) uint64 { return s.Failed }),
		counter("warren_messages_unreadable_total", "Messages that were found damaged on disk, and are lost.", func(s *state) uint64 { return s.Unreadable }),
	}
}

// messageMetrics count messages, with the label protocol.
func messageMetrics() []metric[state] {
	return []metric[state]{
		counter("rabbitmq_global_messages_received_total", "Messages that were published to exchanges.", func(s *state) uint64 { return s.Received }),
		counter("rabbitmq_global_messages_received_confirm_total", "Messages that were published on channels in confirm mode.", func(s *state) uint64 { return s.ReceivedConfirm }),
		counter("rabbitmq_global_messages_confirmed_total", "Messages that were confirmed to publishers.", func(s *state) uint64 { return s.Confirmed }),
		counter("rabbitmq_global_messages_routed_total", "Messages that queues and streams took; a message counts in each of them.", func(s *state) uint64 { return s.Published }),
		counter("rabbitmq_global_messages_unroutable_dropped_total", "Messages that no queue took and that were dropped.", func(s *state) uint64 { return s.Unroutable }),
		counter("rabbitmq_global_messages_unroutable_returned_total", "Messages that no queue took and that were returned.", func(s *state) uint64 { return s.Returned }),
		counter("rabbitmq_global_messages_delivered_total", "Messages sent to consumers and to basic.get.", func(s *state) uint64 { return s.Delivered }),
		counter("rabbitmq_global_messages_delivered_consume_auto_ack_total", "Messages sent to consumers that need not acknowledge.", func(s *state) uint64 { return deliveredNoAck(&s.QueueCounts) }),
		counter("rabbitmq_global_messages_delivered_consume_manual_ack_total", "Messages sent to consumers that acknowledge.", func(s *state) uint64 { return deliveredAck(&s.QueueCounts) }),
		counter("rabbitmq_global_messages_delivered_get_auto_ack_total", "Messages sent to basic.get that need no acknowledgement.", func(s *state) uint64 { return s.GotNoAck }),
		counter("rabbitmq_global_messages_delivered_get_manual_ack_total", "Messages sent to basic.get that are to be acknowledged.", func(s *state) uint64 { return less(s.Got, s.GotNoAck) }),
		counter("rabbitmq_global_messages_get_empty_total", "Times that basic.get found no message.", func(s *state) uint64 { return s.GetEmpty }),
		counter("rabbitmq_global_messages_redelivered_total", "Messages sent again after they had come back.", func(s *state) uint64 { return s.Redelivered }),
		counter("rabbitmq_global_messages_acknowledged_total", "Messages that consumers have acknowledged.", func(s *state) uint64 { return acknowledged(&s.QueueCounts) }),
		gauge("rabbitmq_global_publishers", "Channels that have published, of those that are open.", func(s *state) float64 { return float64(s.publishers) }),
		gauge("rabbitmq_global_consumers", "Consumers of queues, with handlers.", func(s *state) float64 { return float64(s.Consumers) }),
	}
}

// sumMetrics are sums of what objects show, with the same names.
func sumMetrics() []metric[state] {
	return []metric[state]{
		gauge("rabbitmq_queue_messages_ready", "Messages that wait for a consumer, in memory or on disk; all messages of streams.", func(s *state) float64 { return float64(s.Ready) }),
		gauge("rabbitmq_queue_messages_unacked", "Messages that were delivered and are not settled.", func(s *state) float64 { return float64(s.Unacked) }),
		gauge("rabbitmq_queue_messages", "Ready and unacknowledged messages.", func(s *state) float64 { return float64(s.Ready + s.Unacked) }),
		gauge("rabbitmq_queue_consumers", "Consumers of queues, with handlers.", func(s *state) float64 { return float64(s.Consumers) }),
		gauge("rabbitmq_queue_messages_ram_bytes", "What ready, unacknowledged and delayed messages hold in memory.", func(s *state) float64 { return float64(s.Bytes) }),
		gauge("rabbitmq_channel_consumers", "Consumers of channels.", func(s *state) float64 { return float64(s.of.consumers) }),
		gauge("rabbitmq_channel_messages_unacked", "Deliveries of channels that are not settled.", func(s *state) float64 { return float64(s.of.unacked) }),
		gauge("rabbitmq_channel_messages_unconfirmed", "Publishes that wait for the disk before they are confirmed.", func(s *state) float64 { return float64(s.of.unconfirmed) }),
		gauge("rabbitmq_channel_messages_uncommitted", "Publishes in transactions that are not committed.", func(s *state) float64 { return float64(s.of.uncommitted) }),
		gauge("rabbitmq_channel_acks_uncommitted", "Settled deliveries in transactions that are not committed.", func(s *state) float64 { return float64(s.of.acksUncommitted) }),
	}
}

// less returns x-y, or zero if y is larger, which it may be for a moment.
func less(x, y uint64) uint64 { return x - min(x, y) }

// deliveredNoAck is how many messages were sent to consumers that need not acknowledge.
func deliveredNoAck(c *warren.QueueCounts) uint64 { return less(c.NoAck, c.GotNoAck) }

// deliveredAck is how many messages were sent to consumers that acknowledge.
func deliveredAck(c *warren.QueueCounts) uint64 {
	return less(less(c.Delivered, c.Got), deliveredNoAck(c))
}

// acknowledged is how many messages were acknowledged. Acked has those, too, that need
// not be.
func acknowledged(c *warren.QueueCounts) uint64 { return less(c.Acked, c.NoAck) }
