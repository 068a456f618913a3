// Package remotechaos_test lets programs call each other and work on jobs by a broker that
// is killed and started again all the time. Every call must end and say truly whether it
// may have been served, every job that was confirmed must be done, and handlers must be
// back after each kill.
//
//	go test ./tests/remotechaos                           # 5 kills
//	go test ./tests/remotechaos -remotechaos.kills=1000    # a long run
//	bash interop/remote/chaos 50                           # nodes of a RabbitMQ cluster
package remotechaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

var kills = flag.Int("remotechaos.kills", 5, "how often the broker is killed")

const callerCount = 4

// broker is what is killed.
type broker interface {
	kill()
	start()
	urls() []string
	options() remote.Options                        // to connect with
	patience() time.Duration                        // for what has no deadline
	context() (context.Context, context.CancelFunc) // of a call
	mayEnd(error) string                            // what it is called when a call ends with this error; empty: it must not
}

// round has the two programs, and what they have done.
type round struct {
	broker
	t              *testing.T
	client, server *remote.Broker
	over           context.Context // ends when nothing new is begun

	mu sync.Mutex
	// Guarded by mu.
	served    map[string]int  // calls and jobs, by their body
	unsent    map[string]bool // calls of which nobody can have got the request
	confirmed []string        // jobs
	ends      map[string]int  // how calls have ended
	waiting   map[string]bool // calls that have not ended

	answered atomic.Int64
}

func TestCallsAndJobsHoldWhenTheBrokerIsKilled(t *testing.T) {
	b := beginBroker(t)
	brokertest.Watch(t, time.Duration(2+*kills)*b.patience(), "")
	r := &round{broker: b, t: t, served: map[string]int{}, unsent: map[string]bool{}, ends: map[string]int{}, waiting: map[string]bool{}}
	r.server, r.client = r.connect(), r.connect()
	r.handle()
	over, end := context.WithCancel(t.Context())
	r.over = over
	var working sync.WaitGroup
	for i := range callerCount {
		working.Go(func() { r.call(i) })
	}
	working.Go(r.stream)
	working.Go(r.enqueue)
	working.Go(r.publish)
	here := brokertest.New(t, nil)
	link := r.link(here)
	working.Go(func() { r.move(here) })
	for range *kills {
		r.awaitAnswers()
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		r.kill()
		r.start()
	}
	r.awaitAnswers()
	end()
	done := make(chan struct{})
	go func() { working.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(r.patience()):
		r.hang("a call does not end")
	}
	r.awaitJobs()
	r.check()
	for _, s := range link.Stats() {
		t.Logf("%s %s: %d passed, %d perhaps twice", s.Kind, s.Queue, s.Passed, s.Redelivered)
		require.Zero(t, s.Looped+s.Refused)
	}
	require.NoError(t, link.Shutdown(t.Context()))
	require.NoError(t, r.client.Close())
	require.NoError(t, r.server.Shutdown(t.Context()))
	require.NoError(t, here.Close())
	brokertest.NoGoroutines(t)
}

func (r *round) connect() *remote.Broker {
	o := r.options()
	b, err := remote.Dial(r.t.Context(), r.urls(), &o)
	require.NoError(r.t, err)
	return b
}

func (r *round) serve(body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.served[body]++
}

// handle makes handlers of the server: of calls, of calls that outlive the broker, of
// jobs, and of a stream.
func (r *round) handle() {
	echo := func(_ context.Context, req *warren.Request) (warren.Message, error) {
		r.serve(string(req.Body))
		return warren.Message{Body: req.Body}, nil
	}
	_, err := r.server.Handle("plain", echo)
	require.NoError(r.t, err)
	_, err = r.server.Handle("durable", echo, warren.HandleOptions{Durable: true})
	require.NoError(r.t, err)
	_, err = r.server.Handle("jobs", echo, warren.HandleOptions{Durable: true})
	require.NoError(r.t, err)
	done := func(_ context.Context, d warren.Delivery) error {
		r.serve(string(d.Body))
		return nil
	}
	_, err = r.server.Work("work", done)
	require.NoError(r.t, err)
	_, err = r.server.Subscribe("news", "#", done, warren.SubscribeOptions{Queue: "news"})
	require.NoError(r.t, err)
	_, err = warren.HandleBothFor(r.server, "double", func(_ context.Context, in iter.Seq2[int, error]) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for n, err := range in {
				if err != nil || !yield(2*n, nil) {
					return
				}
			}
		}
	})
	require.NoError(r.t, err)
}

// call calls until it is over.
func (r *round) call(who int) {
	for n := 0; r.over.Err() == nil; n++ {
		body := fmt.Sprintf("call %d of %d", n, who)
		queue, o := "plain", warren.CallOptions{}
		if n%2 == 0 {
			queue, o.Durable = "durable", true
		}
		r.begin(body)
		ctx, cancel := r.context()
		reply, err := r.client.Call(ctx, queue, warren.Message{Body: []byte(body)}, o)
		cancel()
		if err == nil {
			assert.Equal(r.t, body, string(reply.Body))
			r.answered.Add(1)
		}
		r.end("call", body, err)
	}
}

func (r *round) begin(body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[body] = true
}

// end notes how a call has ended. No other ends are allowed.
func (r *round) end(what, body string, err error) {
	how := "answered"
	switch {
	case err == nil:
	case errors.Is(err, remote.ErrConnectionLost):
		how = "lost"
	case errors.Is(err, remote.ErrConnection), errors.Is(err, warren.ErrNoRoute):
		how = "not sent"
	case errors.Is(err, warren.ErrServerLost):
		how = "server lost"
	default:
		if how = r.mayEnd(err); how == "" {
			r.t.Errorf("%s: %v", body, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends[what+" "+how]++
	delete(r.waiting, body)
	if how == "not sent" {
		r.unsent[body] = true
	}
}

// stream calls the handler of streams until it is over.
func (r *round) stream() {
	in := func(yield func(int, error) bool) {
		for n := 1; n <= 1000 && yield(n, nil); n++ {
		}
	}
	for r.over.Err() == nil {
		next, err := 2, error(nil)
		var n int
		ctx, cancel := r.context()
		for n, err = range warren.CallBothFor[int](ctx, r.client, "double", in) {
			if err != nil {
				break
			}
			assert.Equal(r.t, next, n)
			next += 2
		}
		cancel()
		if err == nil {
			assert.Equal(r.t, 2002, next)
			r.answered.Add(1)
		}
		r.end("stream", "a stream", err)
	}
}

// publish enqueues jobs and publishes events, without deadlines, and notes which are
// confirmed.
func (r *round) publish() {
	for n := 0; r.over.Err() == nil; n++ {
		body := fmt.Sprint("message ", n)
		m, err := warren.Message{Body: []byte(body)}, error(nil)
		if n%2 == 0 {
			err = r.client.Enqueue(context.Background(), "work", m)
		} else {
			err = r.client.Publish(context.Background(), "news", "key", m, warren.EventOptions{Mandatory: true})
		}
		r.end("publish", body, err)
		if err == nil {
			r.mu.Lock()
			r.confirmed = append(r.confirmed, body)
			r.mu.Unlock()
		}
	}
}

// link links the broker that is killed with one here, in both directions.
func (r *round) link(here *warren.Broker) *remote.Linked {
	l, err := remote.Link(r.t.Context(), here, r.urls(), remote.LinkOptions{
		Options: r.options(), Push: []remote.LinkRule{{Queue: "pushed"}}, Pull: []remote.LinkRule{{Queue: "pulled"}},
	})
	require.NoError(r.t, err)
	for queue, b := range map[string]warren.Subscriber{"pushed": r.server, "pulled": here} {
		_, err := b.Work(queue, func(_ context.Context, d warren.Delivery) error {
			r.serve(string(d.Body))
			return nil
		})
		require.NoError(r.t, err)
	}
	return l
}

// move enqueues jobs that pass the link, and notes which are confirmed.
func (r *round) move(here *warren.Broker) {
	for n := 0; r.over.Err() == nil; n++ {
		for queue, b := range map[string]warren.Publisher{"pushed": here, "pulled": r.client} {
			body := fmt.Sprint(queue, " ", n)
			err := b.Enqueue(context.Background(), queue, warren.Message{Body: []byte(body)})
			r.end("through the link", body, err)
			if err == nil {
				r.mu.Lock()
				r.confirmed = append(r.confirmed, body)
				r.mu.Unlock()
			}
		}
	}
}

// enqueue publishes jobs as a program in another language would, and notes which are
// confirmed.
func (r *round) enqueue() {
	n, urls, dial := 0, r.urls(), r.options().Dial
	for r.over.Err() == nil {
		conn, err := amqp091.DialConfig(urls[rand.IntN(len(urls))], amqp091.Config{Dial: dial})
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		ch, err := conn.Channel()
		if err == nil {
			err = ch.Confirm(false)
		}
		for err == nil && r.over.Err() == nil {
			n++
			body := fmt.Sprint("job ", n)
			m := amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: []byte(body)}
			var c *amqp091.DeferredConfirmation
			if c, err = ch.PublishWithDeferredConfirm("", "jobs", false, false, m); err == nil && c.Wait() {
				r.mu.Lock()
				r.confirmed = append(r.confirmed, body)
				r.mu.Unlock()
			}
		}
		conn.Close()
	}
}

// awaitAnswers waits until handlers serve again.
func (r *round) awaitAnswers() {
	have := r.answered.Load()
	for late := time.Now().Add(r.patience()); r.answered.Load() <= have+20; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			r.hang("handlers are not back")
		}
	}
}

// hang ends the program, and tells what each goroutine waits for.
func (r *round) hang(what string) {
	r.mu.Lock()
	for body := range r.waiting {
		r.t.Logf("%s waits, and was served %d times", body, r.served[body])
	}
	r.mu.Unlock()
	pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
	panic(what)
}

// awaitJobs waits until all jobs that were confirmed are done.
func (r *round) awaitJobs() {
	for late := time.Now().Add(r.patience()); ; time.Sleep(10 * time.Millisecond) {
		missing := r.missing()
		if len(missing) == 0 {
			return
		}
		require.True(r.t, time.Now().Before(late), "%d jobs were confirmed and are not done: %.1000q", len(missing), missing)
	}
}

func (r *round) missing() (jobs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, job := range r.confirmed {
		if r.served[job] == 0 {
			jobs = append(jobs, job)
		}
	}
	return jobs
}

func (r *round) check() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for body := range r.unsent {
		require.Zero(r.t, r.served[body], "%s was served, and its caller was told that it was not sent", body)
	}
	require.NotEmpty(r.t, r.confirmed)
	require.NotZero(r.t, r.ends["call lost"], "nothing was in flight")
	twice := 0
	for _, job := range r.confirmed {
		twice += r.served[job] - 1
	}
	r.t.Logf("%d kills; %v; %d jobs confirmed, %d served once more", *kills, r.ends, len(r.confirmed), twice)
}
