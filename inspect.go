package warren

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// The methods that show a broker return copies of what exists, sorted by name. None
// holds a lock over everything: objects are copied one after another, so the counts of
// a busy broker are not of the same instant, and an object that goes away meanwhile is
// shown as it was or not at all.

// VirtualHosts returns the virtual hosts, sorted by name.
func (b *Broker) VirtualHosts() []*VirtualHost {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.vhosts), func(x, y *VirtualHost) int { return cmp.Compare(x.name, y.name) })
}

// Started returns when the broker was made.
func (b *Broker) Started() time.Time { return b.started }

// Watch makes the broker count what passes its exchanges and channels, and time its
// handlers, until stop is called: see [ExchangeCounts], [ChannelCounts] and
// [HandlerInfo]. Queues and consumers count always. Without a watcher these counts stay
// as they are, because they cost some nanoseconds for each message.
func (b *Broker) Watch() (stop func()) {
	return b.watchers.add()
}
