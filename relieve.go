package warren

import (
	"sync/atomic"
	"time"
)

// relief makes room in memory while publishers wait for it.
type relief struct{ busy atomic.Bool }

const (
	firstRelief   = 20 * time.Millisecond
	pauseOfRelief = time.Second
)

// relieve begins to put messages on disk, so that they can leave memory, unless that is
// being done. It goes on until no publisher waits.
func (m *messages) relieve() {
	b := m.broker
	if b.queues.Memory.Waiting() == 0 || !m.relief.busy.CompareAndSwap(false, true) {
		return
	}
	if b.tasks.Add(); b.state.Load() == stateClosed {
		m.relief.busy.Store(false)
		b.tasks.Done()
		return
	}
	go func() {
		defer b.tasks.Done()
		for pause := firstRelief; b.queues.Memory.Waiting() > 0; pause = min(2*pause, pauseOfRelief) {
			for _, q := range b.allQueues() {
				q.Spill()
			}
			m.store.PageOut()
			select {
			case <-time.After(pause):
			case <-b.handlersCtx.Done():
				return
			}
		}
		m.relief.busy.Store(false)
		m.relieve() // somebody may have begun to wait
	}()
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
