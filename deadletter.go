package warren

import (
	"slices"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
)

const (
	// maxLetters is how many letters one message may become, and lettersPerQueue how
	// many more for each queue of the virtual host.
	maxLetters      = 4096
	lettersPerQueue = 4
	// maxDeathsInRow is how many deaths may lead from a message to its last letter.
	maxDeathsInRow = 256
)

// DeadLetter publishes a message that a queue has lost to the exchange of its
// dead-letter rule. It skips queues in which the message would cycle.
//
// That alone would let a message become very many: of n queues that dead-letter to all
// of them, it would go through each order. So the letters of a message are counted,
// until a client rejects one: see maxLetters.
func (h *host) DeadLetter(q *queue.Queue, lost *queue.Lost, l *queue.Letters) bool {
	if h.Over() {
		lost.Lost()
		return false
	}
	(*VirtualHost)(h).deadLetter(q, lost, l)
	return true
}

// WhenDeclared implements queue.Host.
func (h *host) WhenDeclared(f func()) { h.broker.disk.WhenDeclared(f) }

func (v *VirtualHost) deadLetter(q *queue.Queue, lost *queue.Lost, l *queue.Letters) {
	if v.broker.queues.Memory.Exhausted() {
		v.dropLetter(q, lost, "letters are larger than what died, and can be more, but the memory limit is exceeded by an eighth")
		return
	}
	letter := message.DieAgain(lost.Content, lost.Reason)
	if letter.Deaths > maxDeathsInRow || !v.mayBecome(letter.Line, 0) {
		v.dropLetter(q, lost, tooManyLetters)
		return
	}
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
		p.TakeKeysAgain(props.Headers)
	}
	died := message.Death{
		Queue: q.Name(), Reason: lost.Reason, Exchange: *lost.Exchange, Expiration: props.Expiration,
		Keys: append([]any{lost.Key}, message.CarbonKeys(props.Headers)...), Time: time.Now(),
	}
	history := died.Edit(&l.Edit, props.Headers)
	if to.Keyed {
		l.Edit.Remove = append(l.Edit.Remove, "CC")
	}
	p.Exchange = &p.to.Name
	letter.Content = message.Inner(lost.Edited(l.Edit))
	p.Content = letter
	p.HideKeys()
	if c := callOf(letter); c != nil {
		p.Deadline = v.broker.deadlineOf(c.caller)
	}

	w := v.getWalk()
	defer v.putWalk(w)
	v.walk(w, &p)
	queues := withoutVisited(w.Queues(), message.Visited(history))
	if !v.mayBecome(letter.Line, len(queues)) {
		v.dropLetter(q, lost, tooManyLetters)
		return
	}
	v.forward(&p, &lost.Entry, queues, w.Replies(), w.Delays, l)
}

// withoutVisited returns the queues whose names are not among those visited.
func withoutVisited(queues []*route.Queue, visited []string) []*route.Queue {
	const few = 8
	if len(visited) <= few {
		return without(queues, func(q *route.Queue) bool { return slices.Contains(visited, q.Name()) })
	}
	names := make(map[string]struct{}, len(visited))
	for _, name := range visited {
		names[name] = struct{}{}
	}
	return without(queues, func(q *route.Queue) bool {
		_, ok := names[q.Name()]
		return ok
	})
}

// without returns the queues but those for which skip returns true. It does not write
// to the list.
func without(queues []*route.Queue, skip func(*route.Queue) bool) []*route.Queue {
	if !slices.ContainsFunc(queues, skip) {
		return queues
	}
	return slices.DeleteFunc(slices.Clone(queues), skip)
}

// mayBecome reports whether a message may become n letters more, and counts them.
func (v *VirtualHost) mayBecome(l *message.Line, n int) bool {
	sum := l.Add(n)
	if sum < maxLetters {
		return true
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return sum < int64(maxLetters+lettersPerQueue*len(v.queues))
}

// timeBetweenWarnings is the shortest time between two lines in the log about letters
// that are dropped.
const timeBetweenWarnings = time.Minute

const tooManyLetters = "queues dead-letter to each other, and one message became too many without a client that rejects it"

// dropLetter drops a message that may not become a letter, and logs why.
func (v *VirtualHost) dropLetter(q *queue.Queue, lost *queue.Lost, why string) {
	lost.Lost()
	v.lettersDropped.Add(1)
	now := v.broker.queues.Clock.Now()
	last := v.warnedOfLetters.Load()
	if last != 0 && now-last < int64(timeBetweenWarnings) || !v.warnedOfLetters.CompareAndSwap(last, now) {
		return
	}
	v.broker.log.Warn("dead letters are dropped: "+why,
		"vhost", v.name, "queue", q.Name(), "most", maxLetters, "more for each queue", lettersPerQueue, "most deaths in a row", maxDeathsInRow)
}
