package warrentest

import "github.com/warrenmq/warren"

// CancelConsumers lets the broker cancel all consumers of a queue of the virtual host "/",
// as when a queue's leader changes: clients get basic.cancel. It returns how many there
// were.
func (b *Broker) CancelConsumers(queue string) int {
	b.t.Helper()
	return b.cancelConsumers("/", queue)
}

func (b *Broker) cancelConsumers(vhost, queue string) (n int) {
	v, err := b.VirtualHost(vhost)
	if err != nil {
		return 0
	}
	for _, c := range v.Consumers() {
		if c.Queue == queue && b.ConsumerCancel(c.Session, c.Channel, c.Tag) == nil {
			n++
		}
	}
	return n
}

// deleteQueue deletes a queue with its messages.
func (b *Broker) deleteQueue(vhost, name string) error {
	v, err := b.VirtualHost(vhost)
	if err != nil {
		return err
	}
	ch, err := v.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	_, err = ch.QueueDelete(name, warren.QueueDeleteOptions{})
	return err
}
