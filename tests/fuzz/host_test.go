package fuzz_test

import (
	"bytes"
	"math/rand/v2"

	"github.com/warrenmq/warren"
)

// host is the program that the broker is part of.
type host struct {
	*round
	r        *rand.Rand
	vhost    *warren.VirtualHost
	handlers []*warren.Handler
	exported bytes.Buffer
}

func newHost(r *round) *host { return &host{round: r, r: r.random("host", 0)} }

// requeue is what handlers do with messages that they fail on.
var requeue = []func(error) bool{nil, func(error) bool { return false }}

// run goes on until the clients are done, and in every other round it is what
// ends them.
func (h *host) run() {
	v, err := h.broker.VirtualHost("/")
	h.try("VirtualHost", err)
	h.vhost = v
	ends := -1
	if h.r.IntN(2) == 0 {
		ends = h.r.IntN(2000)
	}
	for n := 0; ; n++ {
		select {
		case <-h.over:
			h.leave()
			return
		default:
		}
		if n == ends {
			h.end(h.r)
		}
		h.step()
		h.pause(h.r)
	}
}

// leave takes back what the host has made, but for queues and exchanges. Bystanders
// may wait for room, also for the room that the last messages of clients which have
// just hung up take, and nobody else is left to make it.
func (h *host) leave() {
	for gone := false; !gone; {
		h.makeRoom()
		h.pause(h.r)
		select {
		case <-h.alone:
			gone = true
		default:
		}
	}
	for _, handler := range h.handlers {
		h.try("Handler.Close", handler.Close())
	}
	for _, p := range h.vhost.Policies() {
		h.try("PolicyDelete", h.vhost.PolicyDelete(p.Name))
	}
}

func (h *host) try(what string, err error) {
	if !normal(err) {
		h.t.Errorf("%s: %v", what, err)
	}
}

func (h *host) step() {
	r := h.r
	switch r.IntN(12) {
	case 0:
		h.try("PolicySet", h.vhost.PolicySet(policy(r)))
	case 1:
		h.vhost.PolicyDelete(policy(r).Name)
	case 2:
		if len(h.handlers) < 3 {
			handler, err := h.broker.Handle("handled", h.handle, warren.HandleOptions{Concurrency: 1 + r.IntN(4), Requeue: pick(r, requeue)})
			if h.try("Handle", err); err == nil {
				h.handlers = append(h.handlers, handler)
			}
		}
	case 3:
		if len(h.handlers) > 0 {
			h.try("Handler.Close", h.handlers[0].Close())
			h.handlers = h.handlers[1:]
		}
	case 4:
		h.exported.Reset()
		h.try("DefinitionsExport", h.broker.DefinitionsExport(&h.exported))
	case 5: // what has become something else meanwhile cannot be imported
		h.broker.DefinitionsImport(bytes.NewReader(h.exported.Bytes()))
	case 6:
		_, err := h.broker.VirtualHostDeclare("other")
		h.try("VirtualHostDeclare", err)
	case 7:
		h.try("VirtualHostDelete", h.broker.VirtualHostDelete("other"))
	case 8, 9:
		h.look()
	case 10:
		h.makeRoom()
	case 11:
		h.try("PermissionsSet", h.vhost.PermissionsSet(warren.Guest, pick(r, []warren.Permissions{warren.AllPermissions(), warren.AllPermissions(), {Configure: "^q", Write: "", Read: ".*"}})))
	}
}

// look: no count is ever less than nothing.
func (h *host) look() {
	s := h.broker.Stats()
	for _, n := range []int64{int64(s.Sessions), int64(s.Queues), int64(s.Consumers), int64(s.Ready), int64(s.Unacked), int64(s.Delayed), s.Bytes, int64(s.Requesters)} {
		if n < 0 {
			h.t.Errorf("%+v", s)
			return
		}
	}
}

// makeRoom: at the memory limit, publishers wait until somebody takes messages
// away.
func (h *host) makeRoom() {
	if h.limit == 0 {
		return
	}
	ch, err := h.broker.Channel()
	if h.try("Channel", err); err != nil {
		return
	}
	for _, q := range queueNames {
		if q[0] == 's' {
			_, err = ch.QueueDelete(q, warren.QueueDeleteOptions{})
		} else {
			_, err = ch.QueuePurge(q)
		}
		h.try("making room", err)
	}
	h.try("Channel.Close", ch.Close())
}
