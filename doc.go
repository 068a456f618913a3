// Package warren is an AMQP 0-9-1 message broker inside a Go program: virtual
// hosts, exchanges, queues, channels, and RPC by direct reply-to. Nothing
// listens on a network, nothing is written to disk, nothing needs to be set
// up; queues live as long as the [Broker].
//
//	b := warren.New(nil)
//	defer b.Close()
//
// # RPC
//
// [Broker.Handle] serves a queue and [Broker.Call] calls it; [HandleFor] and
// [CallFor] do the same with Go values, as JSON unless told otherwise.
//
//	warren.HandleFor(b, "price", func(ctx context.Context, q Quote) (Price, error) { ... })
//	price, err := warren.CallFor[Price](ctx, b, "price", Quote{Article: 7})
//
// A call has no reply queue and no reply consumer: its ReplyTo is an address
// of its own that leads to the waiting goroutine, and stops to exist with the
// call. The handler works under a context that has the values, the deadline
// and the cancellation of the caller's. A consumer that is no handler finds
// the time that is left in Expiration, and answers like a server in any
// language: it publishes to the default exchange with ReplyTo as routing key
// and the CorrelationId of the request. The first answer counts.
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
// callback ([Channel.ConsumeFunc]), never a Go channel that must be drained.
// Channels of one [Session] share its exclusive queues, as those of an AMQP
// connection do. [DirectReplyTo] tells how to do RPC on this level.
//
// # Rules of queues and exchanges
//
// What RabbitMQ and LavinMQ take as x-arguments are fields here:
// [QueueOptions] has time to live, length limits, dead letters, priorities, a
// single active consumer, delivery limits and consumer timeouts, and makes
// streams; [ExchangeOptions] is for exchanges that hash consistently
// ([ConsistentHash]), delay messages ([DelayedMessage]) and drop duplicates
// ([Deduplication]). A [Policy] gives such rules to all queues and exchanges
// that its pattern matches, while they are in use. [Broker.DefinitionsExport]
// writes the whole topology as JSON that RabbitMQ and LavinMQ read.
//
// # Errors
//
// Errors are to be told apart with [errors.Is] and [errors.As]:
//
//   - [*Error] is what AMQP reports in channel.close, with the reply code and
//     RabbitMQ's text. It matches [ErrNotFound] (404), [ErrAccessRefused]
//     (403), [ErrResourceLocked] (405), [ErrPreconditionFailed] (406) or
//     [ErrNotAllowed] (530) by its code.
//   - [*Return] is a message that nobody took although it had to be taken. It
//     matches [ErrNoRoute] (312) or [ErrNoConsumers] (313). A Call to a queue
//     that is not there fails with it at once.
//   - [*RemoteError] is the failure of the handler that a Call went to.
//   - [ErrRequestDropped]: the request of a Call was lost with its queue,
//     purged or rejected.
//   - [ErrNacked]: a queue could not keep the message.
//   - [ErrMemoryLimit]: the queues are full and [Options] say to fail then.
//   - [ErrConsumerCancelled]: the queue of a consumer was deleted.
//   - [ErrSlowConsumer]: a direct reply-to consumer did not read its replies.
//   - [ErrClosed]: the broker, session, channel or consumer was closed. It
//     matches [net.ErrClosed], too.
//   - The context's own error, when a wait ends with its context.
//
// # Goroutines, memory and safety
//
// Every method is safe for any number of goroutines. A [Message] is immutable
// once it is published: its Body and Headers are shared by all who get it, and
// nobody may change them. The same goes for what is nested in a [Table]. A
// [Request] belongs to its handler until that returns.
//
// The broker's work is done by the goroutines that call it. It starts one for
// each request that a handler serves (up to 16 of them stay to wait for the
// next) and one for each ConsumeFunc; [Broker.Close] waits for them all. No
// function of the user is called under a lock.
//
// Memory is bounded: publishers wait, or fail, while all queues together hold
// [Options].MemoryLimit bytes; a consumer has at most its prefetch, or
// [Options].Mailbox messages, before it. Every method that can wait has a
// context. All waits suit package testing/synctest.
package warren
