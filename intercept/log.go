package intercept

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/warrenmq/warren"
)

// LogOptions say what [Log] logs, and how loud.
type LogOptions struct {
	// Done is the level of what has succeeded. Nil: [slog.LevelDebug].
	Done slog.Leveler
	// Failed is the level of what has failed. Nil: [slog.LevelWarn].
	Failed slog.Leveler
	// Slow leaves out what has succeeded in less time. Zero: all is logged.
	Slow time.Duration
}

// Log logs calls, requests that handlers have served, publishes and deliveries, when they
// are done: where the message went to or came from, its MessageId and CorrelationId, the
// time that it took, and the error with the code of its [*warren.RemoteError]. It logs
// neither bodies nor headers. A nil logger is [slog.Default].
func Log(l *slog.Logger, o LogOptions) warren.Interceptors {
	g := logged{logger: l, o: o}
	if g.logger == nil {
		g.logger = slog.Default()
	}
	if g.o.Done == nil {
		g.o.Done = slog.LevelDebug
	}
	if g.o.Failed == nil {
		g.o.Failed = slog.LevelWarn
	}
	return warren.Interceptors{
		Call:    []func(warren.CallFunc) warren.CallFunc{g.call},
		Handle:  []func(warren.HandlerFunc) warren.HandlerFunc{g.handle},
		Publish: []func(warren.PublishFunc) warren.PublishFunc{g.publish},
		Consume: []func(warren.DeliveryFunc) warren.DeliveryFunc{g.consume},
	}
}

type logged struct {
	logger *slog.Logger
	o      LogOptions
}

// errUnfinished is logged of a function that did not return.
var errUnfinished = errors.New("it panicked or ended its goroutine")

func (g logged) call(next warren.CallFunc) warren.CallFunc {
	return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (reply warren.Message, err error) {
		began, failed := time.Now(), errUnfinished
		defer func() {
			g.log(ctx, "call", began, failed, msg.MessageId, msg.CorrelationId, slog.String("queue", queue))
		}()
		reply, err = next(ctx, queue, msg, opts...)
		failed = err
		return reply, err
	}
}

func (g logged) handle(next warren.HandlerFunc) warren.HandlerFunc {
	return func(ctx context.Context, req *warren.Request) (reply warren.Message, err error) {
		began, failed := time.Now(), errUnfinished
		defer func() {
			queue := req.RoutingKey
			if h := warren.HandlerFrom(ctx); h != nil {
				queue = h.Queue()
			}
			g.log(ctx, "request", began, failed, req.MessageId, req.CorrelationId, slog.String("queue", queue), slog.Bool("redelivered", req.Redelivered))
		}()
		reply, err = next(ctx, req)
		if failed = err; errors.Is(err, warren.ErrNoReply) {
			failed = nil
		}
		return reply, err
	}
}

func (g logged) publish(next warren.PublishFunc) warren.PublishFunc {
	return func(ctx context.Context, ch *warren.Channel, exchange, key string, msg warren.Message, o warren.PublishOptions) (err error) {
		began, failed := time.Now(), errUnfinished
		defer func() {
			g.log(ctx, "publish", began, failed, msg.MessageId, msg.CorrelationId, slog.String("exchange", exchange), slog.String("key", key))
		}()
		err = next(ctx, ch, exchange, key, msg, o)
		failed = err
		return err
	}
}

func (g logged) consume(next warren.DeliveryFunc) warren.DeliveryFunc {
	return func(ctx context.Context, d warren.Delivery) (err error) {
		began, failed := time.Now(), errUnfinished
		defer func() {
			g.log(ctx, "delivery", began, failed, d.MessageId, d.CorrelationId,
				slog.String("exchange", d.Exchange), slog.String("key", d.RoutingKey), slog.Bool("redelivered", d.Redelivered))
		}()
		err = next(ctx, d)
		failed = err
		return err
	}
}

// log logs one line, unless nobody wants it.
func (g logged) log(ctx context.Context, what string, began time.Time, err error, id, correlation string, attrs ...slog.Attr) {
	took := time.Since(began)
	level := g.o.Done.Level()
	if err != nil {
		level = g.o.Failed.Level()
	} else if took < g.o.Slow {
		return
	}
	if !g.logger.Enabled(ctx, level) {
		return
	}
	attrs = append(attrs, slog.Duration("took", took))
	if id != "" {
		attrs = append(attrs, slog.String("message", id))
	}
	if correlation != "" {
		attrs = append(attrs, slog.String("correlation", correlation))
	}
	if err != nil {
		if r, ok := errors.AsType[*warren.RemoteError](err); ok && r != nil {
			attrs = append(attrs, slog.String("code", r.Code))
		}
		attrs = append(attrs, slog.Any("error", err))
	}
	g.logger.LogAttrs(ctx, level, what, attrs...)
}
