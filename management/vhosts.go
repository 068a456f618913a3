package management

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/warrenmq/warren"
)

func vhostRoutes() []route {
	return []route{
		{path: "vhosts", access: everyUser, get: (*call).listVHosts},
		{path: "vhosts/{vhost}", access: administrators, get: (*call).getVHost, put: (*call).putVHost, delete: (*call).deleteVHost},
		{path: "vhosts/{vhost}/start/{node}", access: administrators, post: (*call).startVHost},
	}
}

func (c *call) listVHosts() error {
	l := c.sampler.look()
	return writeList(c, list[*warren.VirtualHost]{
		items: c.named(),
		name:  func(v **warren.VirtualHost) string { return (*v).Name() },
		write: func(f *fields, v **warren.VirtualHost) { c.writeVHost(f, *v, l) },
	})
}

func (c *call) getVHost() error {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return err
	}
	h := c.Handler
	l, err := c.lookAt(historyKey{"vhost", v.Name(), ""}, func(f *fields) bool {
		if now, err := h.broker.VirtualHost(v.Name()); err != nil || now != v {
			return false
		}
		h.writeVHost(f, v, new(look))
		return true
	})
	if err != nil {
		return err
	}
	return c.object(func(f *fields) { c.writeVHost(f, v, l) })
}

func (h *Handler) writeVHost(f *fields, v *warren.VirtualHost, l *look) {
	n := h.notes.vhost(v)
	f.str("name", v.Name())
	f.str("description", n.description)
	f.strings("tags", n.tags)
	f.str("default_queue_type", cmp.Or(n.defaultQueueType, "undefined"))
	f.bool("tracing", n.tracing)
	f.bool("protected_from_deletion", false)
	if f.begin("metadata") {
		f.str("description", n.description)
		f.strings("tags", n.tags)
		f.end()
	}
	if f.begin("cluster_state") {
		f.str(h.node, "running")
		f.end()
	}
	s, was := v.Stats(), &l.vhost(v.Name()).stats
	f.gauge("messages", s.Ready+s.Unacked, was.Ready+was.Unacked, l)
	f.gauge("messages_ready", s.Ready, was.Ready, l)
	f.gauge("messages_unacknowledged", s.Unacked, was.Unacked, l)
	f.int("queues", s.Queues)
	if s.QueueCounts == (warren.QueueCounts{}) && f.collect == nil || !f.begin("message_stats") {
		return
	}
	writeQueueCounts(f, &s.QueueCounts, &was.QueueCounts, l)
	f.counter("confirm", s.Confirmed, was.Confirmed, l)
	f.counter("return_unroutable", s.Returned, was.Returned, l)
	f.counter("drop_unroutable", s.Unroutable, was.Unroutable, l)
	f.end()
}

func (c *call) putVHost() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	note := vhostNote{}
	note.description, _ = body["description"].(string)
	note.defaultQueueType, _ = body["default_queue_type"].(string)
	if len(note.description) > 4096 || len(note.defaultQueueType) > 255 {
		return badRequest("the description is too long")
	}
	if note.tracing, err = boolean(body, "tracing", false); err != nil {
		return err
	}
	if body["tags"] != nil {
		if note.tags, err = tagsOf(body); err != nil {
			return err
		}
	}
	_, missing := c.broker.VirtualHost(c.names[0])
	v, err := c.broker.VirtualHostDeclare(c.names[0])
	if err != nil {
		return err
	}
	// Who makes a virtual host may use it, as in RabbitMQ.
	if missing != nil && !c.user.everywhere {
		if err := v.PermissionsSet(c.user.Name, warren.AllPermissions()); err != nil && !errors.Is(err, warren.ErrNotFound) {
			return err
		}
	}
	c.notes.setVHost(c.broker, v, note)
	return c.made(missing != nil)
}

func (c *call) deleteVHost() error {
	v, err := c.anyVHost(c.names[0])
	if err != nil {
		return errNotFound
	}
	err = c.broker.VirtualHostDelete(v.Name())
	if errors.Is(err, warren.ErrAccessRefused) { // a missing tag or permission is not the reason
		return badRequest("%s", textOf(err))
	}
	if err != nil {
		return err
	}
	c.notes.forget(c.broker)
	return c.status(http.StatusNoContent)
}

// startVHost has nothing to do: virtual hosts do not stop by themselves.
func (c *call) startVHost() error {
	if _, err := c.anyVHost(c.names[0]); err != nil {
		return errNotFound
	}
	return c.status(http.StatusNoContent)
}
