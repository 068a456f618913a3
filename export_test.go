package warren

import (
	"errors"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
)

// FailStores makes the queues that are declared from now on fail to store the
// messages for which refuse returns true. A nil refuse ends that.
func FailStores(b *Broker, refuse func(body []byte) bool) {
	b.openJournal = nil
	if refuse != nil {
		b.openJournal = func(string) queue.Journal { return fullJournal{refuse} }
	}
}

// fullJournal fails to store some messages.
type fullJournal struct{ refuse func(body []byte) bool }

func (j fullJournal) Add(_ uint64, e message.Entry) error {
	if j.refuse(e.Body) {
		return errors.New("the journal is full")
	}
	return nil
}

func (fullJournal) Remove(uint64) {}

// OvertakePolicy makes a policy that reaches the queues only after meanwhile has
// made other changes.
func OvertakePolicy(v *VirtualHost, p Policy, meanwhile func()) {
	fresh, _ := newPolicy(v.broker.like, userPolicy, p)
	change, _ := v.replacePolicy(userPolicy, p.Name, fresh)
	meanwhile()
	change.applyToQueues()
}

// CheapPasswords makes new passwords cheap to check, for tests that try many.
func CheapPasswords(b *Broker) { b.passwords.Rounds = 10 }
