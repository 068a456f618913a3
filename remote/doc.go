// Package remote is a broker elsewhere for programs that are written for one in their
// own process: RabbitMQ, LavinMQ, or the listener of another Warren.
//
// # When the connection is lost
//
// A [Broker] connects again by itself, to any of its URLs, with growing waits that chance
// makes shorter: see [Options]. [Broker.State] and [Broker.States] tell what the
// connection is like, and a line is logged for each change. A password that is refused is
// told and tried again like anything else, since brokers that restart refuse some, too.
//
// What was in flight ends, and says whether it may have been served:
//
//   - [ErrConnectionLost]: it may have been. Only who knows that a repetition does no harm
//     sends it again.
//   - [ErrConnection], [ErrBlocked]: nobody has got it, and [warren.Repeatable] is true.
//     What a dead connection has not taken waits for the next one, as long as
//     Options.Wait, so these come when there is none for long.
//   - [warren.ErrServerLost]: the server of a stream was lost in the middle.
//   - [ErrAbandoned]: nobody has served the queue for about a minute, or, on RabbitMQ,
//     nothing was seen of the request for half an hour. So calls without a deadline end, too, unless they are
//     durable: those wait for their handler.
//
// Handlers are back with the connection. Their queues wait a minute for them, with the
// requests in them, so that a caller elsewhere notices no more than a delay; a request
// that was being served comes again, Redelivered.
//
// While the broker takes no messages, because its memory or its disk is short
// (connection.blocked), who sends waits with his context.
package remote
