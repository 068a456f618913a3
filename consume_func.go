package warren

import (
	"context"
	"sync"

	"github.com/warrenmq/warren/internal/wire"
)

// function runs the function of ConsumeFunc.
type function struct {
	consumer *Consumer
	call     DeliveryFunc
	requeue  func(error) bool
	ended    func() // called when the consumer has ended and the last call has returned; nil: nothing
	ctx      context.Context

	mu sync.Mutex
	// Guarded by mu.
	workers int
	reason  error // why the consumer has ended
}

// ConsumeFunc starts a consumer and calls f for each of its deliveries, in
// [ConsumeOptions].Concurrency goroutines. What f returns settles the delivery. f is
// called until the consumer ends: by Cancel, by [Broker.Shutdown], with the channel,
// with its queue, or when f calls [runtime.Goexit]. [Consumer.Done] and
// [Consumer.Err] tell when and why. It fails like Consume, and with 406 for a nil f.
func (ch *Channel) ConsumeFunc(queue string, o ConsumeOptions, f DeliveryFunc) (*Consumer, error) {
	if f == nil {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a consumer must have a function")
	}
	if o.Concurrency < 0 {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a consumer's concurrency of %d is negative", o.Concurrency)
	}
	f = chain(ch.vhost.broker.options.Intercept.Consume, chain(o.Intercept, f))
	return ch.runFunction(queue, o, f, nil)
}

// runFunction is ConsumeFunc, which has made its checks. ended may be nil.
func (ch *Channel) runFunction(queue string, o ConsumeOptions, f DeliveryFunc, ended func()) (*Consumer, error) {
	setDefault(&o.Concurrency, 1)
	tasks := &ch.vhost.broker.tasks
	tasks.Add()
	defer tasks.Done()
	c, err := ch.Consume(queue, o)
	if err != nil {
		return nil, err
	}
	c.done = make(chan struct{})
	run := &function{consumer: c, call: f, requeue: o.Requeue, ended: ended, ctx: ch.context(), workers: o.Concurrency}
	size := maxBatch
	if o.Concurrency > 1 {
		size = 1 // one worker must not keep what others could work on
	}
	for range o.Concurrency {
		tasks.Add()
		go run.work(size)
	}
	return c, nil
}

// work calls the function until the consumer ends.
func (f *function) work(size int) {
	defer f.consumer.ch.vhost.broker.tasks.Done()
	w := worker{function: f, size: size, reason: ErrClosed}
	defer func() { f.end(w.reason) }()
	for !w.run() {
	}
}

// worker is a goroutine of a function.
type worker struct {
	*function
	size   int
	reason error // why the consumer has ended
	calls  bool  // the function works on a delivery
}

// run calls the function until the consumer ends, or the function panics. It reports
// whether the consumer has ended. There is one defer for all deliveries, because one
// for each would cost as much as the rest.
func (w *worker) run() (ended bool) {
	var d Delivery
	defer func() {
		if !w.calls {
			return
		}
		err := goexitError()
		if p := recover(); p != nil {
			err = w.failures().recovered(p)
		}
		w.calls = false
		w.settle(d.DeliveryTag, err)
	}()
	w.consumer.each(context.Background(), w.size, &d, func(err error) bool {
		if err != nil {
			w.reason = err
			return false
		}
		w.calls = true
		if w.consumer.ch.vhost.broker.options.Tracer == nil {
			err = w.call(w.ctx, d)
		} else {
			err = w.callTraced(d)
		}
		w.calls = false
		w.settle(d.DeliveryTag, err)
		return true
	})
	return true
}

// callTraced calls the function with a tracer.
func (w *worker) callTraced(d Delivery) (err error) {
	ctx, end := d.operation(OperationProcess, w.consumer.queue).begin(w.ctx, w.consumer.ch.vhost.broker.options.Tracer)
	err = errUnfinished // unless the function returns
	defer func() { end(err) }()
	return w.call(ctx, d)
}

// end notes that a worker has ended, and with the last one the consumer.
func (f *function) end(reason error) {
	f.mu.Lock()
	if f.reason == nil {
		f.reason = reason
	}
	f.mu.Unlock()
	f.consumer.Cancel() // the function may have called runtime.Goexit; other workers end by it
	f.mu.Lock()
	f.workers--
	last := f.workers == 0
	if last {
		f.consumer.reason = f.reason
		close(f.consumer.done)
	}
	f.mu.Unlock()
	if last && f.ended != nil {
		f.ended()
	}
}

func (f *function) failures() failures {
	return failures{f.consumer.ch.vhost, f.consumer.queue, "consumer"}
}

// settle settles a delivery on which the function has worked.
func (f *function) settle(tag uint64, err error) {
	c, to := f.consumer, acked
	if err != nil {
		if f.ctx.Err() != nil || c.ch.checkOpen() != nil {
			return // the delivery is in its queue again, or about to be
		}
		to = f.failures().settle(err, f.requeue)
	}
	if c.reply == nil && !c.inner.NoAck {
		c.ch.settleOnce(tag, to)
	}
}
