package warren

import "github.com/warrenmq/warren/internal/wire"

// declared notes the queue that an empty name stands for.
func (ch *Channel) declared(name string) {
	ch.mu.Lock()
	ch.lastQueue = name
	ch.mu.Unlock()
}

// queueName replaces an empty name by that of the queue declared last.
func (ch *Channel) queueName(m wire.MethodID, name string) (string, error) {
	if name != "" {
		return name, checkName(m, "queue name", name)
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.lastQueue == "" {
		return "", failure(m, wire.CodeNotFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// readQueue is findQueue for what needs the permission to read.
func (ch *Channel) readQueue(m wire.MethodID, name string) (*declaredQueue, error) {
	name, err := ch.queueName(m, name)
	if err == nil {
		err = ch.session.mayQueue(m, toRead, name)
	}
	if err != nil {
		return nil, err
	}
	q, err := ch.vhost.queueFor(m, ch.session, name)
	if err == nil && q.IsStream() && m != wire.BasicConsumeID {
		return nil, ch.vhost.noStream(m, m.String(), q.Name)
	}
	return q, err
}

// findQueue finds a queue that the channel's session may use.
func (ch *Channel) findQueue(m wire.MethodID, name string) (*declaredQueue, error) {
	name, err := ch.queueName(m, name)
	if err != nil {
		return nil, err
	}
	return ch.vhost.queueFor(m, ch.session, name)
}
