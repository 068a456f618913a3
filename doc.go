// Package warren is an AMQP 0-9-1 message broker inside a Go program: virtual
// hosts, exchanges, queues, channels, and RPC by direct reply-to. Nothing
// listens on a network, nothing is written to disk, nothing needs to be set
// up; queues live as long as the [Broker].
//
//	b := warren.New(nil)
//	defer b.Close()
//
// [Open] gives the same broker with a directory, in which durable queues with
// their persistent messages, and all else that is durable, outlive it.
//
// # RPC
//
// [Broker.Handle] serves a queue and [Broker.Call] calls it; [HandleFor] and
// [CallFor] do the same with Go values, as JSON unless told otherwise.
//
//	warren.HandleFor(b, "price", func(ctx context.Context, q Quote) (Price, error) { ... })
//	price, err := warren.CallFor[Price](ctx, b, "price", Quote{Article: 7})
//
// A call needs no reply queue and no reply consumer: its ReplyTo is an address
// of the waiting goroutine, which is valid as long as the call. The handler's
// context has the values, the deadline and the cancellation of the caller's
// context. A consumer that is not a handler finds the time left in Expiration,
// and answers like a server in any language: it publishes to the default
// exchange with ReplyTo as routing key and the CorrelationId of the request.
// The first answer counts.
//
// [Broker.CallMany] asks all queues of an exchange and loops over their answers;
// [Broker.CallStream] and [Broker.HandleStream] answer a request with many items, and
// take many, with back-pressure. [CallOptions].Durable is for requests that outlive who
// works on them, [Interceptors] stand around all of this, and [Repeatable] tells which
// failed calls can be sent again without harm.
//
// # Events and jobs
//
// [PublishFor] tells an event to all who [SubscribeFor] it by a pattern; [EnqueueFor] gives
// a job to one of those who [WorkFor] its queue. A function that fails gets its event or
// job again after a delay, while others are worked on, as [Retry] says; after some attempts
// it goes to a dead letter queue.
//
//	warren.SubscribeFor(b, "shop", "order.*", func(ctx context.Context, e OrderPaid) error { ... })
//	err := warren.PublishFor(ctx, b, "shop", "order.paid", OrderPaid{Order: 7})
//
// [Options].Intercept and [HandleOptions].Intercept have functions that stand around
// calls, handlers, publishes and functions that consume, as middleware of net/http does:
// see [Interceptors]. Package intercept has some that repeat, refuse, log and more.
//
// # The AMQP model
//
// A [Channel] has the methods of AMQP under the names of amqp091-go. Over
// AMQP, an error closes the channel; here it is only returned.
//
//	ch, err := b.Channel()
//	q, err := ch.QueueDeclare("jobs", warren.QueueOptions{})
//	err = ch.Publish(ctx, "", "jobs", warren.Message{Body: body}, warren.PublishOptions{Mandatory: true})
//	for d, err := range ch.Deliveries(ctx, "jobs", warren.ConsumeOptions{Prefetch: 100}) {
//		if err != nil {
//			return err
//		}
//		d.Ack(false)
//	}
//
// Consuming is a loop ([Channel.Deliveries]), a step ([Consumer.Next]) or a
// function that settles by what it returns ([Channel.ConsumeFunc]), never a Go
// channel that must be drained. Channels of one [Session] share its exclusive queues, like those of an AMQP
// connection. [DirectReplyTo] describes RPC on this level.
//
// # Rules of queues and exchanges
//
// The x-arguments of RabbitMQ and LavinMQ are fields here. [QueueOptions] has
// time to live, length limits, dead letters, priorities, a single active
// consumer, delivery limits and consumer timeouts, and makes streams.
// [ExchangeOptions] is for exchanges that hash consistently
// ([ConsistentHash]), delay messages ([DelayedMessage]) and drop duplicates
// ([Deduplication]). A [Policy] sets such rules for all queues and exchanges
// that its pattern matches, while they are in use. [Broker.DefinitionsExport]
// writes the whole topology as JSON that RabbitMQ and LavinMQ read.
//
// # What is inside
//
// [Broker.VirtualHosts], [VirtualHost.Queues] and others show what exists, with what it
// has counted. [VirtualHost.Peek] shows messages without taking them, [Broker.Events]
// what changes. Package management makes an HTTP API and a page of these.
//
// # Errors
//
// Use [errors.Is] and [errors.As] to distinguish errors:
//
//   - [*Error] is what AMQP reports in channel.close, with the reply code and
//     RabbitMQ's text. It matches [ErrNotFound] (404), [ErrAccessRefused]
//     (403), [ErrResourceLocked] (405), [ErrPreconditionFailed] (406) or
//     [ErrNotAllowed] (530) by its code.
//   - [*Return] is a mandatory or immediate message that nothing took. It
//     matches [ErrNoRoute] (312) or [ErrNoConsumers] (313). A Call to a queue
//     that does not exist fails with it at once.
//   - [*RemoteError] is the failure of the handler that served a Call. In process
//     it wraps the handler's own error.
//   - [ErrRequestDropped]: the request of a Call was lost with its queue,
//     purged or rejected.
//   - [ErrNacked]: a queue could not keep the message, or it is not known to be
//     on disk.
//   - [ErrMemoryLimit]: the queues hold as much memory as [Options] allow, and
//     the options say to fail then, or the context ended while it was so.
//   - [ErrStorage]: the disk of a broker from [Open] takes nothing. It may be
//     an [ErrDiskFull].
//   - [*LockedError], [ErrNotStore], [*FormatError] and [*DamagedError]: a
//     directory that cannot be opened.
//   - [ErrConsumerCancelled]: the queue of a consumer was deleted.
//   - [*QueueConflictError]: a queue for events or jobs exists with other options.
//   - [ErrSlowConsumer]: a direct reply-to consumer did not read its replies.
//   - [*DroppedError]: messages went down with the broker at [Broker.Shutdown].
//   - [ErrClosed]: the broker, session, channel or consumer was closed. It
//     matches [net.ErrClosed], too.
//   - The context's own error, when the context of a wait ends.
//
// # Goroutines, memory and safety
//
// All methods are safe for concurrent use. A published [Message] is immutable:
// all receivers share its Body and Headers, and nobody may change them. This
// includes the values nested in a [Table].
//
// The broker works in the goroutines that call it. It starts one goroutine for
// each request that a handler serves (up to 16 of them wait for more requests)
// and [ConsumeOptions].Concurrency for each ConsumeFunc, Subscribe and Work. [Broker.Close] waits
// for them all. Functions of the user are called with no lock held.
//
// Memory is bounded: publishers wait, or fail, while all queues together hold
// [Options].MemoryLimit bytes; if there is a directory, messages leave memory
// for the disk then. A consumer has at most its prefetch limit of
// messages, or [Options].Mailbox, before it reads them. Every method that can
// wait has a context, except [Broker.Close] and [Handler.Close]. All waits work
// with package testing/synctest.
package warren
