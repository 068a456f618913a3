package warren

import (
	"slices"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
)

// DeadLetter publishes a message that a queue has lost to the exchange of its
// dead-letter rule. It skips queues in which the message would cycle.
func (h *host) DeadLetter(q *queue.Queue, lost *queue.Lost) {
	v := (*VirtualHost)(h)
	to := lost.To
	p := publishing{to: v.exchange(to.Exchange)}
	if p.to == nil {
		lost.Lost()
		return
	}
	props := lost.Properties()
	p.Entry = lost.Entry
	if to.Keyed {
		p.Key = to.RoutingKey
	} else {
		p.TakeKeys(props.Headers) // the keys were checked by the publish
		if b, ok := lost.Content.(*message.Blind); ok {
			p.Extra, p.Hidden = append(p.Extra, b.Keys...), b.Keys
		}
	}
	died := message.Death{
		Queue: q.Name(), Reason: lost.Reason, Exchange: *lost.Exchange, Expiration: props.Expiration,
		Keys: append([]any{lost.Key}, message.CarbonKeys(props.Headers)...), Time: time.Now(),
	}
	edit, history := died.Edit(props.Headers)
	if to.Keyed {
		edit.Remove = append(edit.Remove, "CC")
	}
	p.Exchange = &p.to.Name
	p.Content = lost.Edited(edit)
	p.HideKeys()
	if c, ok := p.Content.(*call); ok {
		p.Deadline = v.broker.deadlineOf(c.ctx.caller)
	}

	w := v.getWalk()
	defer v.putWalk(w)
	v.walk(w, &p)
	queues := slices.DeleteFunc(slices.Clone(w.Queues()), func(q *route.Queue) bool { return message.Cycles(history, q.Name()) })
	v.forward(&p, &lost.Entry, queues, w.Replies(), w.Delays)
}
