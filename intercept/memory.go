package intercept

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/warrenmq/warren"
)

// memory is a Store in memory. All answers are kept for the same time, so that the oldest
// is the first that ends. Those whose time is over are removed when it is used next.
type memory struct {
	most      int
	mostBytes int64

	mu sync.Mutex
	// Guarded by mu.
	kept  map[Key]*list.Element // of order
	order *list.List            // of *keptAnswer, the oldest first
	bytes int64
}

type keptAnswer struct {
	key    Key
	answer Answer
	until  time.Time
	bytes  int64
}

func newMemory(most int, mostBytes int64) *memory {
	if most <= 0 {
		most = 10_000
	}
	if mostBytes <= 0 {
		mostBytes = 64 << 20
	}
	return &memory{most: most, mostBytes: mostBytes, kept: make(map[Key]*list.Element), order: list.New()}
}

// Load returns an answer whose time is not over.
func (m *memory) Load(_ context.Context, key Key) (Answer, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropExpired()
	e := m.kept[key]
	if e == nil {
		return Answer{}, false, nil
	}
	return e.Value.(*keptAnswer).answer, true, nil
}

// Save keeps an answer, and drops the oldest ones if there are too many.
func (m *memory) Save(_ context.Context, key Key, a Answer, keep time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropExpired()
	if e := m.kept[key]; e != nil {
		m.drop(e)
	}
	k := &keptAnswer{key: key, answer: a, until: time.Now().Add(keep), bytes: a.size() + int64(len(key.User)+len(key.MessageId))}
	m.kept[key] = m.order.PushBack(k)
	m.bytes += k.bytes
	for m.order.Len() > 1 && (m.order.Len() > m.most || m.bytes > m.mostBytes) {
		m.drop(m.order.Front())
	}
	return nil
}

// dropExpired drops what has been kept for its time. mu is held.
func (m *memory) dropExpired() {
	for e := m.order.Front(); e != nil && !time.Now().Before(e.Value.(*keptAnswer).until); e = m.order.Front() {
		m.drop(e)
	}
}

// drop drops one answer. mu is held.
func (m *memory) drop(e *list.Element) {
	k := m.order.Remove(e).(*keptAnswer)
	delete(m.kept, k.key)
	m.bytes -= k.bytes
}

// answerSize is what an answer takes beside its strings, bytes and headers.
const answerSize = 300

// deepest is a depth of tables that no message can have.
const deepest = 200

// size is about how many bytes the answer takes.
func (a *Answer) size() int64 {
	r := &a.Reply
	n := answerSize + len(r.Body) + len(r.ContentType) + len(r.ContentEncoding) + len(r.CorrelationId) + len(r.ReplyTo) +
		len(r.Expiration) + len(r.MessageId) + len(r.Type) + len(r.UserId) + len(r.AppId)
	if a.Failure != nil {
		n += len(a.Failure.Code) + len(a.Failure.Text)
	}
	return int64(n) + sizeOf(r.Headers, 0)
}

// sizeOf is about how many bytes a value of a table takes. What lies deeper than the broker
// would send is not counted.
func sizeOf(v any, depth int) (n int64) {
	const one = 32 // a value that is no more than itself
	if depth > deepest {
		return one
	}
	switch v := v.(type) {
	case warren.Table:
		for name, value := range v {
			n += one + int64(len(name)) + sizeOf(value, depth+1)
		}
	case []any:
		for _, value := range v {
			n += sizeOf(value, depth+1)
		}
	case string:
		n = int64(len(v))
	case []byte:
		n = int64(len(v))
	}
	return n + one
}
