// Package wire encodes and decodes AMQP 0-9-1: frames, methods, content properties and
// field tables. It has no state of a connection.
//
// # Writing
//
// Everything is appended to a []byte of the caller, and nothing that is
// appended can fail: a short string is cut to its 255 octets, and what a
// [Table] cannot carry becomes void.
//
//	b = wire.AppendMethod(b, channel, &wire.QueueDeclareOk{Queue: "jobs"})
//	b = wire.AppendDeliver(b, channel, &wire.BasicDeliver{...}, props, body, frameMax)
//
// # Reading
//
// A [FrameReader] or [ParseFrame] finds frames in a buffer. A [Decoder] turns
// the payload of a method frame into a [Method], whose type says which method it is.
// The payload of a header frame is a [ContentHeader]. Every length is checked against
// the octets that are there before anything is allocated, and all octets must
// be used.
//
// # Who owns the octets
//
// What is parsed aliases the octets that it was parsed from wherever its type
// is []byte or [RawProperties], and is a copy wherever it is a string or a
// [Table]. So a frame's payload and the short strings of class basic, which
// come with every message, last until the next call of [FrameReader.Next]; the
// short strings of all other classes are Go strings that last for ever.
//
// In the other direction []byte(s) costs nothing. The compiler makes no copy in calls
// such as
//
//	wire.AppendDeliver(b, channel, &wire.BasicDeliver{RoutingKey: []byte(key)}, props, body, frameMax)
package wire
