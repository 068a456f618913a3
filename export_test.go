package warren

import "github.com/warrenmq/warren/internal/files"

// OpenFiles is Open for a directory that tests have made.
func OpenFiles(dir files.Dir, o *Options) (*Broker, error) { return open(dir, "a test's directory", o) }

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

// StoredArguments are the arguments of a queue, an exchange and the binding between
// them, as the broker has them.
func StoredArguments(b *Broker, queue, exchange string) (list []Table) {
	x := b.root.exchanges[exchange]
	list = []Table{b.root.queues[queue].args, x.args}
	for b := range x.Bindings() {
		list = append(list, b.Args)
	}
	return list
}

// UseUpNumbers leaves numbers on disk for one more durable queue or exchange.
func UseUpNumbers(b *Broker) { b.topology.(*topologyDisk).lastStored.Store(firstTransientID - 2) }
