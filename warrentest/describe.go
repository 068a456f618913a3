package warrentest

import (
	"strings"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// describe sets the fields of the Event that the method itself tells.
func (o *op) describe() {
	switch m := o.method.(type) {
	case *wire.ConnectionClose:
		o.Code, o.Text = m.ReplyCode, m.ReplyText
	case *wire.ConnectionBlocked:
		o.Text = m.Reason
	case *wire.ConnectionStartOk:
		o.User = userOf(m)
	case *wire.ConnectionOpen:
		o.VirtualHost = m.VirtualHost
	case *wire.ChannelClose:
		o.Code, o.Text = m.ReplyCode, m.ReplyText
	default:
		switch o.id.Class() {
		case wire.ClassBasic:
			o.describeBasic()
		case wire.ClassExchange, wire.ClassQueue:
			o.describeTopology()
		}
	}
}

// describeTopology is describe for the classes exchange and queue.
func (o *op) describeTopology() {
	switch m := o.method.(type) {
	case *wire.ExchangeDeclare:
		o.Exchange, o.Text = m.Exchange, m.Type
	case *wire.ExchangeDelete:
		o.Exchange = m.Exchange
	case *wire.ExchangeBind:
		o.Exchange, o.RoutingKey, o.Text = m.Source, m.RoutingKey, "to exchange "+m.Destination
	case *wire.ExchangeUnbind:
		o.Exchange, o.RoutingKey, o.Text = m.Source, m.RoutingKey, "from exchange "+m.Destination
	case *wire.QueueDeclare:
		o.Queue = m.Queue
	case *wire.QueueDeclareOk:
		o.Queue = m.Queue
	case *wire.QueueBind:
		o.Queue, o.Exchange, o.RoutingKey = m.Queue, m.Exchange, m.RoutingKey
	case *wire.QueueUnbind:
		o.Queue, o.Exchange, o.RoutingKey = m.Queue, m.Exchange, m.RoutingKey
	case *wire.QueuePurge:
		o.Queue = m.Queue
	case *wire.QueueDelete:
		o.Queue = m.Queue
	}
}

// describeBasic is describe for the class basic.
func (o *op) describeBasic() {
	switch m := o.method.(type) {
	case *wire.BasicPublish:
		o.Exchange, o.RoutingKey, o.Mandatory = string(m.Exchange), string(m.RoutingKey), m.Mandatory
	case *wire.BasicReturn:
		o.Exchange, o.RoutingKey = string(m.Exchange), string(m.RoutingKey)
		o.Code, o.Text = m.ReplyCode, string(m.ReplyText)
	case *wire.BasicDeliver:
		o.Exchange, o.RoutingKey, o.ConsumerTag = string(m.Exchange), string(m.RoutingKey), string(m.ConsumerTag)
		o.DeliveryTag, o.Redelivered = m.DeliveryTag, m.Redelivered
	case *wire.BasicGet:
		o.Queue = string(m.Queue)
	case *wire.BasicGetOk:
		o.Exchange, o.RoutingKey = string(m.Exchange), string(m.RoutingKey)
		o.DeliveryTag, o.Redelivered = m.DeliveryTag, m.Redelivered
	case *wire.BasicConsume:
		o.Queue, o.ConsumerTag = string(m.Queue), string(m.ConsumerTag)
	case *wire.BasicConsumeOk:
		o.ConsumerTag = string(m.ConsumerTag)
	case *wire.BasicCancel:
		o.ConsumerTag = string(m.ConsumerTag)
	case *wire.BasicCancelOk:
		o.ConsumerTag = string(m.ConsumerTag)
	case *wire.BasicAck:
		o.DeliveryTag, o.Multiple = m.DeliveryTag, m.Multiple
	case *wire.BasicNack:
		o.DeliveryTag, o.Multiple, o.Requeue = m.DeliveryTag, m.Multiple, m.Requeue
	case *wire.BasicReject:
		o.DeliveryTag, o.Requeue = m.DeliveryTag, m.Requeue
	case *wire.BasicRecover:
		o.Requeue = m.Requeue
	}
}

// message returns the content of an op as a message. It shares the body.
func (o *op) message() *warren.Message {
	var p wire.Properties
	if len(o.props) > 0 {
		p.Parse(o.props) // it was checked when it came
	}
	return &warren.Message{
		Headers: p.Headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode,
		Priority: p.Priority, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo, Expiration: p.Expiration,
		MessageId: p.MessageId, Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserId, AppId: p.AppId, Body: o.body,
	}
}

// isAnswered reports whether the listener answers the method with another one. Publishes
// are confirmed instead.
func (o *op) isAnswered() bool {
	switch m := o.method.(type) {
	case *wire.ExchangeDeclare:
		return !m.NoWait
	case *wire.ExchangeDelete:
		return !m.NoWait
	case *wire.ExchangeBind:
		return !m.NoWait
	case *wire.ExchangeUnbind:
		return !m.NoWait
	case *wire.QueueDeclare:
		return !m.NoWait
	case *wire.QueueBind:
		return !m.NoWait
	case *wire.QueuePurge:
		return !m.NoWait
	case *wire.QueueDelete:
		return !m.NoWait
	case *wire.BasicConsume:
		return !m.NoWait
	case *wire.BasicCancel:
		return !m.NoWait
	case *wire.ConfirmSelect:
		return !m.NoWait
	case *wire.QueueUnbind, *wire.BasicGet, *wire.BasicQos, *wire.BasicRecover, *wire.TxSelect, *wire.TxCommit, *wire.TxRollback,
		*wire.ChannelOpen, *wire.ChannelClose, *wire.ChannelFlow, *wire.AccessRequest:
		return true
	}
	return false
}

// answersSomething reports whether a method of the listener answers one of the client.
func (o *op) answersSomething() bool {
	switch o.id {
	case wire.ChannelFlowID, wire.BasicCancelID:
		return false
	case wire.BasicGetEmptyID, wire.ChannelCloseID:
		return true
	}
	return strings.HasSuffix(o.Method, "-ok")
}

// userOf returns the user who logs in.
func userOf(m *wire.ConnectionStartOk) string {
	switch m.Mechanism {
	case "PLAIN":
		if parts := strings.SplitN(m.Response, "\x00", 3); len(parts) == 3 {
			return parts[1]
		}
	case "AMQPLAIN":
		if t, err := wire.ParseTable([]byte(m.Response)); err == nil {
			user, _ := t["LOGIN"].(string)
			return user
		}
	}
	return ""
}

// isMethod reports whether a pattern is like the name of a method.
func isMethod(pattern string) bool {
	if pattern == Connect || pattern == Heartbeat || glob(pattern, Connect) || glob(pattern, Heartbeat) {
		return true
	}
	for class := range uint32(wire.ClassTx + 1) {
		for method := range uint32(maxMethod + 1) {
			if id := wire.MethodID(class<<16 | method); glob(pattern, id.String()) && !strings.HasPrefix(id.String(), "method ") {
				return true
			}
		}
	}
	return false
}

const maxMethod = 120
