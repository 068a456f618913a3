package warren

import (
	"sync/atomic"
	"time"
)

// relief makes room in memory when publishers wait for it, or are refused, or when there is
// none for what is to be loaded.
type relief struct{ busy atomic.Bool }

const (
	firstRelief   = 10 * time.Millisecond
	pauseOfRelief = time.Second
)

// relieve begins to put messages on disk, so that they can leave memory, unless that is
// being done.
func (m *messages) relieve() {
	b := m.broker
	if full := b.queues.Memory.IsFull(); !full && !b.queues.Memory.Pressed() || !m.relief.busy.CompareAndSwap(false, true) {
		return
	}
	if b.tasks.Add(); b.state.Load() == stateClosed {
		m.relief.busy.Store(false)
		b.tasks.Done()
		return
	}
	go func() {
		defer b.tasks.Done()
		b.queues.Relief.On.Store(true)
		ended := m.makeRoom()
		b.queues.Relief.On.Store(false)
		m.relief.busy.Store(false)
		if ended {
			b.queues.Memory.EndAlarm()
			if b.queues.Memory.Pressed() { // somebody has begun to wait
				m.relieve()
			}
		}
	}()
}

// makeRoom puts messages on disk while publishers wait, and until half of the memory is
// free, so that they do not wait again soon, or little more can leave. It reports false if
// the broker ends before.
func (m *messages) makeRoom() bool {
	b := m.broker
	memory, freed := &b.queues.Memory, &b.queues.Relief.Freed
	for pause := firstRelief; ; {
		before := freed.Load()
		for _, q := range b.allQueues() {
			q.PageOut()
		}
		m.store.PageOut()
		select {
		case <-time.After(pause):
		case <-b.handlersCtx.Done():
			return false
		}
		little := freed.Load()-before < memory.Limit()/64
		if !memory.Pressed() && (little || memory.IsHalfFree()) {
			return true
		}
		if little {
			pause = min(2*pause, pauseOfRelief)
		} else {
			pause = firstRelief
		}
	}
}

// allQueues returns the queues of all virtual hosts.
func (b *Broker) allQueues() (list []*declaredQueue) {
	b.mu.Lock()
	vhosts := make([]*VirtualHost, 0, len(b.vhosts))
	for _, v := range b.vhosts {
		vhosts = append(vhosts, v)
	}
	b.mu.Unlock()
	for _, v := range vhosts {
		v.mu.RLock()
		for _, q := range v.queues {
			list = append(list, q)
		}
		v.mu.RUnlock()
	}
	return list
}
