package warren

import (
	"errors"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
)

// FailStores makes the queues that are declared from now on refuse the
// messages that refuse names; nil ends that.
func FailStores(b *Broker, refuse func(body []byte) bool) {
	b.openJournal = nil
	if refuse != nil {
		b.openJournal = func(string) queue.Journal { return fullJournal{refuse} }
	}
}

// fullJournal cannot keep some messages.
type fullJournal struct{ refuse func(body []byte) bool }

func (j fullJournal) Add(_ uint64, e message.Entry) error {
	if j.refuse(e.Body) {
		return errors.New("the journal is full")
	}
	return nil
}

func (fullJournal) Remove(uint64) {}

// OvertakePolicy makes a policy that the queues hear of only after they have
// heard of what meanwhile changes.
func OvertakePolicy(v *VirtualHost, p Policy, meanwhile func()) {
	fresh, _ := newPolicy(userPolicy, p)
	change, _ := v.replacePolicy(userPolicy, p.Name, fresh)
	meanwhile()
	change.applyToQueues()
}

// CheapPasswords makes the passwords to come cheap to check, for tests that try
// many.
func CheapPasswords(b *Broker) { b.passwords.Rounds = 10 }
