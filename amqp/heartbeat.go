package amqp

import (
	"log/slog"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// heartbeat sends one when nothing else was sent for half an interval, and
// cuts off a client that has been silent for two to three, as RabbitMQ does.
type heartbeat struct {
	conn *conn
	half time.Duration

	mu sync.Mutex
	// Guarded by mu.
	timer        *time.Timer
	stopped      bool
	wrote, heard uint64 // what the counts were
	ticks        int
	silent       int // intervals
}

// watch starts the heartbeat of a connection that has one.
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

func (h *heartbeat) stop() {
	h.mu.Lock()
	h.stopped = true
	h.timer.Stop()
	h.mu.Unlock()
}

func (h *heartbeat) tick() {
	if h.isDead() {
		h.conn.cut()
		h.conn.server.log(slog.LevelWarn, "no heartbeats from the client", "peer", h.conn.net.RemoteAddr().String())
	}
}

// isDead does what is due, and reports whether the client has been silent for
// too long.
func (h *heartbeat) isDead() bool {
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
	if h.ticks++; h.ticks%2 == 0 && h.isSilent() {
		return true
	}
	h.timer.Reset(h.half)
	return false
}

// isSilent counts the intervals in which nothing came.
func (h *heartbeat) isSilent() bool {
	heard := h.conn.heard.Load()
	if heard != h.heard || h.conn.busy.Load() {
		h.heard, h.silent = heard, 0
		return false
	}
	h.silent++
	return h.silent >= 2
}
