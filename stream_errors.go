package warren

import "errors"

// Reasons why a stream of items ends before all items have come.
var (
	// ErrServerLost: the AMQP client that served the stream has gone before it had sent
	// the end. What it has done is not known.
	ErrServerLost = errors.New("warren: the server of the stream was lost")
	// ErrBrokenStream: the other end broke the rules of the protocol, which the text
	// names. Items are missing.
	ErrBrokenStream = errors.New("warren: the other end of the stream broke the rules")
)
