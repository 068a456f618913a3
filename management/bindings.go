package management

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/warrenmq/warren"
)

func bindingRoutes() []route {
	return []route{
		{path: "bindings", access: everyUser, get: (*call).listBindings},
		{path: "bindings/{vhost}", access: everyUser, get: (*call).listBindings},
		{path: "bindings/{vhost}/e/{source}/q/{destination}", access: everyUser, get: (*call).listBindingsToQueueFrom, post: (*call).bindQueue},
		{path: "bindings/{vhost}/e/{source}/e/{destination}", access: everyUser, get: (*call).listBindingsToExchangeFrom, post: (*call).bindExchange},
		{path: "bindings/{vhost}/e/{source}/q/{destination}/{props}", access: everyUser, get: (*call).getQueueBinding, delete: (*call).unbindQueue},
		{path: "bindings/{vhost}/e/{source}/e/{destination}/{props}", access: everyUser, get: (*call).getExchangeBinding, delete: (*call).unbindExchange},
		{path: "queues/{vhost}/{name}/bindings", access: everyUser, get: (*call).listBindingsOfQueue},
	}
}

// bindings returns the bindings of a virtual host. RabbitMQ shows that each queue is bound
// to the default exchange, too.
func bindings(v *warren.VirtualHost) []warren.BindingInfo {
	queues, bound := v.Queues(), v.Bindings()
	all := make([]warren.BindingInfo, 0, len(queues)+len(bound))
	for i := range queues {
		all = append(all, defaultBinding(v.Name(), queues[i].Name))
	}
	return append(all, bound...)
}

func defaultBinding(vhost, queue string) warren.BindingInfo {
	return warren.BindingInfo{VirtualHost: vhost, Destination: queue, ToQueue: true, RoutingKey: queue}
}

func (c *call) listBindings() error {
	items, err := collect(c, bindings)
	if err != nil {
		return err
	}
	return c.writeBindings(items)
}

func (c *call) writeBindings(items []warren.BindingInfo) error {
	return writeList(c, list[warren.BindingInfo]{
		items: items,
		name:  func(b *warren.BindingInfo) string { return b.Source + " " + b.Destination + " " + b.RoutingKey },
		write: writeBinding,
	})
}

// bindingsOf returns the bindings of a virtual host for which f returns true. If they all
// have one queue as their destination, it is named, so that no others are looked at.
func bindingsOf(v *warren.VirtualHost, queue string, f func(*warren.BindingInfo) bool) []warren.BindingInfo {
	var all []warren.BindingInfo
	if queue == "" {
		all = bindings(v)
	} else {
		if _, err := v.Queue(queue); err == nil {
			all = append(all, defaultBinding(v.Name(), queue))
		}
		all = append(all, v.Bindings()...)
	}
	return slices.DeleteFunc(all, func(b warren.BindingInfo) bool { return !f(&b) })
}

// writeSome answers with bindings of the path's virtual host, see bindingsOf.
func (c *call) writeSome(queue string, f func(*warren.BindingInfo) bool) error {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return err
	}
	return c.writeBindings(bindingsOf(v, queue, f))
}

func (c *call) listBindingsOfSource() error {
	source := exchangeName(c.names[1])
	return c.writeSome("", func(b *warren.BindingInfo) bool { return b.Source == source })
}

func (c *call) listBindingsToExchange() error {
	name := exchangeName(c.names[1])
	return c.writeSome("", func(b *warren.BindingInfo) bool { return !b.ToQueue && b.Destination == name })
}

func (c *call) listBindingsOfQueue() error {
	if _, _, err := c.queue(); err != nil {
		return err
	}
	return c.writeSome(c.names[1], func(b *warren.BindingInfo) bool { return b.ToQueue && b.Destination == c.names[1] })
}

// between reports whether a binding is from the path's source to its destination.
func (c *call) between(b *warren.BindingInfo, toQueue bool) bool {
	return b.ToQueue == toQueue && b.Source == exchangeName(c.names[1]) && b.Destination == c.names[2]
}

func (c *call) listBindingsToQueueFrom() error {
	return c.writeSome(c.names[2], func(b *warren.BindingInfo) bool { return c.between(b, true) })
}

func (c *call) listBindingsToExchangeFrom() error {
	return c.writeSome("", func(b *warren.BindingInfo) bool { return c.between(b, false) })
}

// propertiesKey returns what tells a binding from others with the same ends. It is
// RabbitMQ's: the routing key, escaped as in a query, and "~" with a hash of the
// arguments. Without both it is "~".
func propertiesKey(b *warren.BindingInfo) string {
	key := strings.ReplaceAll(url.QueryEscape(b.RoutingKey), "~", "%7E")
	if len(b.Arguments) > 0 {
		return key + b.Key[strings.LastIndexByte(b.Key, '~'):]
	}
	if key == "" {
		return "~"
	}
	return key
}

// hasKey reports whether a binding has a properties key. One without arguments may also be
// named by its routing key as it is, because some clients escape that once less.
func hasKey(b *warren.BindingInfo, key string) bool {
	if strings.Contains(key, "~") {
		return propertiesKey(b) == key
	}
	plain, err := url.QueryUnescape(key)
	return len(b.Arguments) == 0 && (err == nil && plain == b.RoutingKey || key == b.RoutingKey)
}

func writeBinding(f *fields, b *warren.BindingInfo) {
	kind := "exchange"
	if b.ToQueue {
		kind = "queue"
	}
	f.str("source", b.Source)
	f.str("vhost", b.VirtualHost)
	f.str("destination", b.Destination)
	f.str("destination_type", kind)
	f.str("routing_key", b.RoutingKey)
	f.table("arguments", b.Arguments)
	f.str("properties_key", propertiesKey(b))
}

// binding returns the binding that the path names.
func (c *call) binding(toQueue bool) (warren.BindingInfo, error) {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return warren.BindingInfo{}, err
	}
	queue := ""
	if toQueue {
		queue = c.names[2]
	}
	found := bindingsOf(v, queue, func(b *warren.BindingInfo) bool { return c.between(b, toQueue) && hasKey(b, c.names[3]) })
	if len(found) == 0 {
		return warren.BindingInfo{}, errNotFound
	}
	return found[0], nil
}

func (c *call) getQueueBinding() error    { return c.getBinding(true) }
func (c *call) getExchangeBinding() error { return c.getBinding(false) }

func (c *call) getBinding(toQueue bool) error {
	b, err := c.binding(toQueue)
	if err != nil {
		return err
	}
	return writeObject(c, &b, writeBinding)
}

func (c *call) bindQueue() error    { return c.bind(true) }
func (c *call) bindExchange() error { return c.bind(false) }

func (c *call) bind(toQueue bool) error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	args, err := arguments(body)
	if err != nil {
		return err
	}
	key := ""
	if body["routing_key"] != nil {
		if key, err = text(body, "routing_key"); err != nil {
			return err
		}
	}
	source, destination := withoutBreaks(exchangeName(c.names[1])), withoutBreaks(c.names[2])
	var made *warren.BindingInfo
	err = c.channel(c.names[0], func(_ context.Context, v *warren.VirtualHost, ch *warren.Channel) error {
		bind := ch.ExchangeBind
		if toQueue {
			bind = ch.QueueBind
		}
		if err := bind(destination, key, source, args); err != nil {
			return err
		}
		made = findBinding(v, source, destination, toQueue, key, args)
		return nil
	})
	if err != nil {
		return err
	}
	if made != nil {
		c.w.Header().Set("Location", pathOf(destination)+"/"+pathOf(propertiesKey(made)))
	}
	return c.status(http.StatusCreated)
}

// withoutBreaks takes line breaks out of a name, as the declaration of what it names did.
func withoutBreaks(name string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(name) }

// pathOf escapes a name for a path, and also "+", which some clients take for a space.
func pathOf(name string) string { return strings.ReplaceAll(url.PathEscape(name), "+", "%2B") }

// findBinding finds a binding that has just been made, to tell its properties key. It is
// nil if the binding has gone already.
func findBinding(v *warren.VirtualHost, source, destination string, toQueue bool, key string, args warren.Table) *warren.BindingInfo {
	want := string(appendJSON(nil, args))
	if len(args) == 0 {
		return &warren.BindingInfo{Source: source, Destination: destination, ToQueue: toQueue, RoutingKey: key}
	}
	for _, b := range v.Bindings() {
		if b.Source == source && b.Destination == destination && b.ToQueue == toQueue && b.RoutingKey == key && string(appendJSON(nil, b.Arguments)) == want {
			return &b
		}
	}
	return nil
}

func (c *call) unbindQueue() error    { return c.unbind(true) }
func (c *call) unbindExchange() error { return c.unbind(false) }

func (c *call) unbind(toQueue bool) error {
	b, err := c.binding(toQueue)
	if err != nil {
		return err
	}
	err = c.channel(c.names[0], func(_ context.Context, _ *warren.VirtualHost, ch *warren.Channel) error {
		unbind := ch.ExchangeUnbind
		if toQueue {
			unbind = ch.QueueUnbind
		}
		return unbind(b.Destination, b.RoutingKey, b.Source, b.Arguments)
	})
	if err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}
