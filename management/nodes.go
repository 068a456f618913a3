package management

import (
	"errors"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/warrenmq/warren"
)

func nodeRoutes() []route {
	return []route{
		{path: "nodes", access: monitors, get: (*call).listNodes},
		{path: "nodes/{node}", access: monitors, get: (*call).getNode},
		{path: "nodes/{node}/memory", access: monitors, get: (*call).getMemory},
	}
}

func (c *call) listNodes() error {
	l := c.sampler.look()
	return writeList(c, list[string]{
		items: []string{c.node},
		name:  func(n *string) string { return *n },
		write: func(f *fields, _ *string) { c.writeNode(f, l) },
	})
}

func (c *call) getNode() error {
	if c.names[0] != c.node {
		return errNotFound
	}
	h := c.Handler
	l, err := c.lookAt(historyKey{kind: "node"}, func(f *fields) bool {
		h.writeNode(f, new(look))
		return true
	})
	if err != nil {
		return err
	}
	return c.object(func(f *fields) { c.writeNode(f, l) })
}

// process has figures of the whole process, and of its system where that tells them.
type process struct {
	resident, heap       uint64 // bytes; resident is zero if it is not known
	goroutines           int
	collections          uint64
	reclaimed            uint64 // bytes
	openFiles, fileLimit int    // zero: not known
	sockets              int
	diskFree             int64 // bytes
}

func measure() process {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/frees:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return samples[i].Value.Uint64()
	}
	p := process{heap: value(0), collections: value(1), reclaimed: value(2), resident: value(3) - value(4), goroutines: runtime.NumGoroutine()}
	p.openFiles, p.fileLimit = files()
	return p
}

// writeNode describes the one node. What belongs to another kind of system, such as the
// number of its processes, is told of goroutines, or is zero.
func (h *Handler) writeNode(f *fields, l *look) {
	s, room, p := h.broker.Stats(), h.broker.Capacity(), measure()
	was, before := l.stats(), l.process()
	f.str("name", h.node)
	f.str("type", "disc")
	f.bool("running", true)
	f.bool("being_drained", false)
	f.int64("uptime", time.Since(h.broker.Started()).Milliseconds())
	f.str("os_pid", strconv.Itoa(os.Getpid()))
	f.int("processors", runtime.GOMAXPROCS(0))
	f.int("run_queue", 0)
	f.str("rates_mode", "basic")
	f.int("net_ticktime", 60)
	f.str("rabbitmq_version", apiVersion)
	f.str("product_name", productName)
	f.str("product_version", productVersion())
	writeExchangeTypes(f)
	for _, name := range [...]string{"partitions", "cluster_links", "contexts", "applications", "auth_mechanisms"} {
		if f.beginList(name) {
			f.endList()
		}
	}
	f.strings("enabled_plugins", []string{"rabbitmq_management"})
	f.str("mem_calculation_strategy", "allocated")
	f.gaugeOf(nodeStats, "mem_used", int(s.Memory), int(was.Memory), l)
	f.int64("mem_limit", room.MemoryLimit)
	f.bool("mem_alarm", room.MemoryAlarm)
	f.uint64("mem_process", p.resident)
	f.int64("mem_topology", s.TopologyBytes)
	f.gaugeOf(nodeStats, "disk_free", int(max(0, room.DiskFree)), int(before.diskFree), l)
	f.int64("disk_free_limit", room.DiskLimit)
	f.bool("disk_free_alarm", room.DiskAlarm)
	f.gaugeOf(nodeStats, "fd_used", p.openFiles, before.openFiles, l)
	f.int("fd_total", p.fileLimit)
	f.gaugeOf(nodeStats, "sockets_used", len(h.clients()), before.sockets, l)
	f.int("sockets_total", p.fileLimit)
	f.gaugeOf(nodeStats, "proc_used", p.goroutines, before.goroutines, l)
	f.int("proc_total", 1<<30)
	f.counterOf(nodeStats, "gc_num", p.collections, before.collections, l)
	f.counterOf(nodeStats, "gc_bytes_reclaimed", p.reclaimed, before.reclaimed, l)
	f.int("publishers_waiting_for_memory", s.Waiting)
	f.int("publishers_waiting_for_disk", s.WaitingForDisk)
	if s.DiskError != nil {
		f.str("disk_error", s.DiskError.Error())
	}
	for _, name := range [...]string{"io_read_count", "io_read_bytes", "io_read_avg_time", "io_write_count", "io_write_bytes", "io_write_avg_time", "io_sync_count", "io_sync_avg_time"} {
		f.counterOf(nodeStats, name, 0, 0, l)
	}
	writeChurn(f, &s, was, l)
}

func writeChurn(f *fields, s, was *warren.Stats, l *look) {
	f.counter("connection_created", s.SessionsOpened, was.SessionsOpened, l)
	f.counter("connection_closed", s.SessionsClosed, was.SessionsClosed, l)
	f.counter("channel_created", s.ChannelsOpened, was.ChannelsOpened, l)
	f.counter("channel_closed", s.ChannelsClosed, was.ChannelsClosed, l)
	f.counter("queue_declared", s.QueuesDeclared, was.QueuesDeclared, l)
	f.counter("queue_created", s.QueuesDeclared, was.QueuesDeclared, l)
	f.counter("queue_deleted", s.QueuesDeleted, was.QueuesDeleted, l)
}

// memoryParts are what RabbitMQ tells of its memory, apart from what the broker knows.
var memoryParts = [...]string{
	"connection_readers", "connection_writers", "connection_channels", "connection_other", "queue_slave_procs",
	"quorum_queue_procs", "quorum_queue_dlx_procs", "stream_queue_procs", "stream_queue_replica_reader_procs",
	"stream_queue_coordinator_procs", "plugins", "mgmt_db", "mnesia", "metadata_store", "metrics", "quorum_ets",
	"metadata_store_ets", "other_ets", "binary", "msg_index", "code", "atom", "other_system", "allocated_unused",
}

// getMemory tells what the process holds: messages, topology, and the rest.
func (c *call) getMemory() error {
	if c.names[0] != c.node {
		return errNotFound
	}
	s, p := c.broker.Stats(), measure()
	return c.object(func(f *fields) {
		if !f.begin("memory") {
			return
		}
		for _, name := range memoryParts {
			f.int(name, 0)
		}
		f.int64("queue_procs", s.Memory)
		f.int64("other_proc", max(0, int64(p.heap)-s.Memory-s.TopologyBytes))
		f.int64("topology", s.TopologyBytes)
		f.uint64("reserved_unallocated", p.resident-min(p.resident, p.heap))
		f.str("strategy", "allocated")
		if f.begin("total") {
			f.uint64("erlang", p.heap)
			f.uint64("allocated", p.heap)
			f.uint64("rss", p.resident)
			f.end()
		}
		f.end()
	})
}

// isClosed reports whether the broker has been closed.
func (h *Handler) isClosed() bool {
	_, err := h.broker.VirtualHost(warren.DefaultVirtualHost)
	return errors.Is(err, warren.ErrClosed)
}
