package warren

import (
	"errors"
	"io"
)

// FailStores makes the queues that are declared from now on refuse the
// messages that refuse names; nil ends that.
func FailStores(b *Broker, refuse func(body []byte) bool) {
	b.openJournal = nil
	if refuse != nil {
		b.openJournal = func(string) journal { return fullJournal{refuse} }
	}
}

// fullJournal cannot keep some messages.
type fullJournal struct{ refuse func(body []byte) bool }

func (j fullJournal) add(_ uint64, e entry) error {
	if j.refuse(e.body) {
		return errors.New("the journal is full")
	}
	return nil
}

func (fullJournal) remove(uint64) {}

// OvertakePolicy makes a policy that the queues hear of only after they have
// heard of what meanwhile changes.
func OvertakePolicy(v *VirtualHost, p Policy, meanwhile func()) {
	fresh, _ := newPolicy(userPolicy, p)
	change, _ := v.replacePolicy(userPolicy, p.Name, fresh)
	meanwhile()
	change.reachQueues()
}

// TopicSteps matches key in a topic exchange that has the patterns, and counts
// the places behind a # that the match went on from.
func TopicSteps(key string, patterns ...string) int {
	m := newMatcher(Topic, nil)
	for _, p := range patterns {
		m.add(&binding{bindingKey: bindingKey{queue: &queue{}, key: p}})
	}
	r := &routing{}
	m.match(r, key, nil)
	return len(r.entered)
}

// MixHash is the step that consistent hash exchanges hash with.
var MixHash = mixHash

// MaxDefinitions is how large a definitions file may be.
const MaxDefinitions = maxDefinitions

// ReadDefinitions looks at a definitions file with another limit.
func ReadDefinitions(r io.Reader, limit int) error {
	_, err := readDefinitions(r, limit)
	return err
}

// CheapPasswords makes the passwords to come cheap to check, for tests that try
// many.
func CheapPasswords(b *Broker) { b.passwords.rounds = 10 }
