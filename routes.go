package warren

import (
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/message"
)

// Routes returns the queues that a message would go to now, sorted by name, without
// sending it: those that [Channel.Publish] would offer it to with this exchange, routing
// key and headers, CC and BCC among them. It leaves no trace, and nothing counts it.
//
// What comes after routing is left out: a queue may refuse the message, or drop it as a
// duplicate. Addresses of direct reply-to are no queues. A [DelayedMessage] exchange that
// would hold the message back gives it to no queue now: without [DelayHeader], Routes
// tells where it goes afterwards. An exchange with [Deduplication] routes the message as
// if it had not come before, and as if it had none of the headers that tell duplicates
// apart.
//
// It fails as Publish does: with 404 if there is no such exchange, with 403 if it is
// internal, and with 406 or another code if the key or the headers are bad.
func (v *VirtualHost) Routes(exchange, key string, headers Table) (queues []string, err error) {
	if err := v.broker.checkOpen(); err != nil {
		return nil, err
	}
	var p publishing
	p.Key = key
	if err := v.prepare(&p, nil, exchange); err != nil {
		return nil, err
	}
	props := message.Properties{Headers: headers}
	checked, err := p.setProperties(&v.broker.queues, &props)
	if err != nil {
		return nil, err
	}
	w := v.getWalk()
	defer v.putWalk(w)
	v.mu.RLock()
	if known := v.identifying(props.Headers); len(known) > 0 {
		props.Headers = maps.Clone(props.Headers) // else exchanges would remember the message
		for _, name := range known {
			delete(props.Headers, name)
		}
	}
	if len(props.Headers) > 0 {
		p.Content = message.NewChecked(&props, checked)
	}
	if !p.to.Gone.Load() {
		w.From(&p.to.Exchange, &p.Publishing)
	}
	v.mu.RUnlock()
	if w.GivenUp() {
		return nil, ErrClosed
	}
	for _, q := range w.Queues() {
		queues = append(queues, q.Name())
	}
	slices.Sort(queues)
	return queues, nil
}

// identifying returns those of the headers by which an exchange tells duplicates apart.
// mu is held.
func (v *VirtualHost) identifying(headers Table) (names []string) {
	if len(headers) == 0 {
		return nil
	}
	for _, x := range v.exchanges {
		if x.Gate == nil || x.Gate.Seen == nil {
			continue
		}
		if name := x.Gate.Seen.Header; headers[name] != nil {
			names = append(names, name)
		}
	}
	return names
}
