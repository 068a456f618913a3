package intercept

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/warrenmq/warren"
)

// IdempotentOptions say how [Idempotent] keeps answers.
type IdempotentOptions struct {
	// For is how long an answer is kept. Zero or less: 10 minutes.
	For time.Duration
	// Size is how many answers are kept in memory. One more drops the oldest. Zero or
	// less: 10,000.
	Size int
	// Bytes is how much the kept answers may hold in memory: bodies, properties and
	// about 300 bytes for each. More drops the oldest, but never the newest. Zero or
	// less: 64 MiB.
	Bytes int64
	// Store keeps the answers instead of memory, for example in the database that the
	// handler works with. Size and Bytes are not used then.
	Store Store
	// Unsaved is called with the error of Store.Save. The answer goes to its requester
	// all the same, but a later repeat will be served again. Nil: nobody is told.
	Unsaved func(ctx context.Context, key Key, err error)
}

// Store keeps answers of handlers. It is called by many goroutines at once.
type Store interface {
	// Load returns the answer that is kept for a key, and whether there is one. If it
	// fails, the request fails with its error, and is not served.
	Load(ctx context.Context, key Key) (Answer, bool, error)
	// Save keeps an answer for a time. Its context has the values of the request's, but
	// does not end with it.
	Save(ctx context.Context, key Key, a Answer, keep time.Duration) error
}

// Key is what answers are kept by.
type Key struct {
	VirtualHost string
	Queue       string // that the handler serves
	User        string // the request's UserId, which no client can set to another name than its own
	MessageId   string
}

// String returns the key as a text that no other key has.
func (k Key) String() string {
	return strconv.Quote(k.VirtualHost) + " " + strconv.Quote(k.Queue) + " " + strconv.Quote(k.User) + " " + strconv.Quote(k.MessageId)
}

// Answer is what a handler has answered: a reply, or a failure.
type Answer struct {
	Reply   warren.Message
	Failure *warren.RemoteError // nil: there is a reply
}

// Idempotent serves requests with the same MessageId once: a repeat gets the answer of
// the first. A repeat that comes while the first is being served waits for it. A failure is
// an answer, too, but not
//
//   - one after which a repeat is safe, see [warren.Repeatable],
//   - [warren.CodeTimeout], [warren.CodeCancelled], any failure after the context has
//     ended, and a panic: the work was not finished, and the next repeat is served,
//   - [warren.ErrNoReply], because somebody else answers.
//
// Who has the message id of a request, and the same UserId or none, gets its answer: ids
// should be random, as those of Retry are. Requests without MessageId, and those of streams, are served as always. [Retry] and
// durable calls set it. Each queue has answers of its own, which its handlers share if
// they use the same interceptors.
//
// It is idempotency as far as answers go: if the program ends between a handler's work and
// the moment when its answer is kept, a repeat is served once more.
func Idempotent(o IdempotentOptions) warren.Interceptors {
	if o.For <= 0 {
		o.For = 10 * time.Minute
	}
	if o.Store == nil {
		o.Store = newMemory(o.Size, o.Bytes)
	}
	s := &served{o: o, running: make(map[Key]*run)}
	return handlers(func(next warren.HandlerFunc) warren.HandlerFunc {
		return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			if req.MessageId == "" || req.Headers[warren.StreamHeader] != nil {
				return next(ctx, req)
			}
			key := Key{User: req.UserId, MessageId: req.MessageId}
			if h := warren.HandlerFrom(ctx); h != nil {
				key.VirtualHost, key.Queue = h.VirtualHost().Name(), h.Queue()
			}
			return s.serve(ctx, key, req, next)
		}
	})
}

// served is what Idempotent knows.
type served struct {
	o IdempotentOptions

	mu sync.Mutex
	// Guarded by mu.
	running map[Key]*run
}

// run is the work on the first of some equal requests.
type run struct {
	done chan struct{} // closed when it has ended

	// Written before done is closed.
	answer   Answer
	answered bool // the answer is for repeats, too
}

// serve answers a request from what is kept, or waits for the first, or is the first.
func (s *served) serve(ctx context.Context, key Key, req *warren.Request, next warren.HandlerFunc) (warren.Message, error) {
	for {
		r, first := s.begin(key)
		if first {
			defer s.end(key, r)
			return s.serveFirst(ctx, key, req, next, r)
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return warren.Message{}, ctx.Err()
		}
		if r.answered {
			return r.answer.repeated()
		}
	}
}

// begin returns the run for a key. It is new if there was none.
func (s *served) begin(key Key) (r *run, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.running[key]; r != nil {
		return r, false
	}
	r = &run{done: make(chan struct{})}
	s.running[key] = r
	return r, true
}

// end lets those go on who wait for a run. It is called also if the handler has panicked.
func (s *served) end(key Key, r *run) {
	s.mu.Lock()
	delete(s.running, key)
	s.mu.Unlock()
	close(r.done)
}

// serveFirst answers a request that nobody else works on.
func (s *served) serveFirst(ctx context.Context, key Key, req *warren.Request, next warren.HandlerFunc, r *run) (warren.Message, error) {
	var err error
	if r.answer, r.answered, err = s.o.Store.Load(ctx, key); err != nil {
		r.answered = false
		return warren.Message{}, fmt.Errorf("whether the request with message id %q was served before is not known: %w", key.MessageId, err)
	}
	if r.answered {
		return r.answer.repeated()
	}
	reply, err := next(ctx, req)
	if err != nil && !isFinal(ctx, err) {
		return reply, err
	}
	r.answer = Answer{Reply: reply, Failure: warren.RemoteErrorOf(err)}
	if err != nil {
		r.answer.Reply = warren.Message{}
	} else { // what belongs to this request alone is not for repeats
		if reply.CorrelationId == req.CorrelationId {
			r.answer.Reply.CorrelationId = ""
		}
		if reply.ReplyTo == req.ReplyTo {
			r.answer.Reply.ReplyTo = ""
		}
	}
	r.answered = true
	ctx = context.WithoutCancel(ctx)
	if failed := s.o.Store.Save(ctx, key, r.answer, s.o.For); failed != nil && s.o.Unsaved != nil {
		s.o.Unsaved(ctx, key, failed)
	}
	return reply, err
}

// isFinal reports whether a failure is the answer to repeats as well.
func isFinal(ctx context.Context, err error) bool {
	if errors.Is(err, warren.ErrNoReply) || ctx.Err() != nil {
		return false
	}
	r := warren.RemoteErrorOf(err)
	return r.Code != warren.CodeTimeout && r.Code != warren.CodeCancelled && !warren.Repeatable(r)
}

// repeated returns the answer as a handler does.
func (a Answer) repeated() (warren.Message, error) {
	if a.Failure != nil {
		return warren.Message{}, a.Failure
	}
	return a.Reply, nil
}
