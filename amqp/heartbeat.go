package amqp

import (
	"log/slog"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// heartbeat sends a heartbeat when nothing else was sent for half an interval. It cuts
// off a client that has been silent for two to three intervals, as RabbitMQ does.
type heartbeat struct {
	conn *conn
	half time.Duration

	mu sync.Mutex
	// Guarded by mu.
	timer        *time.Timer
	stopped      bool
	wrote, heard uint64 // output.wrote and conn.heard at the last look
	ticks        int    // half intervals
	silent       int    // intervals in a row without a read
}

// watch starts the heartbeat, if the client and the server have agreed on one.
func (c *conn) watch() (stop func()) {
	if c.heartbeat <= 0 {
		return func() {}
	}
	h := &heartbeat{conn: c, half: c.heartbeat / 2}
	h.mu.Lock()
	h.timer = time.AfterFunc(h.half, h.tick)
	h.mu.Unlock()
	return h.stop
}

// stop stops the timer.
func (h *heartbeat) stop() {
	h.mu.Lock()
	h.stopped = true
	h.timer.Stop()
	h.mu.Unlock()
}

// tick is called every half interval.
func (h *heartbeat) tick() {
	if h.beat() {
		h.conn.cut()
		h.conn.server.log(slog.LevelWarn, "no heartbeats from the client", "peer", h.conn.net.RemoteAddr().String())
	}
}

// beat sends a heartbeat if one is due. It reports whether the client has been silent
// for too long.
func (h *heartbeat) beat() (dead bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return false
	}
	wrote := h.conn.out.wrote.Load()
	if wrote == h.wrote {
		h.conn.out.append(wire.AppendHeartbeat)
		wrote++ // by the heartbeat itself
	}
	h.wrote = wrote
	if h.ticks++; h.ticks%2 == 0 && h.countSilence() {
		return true
	}
	h.timer.Reset(h.half)
	return false
}

// countSilence counts intervals in a row in which nothing came. It reports whether
// there are too many.
func (h *heartbeat) countSilence() (tooLong bool) {
	heard := h.conn.heard.Load()
	if heard != h.heard || h.conn.busy.Load() {
		h.heard, h.silent = heard, 0
		return false
	}
	h.silent++
	return h.silent >= 2
}
