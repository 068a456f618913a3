package management

import (
	"context"
	"net/http"

	"github.com/warrenmq/warren"
)

// defaultExchange is the name of the default exchange in paths.
const defaultExchange = "amq.default"

func exchangeRoutes() []route {
	return []route{
		{path: "exchanges", access: everyUser, get: (*call).listExchanges},
		{path: "exchanges/{vhost}", access: everyUser, get: (*call).listExchanges},
		{path: "exchanges/{vhost}/{name}", access: everyUser, get: (*call).getExchange, put: (*call).putExchange, delete: (*call).deleteExchange},
		{path: "exchanges/{vhost}/{name}/bindings/source", access: everyUser, get: (*call).listBindingsOfSource},
		{path: "exchanges/{vhost}/{name}/bindings/destination", access: everyUser, get: (*call).listBindingsToExchange},
		{path: "exchanges/{vhost}/{name}/publish", access: everyUser, post: (*call).publish},
	}
}

func exchangeName(inPath string) string {
	if inPath == defaultExchange {
		return ""
	}
	return inPath
}

func (c *call) listExchanges() error {
	items, err := collect(c, (*warren.VirtualHost).Exchanges)
	if err != nil {
		return err
	}
	l := c.sampler.look()
	return writeList(c, list[warren.ExchangeInfo]{
		items: items,
		name:  func(x *warren.ExchangeInfo) string { return x.Name },
		write: func(f *fields, x *warren.ExchangeInfo) { c.writeExchange(f, x, l) },
	})
}

// exchange returns the exchange that the path names.
func (c *call) exchange() (*warren.VirtualHost, warren.ExchangeInfo, error) {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return nil, warren.ExchangeInfo{}, err
	}
	x, err := v.Exchange(exchangeName(c.names[1]))
	if err != nil {
		return nil, x, errNotFound
	}
	return v, x, nil
}

func (c *call) getExchange() error {
	v, x, err := c.exchange()
	if err != nil {
		return err
	}
	h := c.Handler
	l, err := c.lookAt(historyKey{"exchange", v.Name(), x.Name}, func(f *fields) bool {
		now, err := v.Exchange(x.Name)
		if err == nil {
			h.writeExchange(f, &now, new(look))
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	return c.object(func(f *fields) {
		c.writeExchange(f, &x, l)
		for _, name := range [...]string{"incoming", "outgoing"} { // RabbitMQ counts by channel and by queue here
			if f.beginList(name) {
				f.endList()
			}
		}
	})
}

func (h *Handler) writeExchange(f *fields, x *warren.ExchangeInfo, l *look) {
	f.str("name", x.Name)
	f.str("vhost", x.VirtualHost)
	f.str("type", string(x.Type))
	f.bool("durable", x.Durable)
	f.bool("auto_delete", x.AutoDelete)
	f.bool("internal", x.Internal)
	f.table("arguments", x.Arguments)
	f.strOrNull("policy", x.Policy.Policy)
	f.str("user_who_performed_action", "")
	f.int("bindings", x.Bindings)
	f.int("messages_delayed", x.Delayed)
	if x.ExchangeCounts == (warren.ExchangeCounts{}) && f.collect == nil || !f.begin("message_stats") {
		return
	}
	was := l.exchange(x.VirtualHost, x.Name)
	f.counter("publish_in", x.In, was.In, l)
	f.counter("publish_out", x.Out, was.Out, l)
	f.end()
}

func (c *call) putExchange() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	var o warren.ExchangeOptions
	for name, to := range map[string]*bool{"durable": &o.Durable, "auto_delete": &o.AutoDelete, "internal": &o.Internal} {
		if *to, err = boolean(body, name, false); err != nil {
			return err
		}
	}
	if o.Args, err = arguments(body); err != nil {
		return err
	}
	kind := string(warren.Direct)
	if body["type"] != nil {
		if kind, err = text(body, "type"); err != nil {
			return err
		}
	}
	isNew := false
	err = c.channel(c.names[0], func(_ context.Context, v *warren.VirtualHost, ch *warren.Channel) error {
		name := exchangeName(c.names[1])
		_, missing := v.Exchange(name)
		isNew = missing != nil
		return ch.ExchangeDeclare(name, warren.ExchangeType(kind), o)
	})
	if err != nil {
		return err
	}
	return c.made(isNew)
}

func (c *call) deleteExchange() error {
	if _, _, err := c.exchange(); err != nil {
		return err
	}
	o := warren.ExchangeDeleteOptions{IfUnused: c.query.Get("if-unused") == "true"}
	err := c.channel(c.names[0], func(_ context.Context, _ *warren.VirtualHost, ch *warren.Channel) error {
		return ch.ExchangeDelete(exchangeName(c.names[1]), o)
	})
	if err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}

// lookAt is look for a single object. If samples are asked for, the object gets a
// history, which the function describes from then on.
func (c *call) lookAt(key historyKey, describe func(*fields) bool) (*look, error) {
	l := c.sampler.look()
	found, err := l.parseSpans(c.query)
	if err != nil {
		return nil, err
	}
	if found {
		c.sampler.open(l, key, describe)
	}
	return l, nil
}
