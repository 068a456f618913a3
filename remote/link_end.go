package remote

import (
	"context"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/message"
)

// linkEnd is a channel on one side of a link, for one rule. Messages are taken from it or
// sent to it.
type linkEnd interface {
	// name is the broker's name in PassedHeader.
	name() string
	// declareQueue and declareExchange declare what is missing.
	declareQueue(name string) error
	declareExchange(name string) error
	bind(queue, key, exchange string) error

	// consume begins to take messages, so many at a time.
	consume(queue string, prefetch int) error
	next(ctx context.Context) (taken, error)
	settle(tag uint64, f message.Fate) error // Dropped: it is to come again

	// confirm lets messages be sent of which at most so many are not confirmed.
	confirm(window int) error
	send(ctx context.Context, exchange, key string, mandatory bool, m *warren.Message) (linkConfirmation, error)
	// returned returns an error if a message was returned whose confirm has come.
	returned() error

	close()
}

// taken is a message that was taken and is not settled yet.
type taken struct {
	warren.Message
	key         string
	tag         uint64
	redelivered bool
}

// linkConfirmation waits for the confirm of a message. Wait fails with warren.ErrNacked
// if the broker does not take it.
type linkConfirmation interface {
	Wait(ctx context.Context) error
}
