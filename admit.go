package warren

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/route"
)

// admit waits until there is memory for p, and the disk may take it if it goes there.
// The time to live of p begins when the wait ends.
func (ch *Channel) admit(ctx context.Context, p *publishing) error {
	b := ch.vhost.broker
	if b.disk != nil && !ch.isFreeToDisk() {
		if err := ch.vhost.admitToDisk(ctx, p, ch, nil); err != nil {
			return err
		}
	}
	if b.admitsAny() || b.admits(p) {
		return nil
	}
	if ch.holdsMessages() && b.state.Load() == stateOpen {
		if size := p.Cost(); b.queues.Memory.Overdraw(size) {
			p.reserved = size
			return nil
		}
		return ErrMemoryLimit
	}
	start := b.queues.Clock.Now()
	if err := ch.vhost.admit(ctx, p, ch); err != nil {
		if ch.closed.Load() {
			return ch.reason
		}
		return err
	}
	if p.Deadline != 0 {
		p.Deadline += b.queues.Clock.Now() - start
	}
	return nil
}

// admitsAny reports whether every message is admitted without a wait: mostly it is so.
func (b *Broker) admitsAny() bool {
	return b.state.Load() == stateOpen && b.queues.Memory.FitsAny()
}

// admits reports whether p is admitted without a wait.
func (b *Broker) admits(p *publishing) bool {
	return b.state.Load() == stateOpen && b.queues.Memory.Fits(p.Cost())
}

// admit waits while memory is short, unless the message is exempt: see
// checkPublisher.
func (v *VirtualHost) admit(ctx context.Context, p *publishing, ch *Channel) error {
	if exempt, err := v.checkPublisher(ctx, p, ch); exempt || err != nil {
		return err
	}
	var channelClosed *atomic.Bool
	if ch != nil {
		channelClosed = &ch.closed
	}
	size := p.Cost()
	if err := v.broker.waitForMemory(ctx, size, channelClosed, nil); err != nil {
		return err
	}
	p.reserved = size
	return nil
}

// checkPublisher returns ErrClosed if the broker takes no message like p. While it
// drains, it takes replies of channels, what handlers publish, and what channels
// publish whose deliveries are being worked on. Replies are exempt from the wait for
// memory. ch is the publisher's channel; it is nil for a Call.
func (v *VirtualHost) checkPublisher(ctx context.Context, p *publishing, ch *Channel) (exempt bool, err error) {
	state := v.broker.state.Load()
	if state == stateClosed {
		return false, ErrClosed
	}
	if ch != nil && p.to == v.defaultExchange && isReplyAddress(p.Key) {
		return true, nil
	}
	if state == stateDraining && !fromHandler(ctx) && (ch == nil || !ch.mayPublish()) {
		return false, ErrClosed
	}
	return false, nil
}

// waitForMemory waits until there is memory for size bytes, and counts them. It
// returns ErrMemoryLimit instead of waiting if the options say so, and also if ctx
// ends the wait.
func (b *Broker) waitForMemory(ctx context.Context, size int64, channelClosed *atomic.Bool, onWait func()) error {
	why := b.shortage()
	switch err := b.queues.Memory.Admit(ctx, size, channelClosed, onWait); err {
	case memory.ErrFull:
		return why
	case memory.ErrClosed:
		return ErrClosed
	case nil:
		return nil
	default:
		return fmt.Errorf("%w (gave up waiting: %w)", why, err)
	}
}

// shortage returns what publishers that have to wait for memory are told: ErrMemoryLimit,
// or ErrDiskFull while there is an alarm for the disk that was set by hand.
func (b *Broker) shortage() error {
	if b.queues.Memory.Raised(memory.Disk) {
		return ErrDiskFull
	}
	return ErrMemoryLimit
}

// isFreeToDisk reports whether a publish need not wait for the disk. If not, perhaps.
func (ch *Channel) isFreeToDisk() bool {
	return ch.mode.Load() != modeConfirm && ch.vhost.broker.disk.gate.isFree()
}

// admitToDisk waits until the disk may take a message that goes there. The time to live
// of p begins when the wait ends. ch is nil for a Call, which has its caller's deadline.
// waits is as in link.Publish, or nil.
func (v *VirtualHost) admitToDisk(ctx context.Context, p *publishing, ch *Channel, waits func(why string)) error {
	var line *confirm.Line
	if ch != nil && ch.mode.Load() == modeConfirm {
		line = ch.line
	}
	if v.broker.disk.gate.isFree() && (line == nil || !line.Full()) || !v.goesToDisk(p) {
		return nil
	}
	return v.waitForDisk(ctx, p, ch, line, waits)
}

// waitForDisk is admitToDisk for a message that has to wait. The line, which may be nil,
// must have room, too.
func (v *VirtualHost) waitForDisk(ctx context.Context, p *publishing, ch *Channel, line *confirm.Line, waits func(why string)) error {
	b := v.broker
	w := wish{line: line, refuses: b.options.MemoryPolicy == FailPublishers}
	if ch != nil {
		w.gone = &ch.closed
	}
	if waits != nil {
		w.waits = func(why error) { waits(blockedReason(why)) }
	}
	start := b.queues.Clock.Now()
	err := b.disk.gate.pass(ctx, &w)
	if waits != nil && w.waits == nil {
		waits("")
	}
	if err != nil {
		if ch != nil && ch.closed.Load() {
			return ch.reason
		}
		return err
	}
	if p.Deadline != 0 && ch != nil {
		p.Deadline += b.queues.Clock.Now() - start
	}
	return nil
}

// goesToDisk reports whether a message goes to a queue that keeps it on disk, as far as
// can be told before it is routed.
func (v *VirtualHost) goesToDisk(p *publishing) bool {
	persistent := p.Persistent()
	w := v.getWalk()
	defer v.putWalk(w)
	w.Shut = true
	v.walk(w, p)
	return persistent && w.Gated || slices.ContainsFunc(w.Queues(), func(q *route.Queue) bool {
		return q.IsOnDisk() && (persistent || q.IsStream())
	})
}
