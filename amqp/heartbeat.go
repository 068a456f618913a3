package amqp

import (
	"log/slog"
	"sync"
	"time"
)

// heartbeat sends heartbeats, so that the client hears something at least every half
// interval: it looks every quarter whether something was written since. It cuts off a
// client that has been silent for two to three intervals, as RabbitMQ does.
type heartbeat struct {
	conn    *conn
	quarter time.Duration

	mu sync.Mutex
	// Guarded by mu.
	timer        *time.Timer
	stopped      bool
	wrote, heard uint64 // output.wrote and conn.heard at the last look
	sent         bool   // the last tick sent a heartbeat
	ticks        int    // quarters of an interval
	silent       int    // intervals in a row without a read
}

// watch starts the heartbeat, if the client and the server have agreed on one.
func (c *conn) watch() (stop func()) {
	if c.heartbeat <= 0 {
		return func() {}
	}
	h := &heartbeat{conn: c, quarter: c.heartbeat / 4}
	h.mu.Lock()
	h.timer = time.AfterFunc(h.quarter, h.tick)
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

// tick is called every quarter of an interval.
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
	switch {
	case wrote != h.wrote: // at any time of the last quarter, so the next tick must look again
		h.wrote, h.sent = wrote, false
	case h.sent: // the heartbeat is a quarter old
		h.sent = false
	default:
		h.conn.out.appendHeartbeat()
		h.wrote, h.sent = wrote+1, true
	}
	if h.ticks++; h.ticks%4 == 0 && h.countSilence() {
		return true
	}
	h.timer.Reset(h.quarter)
	return false
}

// countSilence counts intervals in a row in which nothing came. It reports whether
// there are too many.
func (h *heartbeat) countSilence() (tooLong bool) {
	heard := h.conn.heard.Load()
	if heard != h.heard || h.conn.blocked.Load() != nil {
		h.heard, h.silent = heard, 0
		return false
	}
	h.silent++
	return h.silent >= 2
}
