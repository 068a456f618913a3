package worker_test

import (
	"context"
	"strconv"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
	"github.com/warrenmq/warren/warrentest/examples/worker"
)

// The methods that faults are to meet.
var (
	result = warrentest.Match{Method: "basic.publish", RoutingKey: worker.Results}
	job    = warrentest.Match{Method: "basic.deliver", Queue: worker.Jobs}
	ack    = warrentest.Match{Method: "basic.ack", From: warrentest.Client, Queue: worker.Jobs}
	online = warrentest.Match{Connection: "worker"}
)

// method is a match for the first n methods of a name.
func method(name string, n int) warrentest.Match { return warrentest.Match{Method: name, Times: n} }

// heartbeats is a match for all heartbeats of a side.
func heartbeats(from warrentest.Side) warrentest.Match {
	return warrentest.Match{Method: warrentest.Heartbeat, From: from, Times: warrentest.Forever}
}

// times is a match for the first n methods.
func times(n int, m warrentest.Match) warrentest.Match {
	m.Times = n
	return m
}

// effect is what a row of the table sets.
type effect interface {
	Undo()
	Count() int // how often it has met something
}

// set sets a fault.
type set func(b *warrentest.Broker) effect

func now(a ...warrentest.Action) set {
	return func(b *warrentest.Broker) effect { return b.Now(online, a...) }
}

func before(m warrentest.Match, a ...warrentest.Action) set {
	return func(b *warrentest.Broker) effect { return b.Before(m, a...) }
}

func after(m warrentest.Match, a ...warrentest.Action) set {
	return func(b *warrentest.Broker) effect { return b.After(m, a...) }
}

// again is a fault that meets the worker when it connects again.
func again(f set) set {
	return func(b *warrentest.Broker) effect {
		e := f(b)
		b.Now(online, warrentest.Cut())
		return e
	}
}

// alarm is an effect of the broker itself.
type alarm func()

func (a alarm) Undo()      { a() }
func (a alarm) Count() int { return 1 }

func restart(b *warrentest.Broker) effect {
	b.Restart()
	return alarm(func() {})
}

// faults are what may go wrong with a worker that has four jobs in hand.
var faults = []struct {
	name  string
	set   set
	undo  time.Duration // after which the fault is over. Zero: it ends by itself
	twice bool          // jobs may be done twice, because nobody can know that they are done
	wall  bool          // the library may wait for a timer with a lock held, which stops the time of a bubble
}{
	{name: "the connection ends without a word", set: now(warrentest.Cut()), twice: true},
	{name: "the connection ends inside a frame of a result", set: before(result, warrentest.CutInside(10)), twice: true},
	{name: "the connection ends inside a frame of a job", set: again(before(job, warrentest.CutInside(10))), twice: true},
	{name: "a result is kept and its confirm lost with the connection", set: after(result, warrentest.Cut()), twice: true},
	{name: "a result is kept and never confirmed", set: after(result, warrentest.Drop()), twice: true},
	{name: "a result gets lost", set: before(result, warrentest.Drop())},
	{name: "a result comes back", set: before(result, warrentest.Return()), twice: true},
	{name: "results are refused", set: before(times(3, result), warrentest.Nack())},
	{name: "a result is kept and refused", set: after(result, warrentest.Nack()), twice: true},
	{name: "confirms are late", set: after(times(2, result), warrentest.Delay(10*time.Second))},
	{name: "confirms come in another order", set: after(times(4, result), warrentest.Reverse(4))},
	{name: "a job comes twice", set: again(before(job, warrentest.Twice())), twice: true},
	{name: "jobs are late", set: again(before(job, warrentest.Delay(2*time.Second))), twice: true, wall: true},
	{name: "the broker closes the connection", set: now(warrentest.CloseConnection(320, "CONNECTION_FORCED")), twice: true},
	{name: "the broker closes the connection in place of a publish", set: before(result, warrentest.CloseConnection(541, "INTERNAL_ERROR")), twice: true},
	{name: "the broker closes the channel", set: now(warrentest.CloseChannel(406, "PRECONDITION_FAILED - delivery acknowledgement timed out")), twice: true, wall: true},
	{name: "the broker closes the channel in place of a publish", set: before(result, warrentest.CloseChannel(404, "NOT_FOUND")), twice: true, wall: true},
	{name: "nobody listens", set: again(before(method(warrentest.Connect, 5), warrentest.Cut())), twice: true},
	{name: "the login is refused", set: again(before(method("connection.start-ok", 1), warrentest.RefuseLogin())), twice: true, wall: true},
	{name: "the handshake ends without a word", set: again(before(method("connection.tune", 1), warrentest.Cut())), twice: true, wall: true},
	{name: "the handshake stops", set: again(before(method("connection.open-ok", 1), warrentest.Drop())), twice: true, wall: true},
	{name: "a queue is locked", set: again(before(method("queue.declare", 2), warrentest.CloseChannel(405, "RESOURCE_LOCKED"))), twice: true, wall: true},
	{name: "the consumer gets no answer", set: again(after(method("basic.consume", 1), warrentest.Drop())), twice: true, wall: true},
	{name: "the consumer is cancelled", set: before(ack, warrentest.CancelConsumer())},
	{name: "the queue of the jobs is deleted", set: before(ack, warrentest.DeleteQueue()), undo: time.Second},
	{name: "the broker restarts", set: restart, twice: true},
	{name: "the broker falls silent", set: now(warrentest.Stall()), undo: time.Hour, twice: true},
	{name: "the network is slow", set: now(warrentest.Slow(50)), undo: 5 * time.Minute},
	{name: "the broker's heartbeats get lost", set: before(heartbeats(warrentest.Server), warrentest.Drop()), undo: 5 * time.Minute},
	{name: "the worker's heartbeats get lost", set: before(heartbeats(warrentest.Client), warrentest.Drop()), undo: 5 * time.Minute},
	{name: "publishers are blocked", set: now(warrentest.Block("low on memory")), undo: 5 * time.Minute, twice: true},
	{name: "memory is short", set: func(b *warrentest.Broker) effect { return alarm(b.MemoryAlarm()) }, undo: 5 * time.Minute, twice: true},
	{name: "disk space is short", set: func(b *warrentest.Broker) effect { return alarm(b.DiskAlarm()) }, undo: 5 * time.Minute, twice: true},
	{name: "the disk takes nothing", set: func(b *warrentest.Broker) effect { return alarm(b.FailWrites(syscall.ENOSPC)) }, undo: 5 * time.Minute, twice: true},
	{name: "the disk is slow", set: func(b *warrentest.Broker) effect { return alarm(b.SlowSync(time.Minute)) }, undo: 5 * time.Minute, twice: true},
	{name: "the disk fails", set: func(b *warrentest.Broker) effect { return alarm(b.FailSync(nil)) }, undo: 5 * time.Minute, twice: true},
}

// TestWorkerOutlivesEveryFault lets each fault meet the worker that is written by hand.
func TestWorkerOutlivesEveryFault(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { outlive(t, worker.Run, 0, f.set, f.undo, f.twice) })
		})
	}
}

// TestRecoveringWorkerOutlivesEveryFault lets each fault meet the worker with the
// reconnects of the library: in a bubble where it does not connect again, or where that
// takes long.
func TestRecoveringWorkerOutlivesEveryFault(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			if f.wall || f.twice && f.undo == 0 { // it connects again
				t.Parallel()
				outlive(t, worker.RunRecovering, time.Second, f.set, f.undo, f.twice)
				return
			}
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(func() { time.Sleep(time.Minute) }) // goroutines of the library end by timers
				outlive(t, worker.RunRecovering, 0, f.set, f.undo, f.twice)
				time.Sleep(time.Minute) // closed while it recovers, the library would leave goroutines for ever
			})
		})
	}
}

// outlive lets a fault meet a worker that has four jobs of twelve in hand. In the end each
// job is done and its result is there.
func outlive(t *testing.T, run func(context.Context, worker.Config), patience time.Duration, f set, undo time.Duration, twice bool) {
	b := warrentest.New(t, warrentest.Options{Dir: t.TempDir(), NothingLeft: true})
	hold := start(t, b, run, patience)
	submit(t, b, 0, 8)
	b.WaitReady(worker.Results, 4)
	b.WaitUnacked(worker.Jobs, 4)

	e := f(b)
	close(hold)
	time.Sleep(undo)
	if undo > 0 {
		e.Undo()
	}
	b.WaitFor("the fault to act", func() bool { return e.Count() > 0 }, time.Minute)
	b.WaitConsumers(worker.Jobs, 1, time.Hour)

	submit(t, b, 8, 4)
	b.WaitFor("the result of each job", func() bool { return len(results(b)) == 12 }, time.Hour)
	b.WaitReady(worker.Jobs, 0, time.Hour)
	b.WaitUnacked(worker.Jobs, 0, time.Hour)
	for id, n := range results(b) {
		require.True(t, n == 1 || twice, "the result of job %s is there %d times", id, n)
	}
}

// start starts a worker. The jobs from the fifth on wait until hold is closed. The worker
// ends with the test.
func start(t *testing.T, b *warrentest.Broker, run func(context.Context, worker.Config), patience time.Duration) (hold chan struct{}) {
	t.Helper()
	hold = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	c := worker.Config{Dial: b.Dial, Patience: patience, Log: func(err error) { t.Log(err) }, Do: func(job []byte) []byte {
		if n, _ := strconv.Atoi(string(job)); n >= 4 {
			<-hold
		}
		return append([]byte("done "), job...)
	}}
	go func() {
		defer close(done)
		run(ctx, c)
	}()
	b.WaitConsumers(worker.Jobs, 1)
	return hold
}

// submit publishes n jobs, from the first on, as the program itself.
func submit(t *testing.T, b *warrentest.Broker, first, n int) {
	t.Helper()
	ch, err := b.Channel()
	require.NoError(t, err)
	defer ch.Close()
	for i := range n {
		id := strconv.Itoa(first + i)
		m := warren.Message{MessageId: id, DeliveryMode: warren.Persistent, Body: []byte(id)}
		require.NoError(t, ch.Publish(t.Context(), "", worker.Jobs, m, warren.PublishOptions{Mandatory: true}))
	}
}

// results returns how often the result of each job is there, by the job's id.
func results(b *warrentest.Broker) map[string]int {
	n := make(map[string]int)
	for _, m := range b.Messages(worker.Results) {
		n[m.MessageId]++
	}
	return n
}
