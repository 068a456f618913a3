//go:build !race

package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// The race detector finds nothing in these tests, which run in one goroutine.

// mbFaulty puts a fault between the operations and the broker.
type mbFaulty struct {
	mbServer
	fault func(ch mbChannel) mbChannel
}

type mbFaultySession struct {
	mbSession
	fault func(ch mbChannel) mbChannel
}

func (f mbFaulty) Session() (mbSession, error) {
	s, err := f.mbServer.Session()
	return mbFaultySession{s, f.fault}, err
}

func (s mbFaultySession) Channel() (mbChannel, error) {
	ch, err := s.mbSession.Channel()
	return s.fault(ch), err
}

type (
	mbDropsRequeued  struct{ mbChannel }
	mbAcksOne        struct{ mbChannel }
	mbNoPriority     struct{ mbChannel }
	mbRollbackGives  struct{ mbChannel }
	mbForgetsUnbind  struct{ mbChannel }
	mbSilentOnReturn struct{ mbChannel }
)

func (ch mbDropsRequeued) Nack(tag uint64, multiple, _ bool) error {
	return ch.mbChannel.Nack(tag, multiple, false)
}

func (ch mbAcksOne) Ack(tag uint64, _ bool) error { return ch.mbChannel.Ack(tag, false) }

func (ch mbNoPriority) Consume(queue string, o warren.ConsumeOptions) (mbConsumer, error) {
	o.Priority = 0
	return ch.mbChannel.Consume(queue, o)
}

func (ch mbRollbackGives) TxRollback() error {
	err := ch.mbChannel.TxRollback()
	if err == nil {
		err = ch.mbChannel.Recover(true)
	}
	return err
}

func (ch mbForgetsUnbind) QueueUnbind(name, key, exchange string, args warren.Table) error {
	return ch.mbChannel.QueueUnbind(name, key+"?", exchange, args)
}

func (ch mbSilentOnReturn) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	o.Mandatory = false
	return ch.mbChannel.Publish(exchange, key, msg, o)
}

// A broker that breaks a rule, or a model that has it wrong, is found out by
// few of the seeds, and the history that shows it is short.
func TestModelFindsFaults(t *testing.T) {
	broken := func(fault func(ch mbChannel) mbChannel) mbSides {
		return func() (*mbModel, mbServer) {
			model, server := mbHonest()
			return model, mbFaulty{server, fault}
		}
	}
	faults := map[string]mbSides{
		"nack never requeues":            broken(func(ch mbChannel) mbChannel { return mbDropsRequeued{ch} }),
		"ack never means multiple":       broken(func(ch mbChannel) mbChannel { return mbAcksOne{ch} }),
		"consumers have no priority":     broken(func(ch mbChannel) mbChannel { return mbNoPriority{ch} }),
		"rollback requeues":              broken(func(ch mbChannel) mbChannel { return mbRollbackGives{ch} }),
		"unbind does nothing":            broken(func(ch mbChannel) mbChannel { return mbForgetsUnbind{ch} }),
		"mandatory messages are dropped": broken(func(ch mbChannel) mbChannel { return mbSilentOnReturn{ch} }),
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
		"deliveries are not told",
	} {
		faults[fault] = func() (*mbModel, mbServer) {
			model, server := mbHonest()
			model.fault = fault
			return model, server
		}
	}
	for name, sides := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed, ops, short := mbSearch(t, sides, 1, 600, 1)
			require.NotNil(t, short, "no seed finds it")
			require.LessOrEqual(t, len(ops), 10, "seed %d:\n%s", seed, short)
		})
	}
}
