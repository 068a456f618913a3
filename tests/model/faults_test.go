//go:build !race

package model_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// The race detector finds nothing in these tests, which run in one goroutine.

// faulty puts a fault between the operations and the broker.
type faulty struct {
	anyServer
	fault func(ch anyChannel) anyChannel
}

type faultySession struct {
	anySession
	fault func(ch anyChannel) anyChannel
}

func (f faulty) Session() (anySession, error) {
	s, err := f.anyServer.Session()
	return faultySession{s, f.fault}, err
}

func (s faultySession) Channel() (anyChannel, error) {
	ch, err := s.anySession.Channel()
	return s.fault(ch), err
}

type (
	dropsRequeued  struct{ anyChannel }
	acksOne        struct{ anyChannel }
	noPriority     struct{ anyChannel }
	rollbackGives  struct{ anyChannel }
	forgetsUnbind  struct{ anyChannel }
	silentOnReturn struct{ anyChannel }
)

func (ch dropsRequeued) Nack(tag uint64, multiple, _ bool) error {
	return ch.anyChannel.Nack(tag, multiple, false)
}

func (ch acksOne) Ack(tag uint64, _ bool) error { return ch.anyChannel.Ack(tag, false) }

func (ch noPriority) Consume(queue string, o warren.ConsumeOptions) (anyConsumer, error) {
	o.Priority = 0
	return ch.anyChannel.Consume(queue, o)
}

func (ch rollbackGives) TxRollback() error {
	err := ch.anyChannel.TxRollback()
	if err == nil {
		err = ch.anyChannel.Recover(true)
	}
	return err
}

func (ch forgetsUnbind) QueueUnbind(name, key, exchange string, args warren.Table) error {
	return ch.anyChannel.QueueUnbind(name, key+"?", exchange, args)
}

func (ch silentOnReturn) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	o.Mandatory = false
	return ch.anyChannel.Publish(exchange, key, msg, o)
}

// A broker that breaks a rule, or a model that has it wrong, is found out by
// few of the seeds, and the history that shows it is short.
func TestModelFindsFaults(t *testing.T) {
	broken := func(fault func(ch anyChannel) anyChannel) sides {
		return func() (*model, anyServer) {
			model, server := honestSides()
			return model, faulty{server, fault}
		}
	}
	faults := map[string]sides{
		"nack never requeues":            broken(func(ch anyChannel) anyChannel { return dropsRequeued{ch} }),
		"ack never means multiple":       broken(func(ch anyChannel) anyChannel { return acksOne{ch} }),
		"consumers have no priority":     broken(func(ch anyChannel) anyChannel { return noPriority{ch} }),
		"rollback requeues":              broken(func(ch anyChannel) anyChannel { return rollbackGives{ch} }),
		"unbind does nothing":            broken(func(ch anyChannel) anyChannel { return forgetsUnbind{ch} }),
		"mandatory messages are dropped": broken(func(ch anyChannel) anyChannel { return silentOnReturn{ch} }),
	}
	for _, fault := range []string{
		"messages come back at the tail",
		"the larger time to live counts",
		"messages expire anywhere",
		"what comes back has a new deadline",
		"publishing is use of a queue",
		"limits drop the last",
		"limits count what is out, too",
		"what is refused is confirmed",
		"what is refused is not dead-lettered",
		"dead letters keep their expiration",
		"deaths are not counted",
		"a reject allows no circle",
		"blind keys die",
		"priorities are ignored",
		"all consumers are active",
		"the newest consumer becomes active",
		"the delivery limit is one more",
		"a prefetch is for later consumers",
		"deliveries are not told",
	} {
		faults[fault] = func() (*model, anyServer) {
			model, server := honestSides()
			model.fault = fault
			return model, server
		}
	}
	for name, sides := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed, ops, short := search(t, sides, 1, 600, 1)
			require.NotNil(t, short, "no seed finds it")
			require.LessOrEqual(t, len(ops), 10, "seed %d:\n%s", seed, short)
		})
	}
}
