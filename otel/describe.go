package otel

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/like"
)

// maxText is how much of a text from elsewhere is kept in a span, in bytes.
const maxText = 1024

// defaultExchange is how the default exchange is called where its name, which is empty,
// would say nothing.
const defaultExchange = "amq.default"

// describe returns the name and the kind of an operation's span, and the name of the
// operation.
func describe(op *warren.Operation) (name string, kind trace.SpanKind, operation string) {
	target := op.Queue
	switch op.Kind {
	case warren.OperationReceive:
		return "receive " + target, trace.SpanKindClient, "receive"
	case warren.OperationProcess:
		return "process " + target, trace.SpanKindConsumer, "process"
	case warren.OperationReply:
		return "reply " + target, trace.SpanKindProducer, "reply"
	}
	// The routing key names the queue at the default exchange. At others there may be too
	// many keys for a name.
	switch {
	case op.Exchange != "":
		target = op.Exchange
	case isReplyAddress(op.RoutingKey), op.RoutingKey == "":
		target = defaultExchange
	default:
		target = op.RoutingKey
	}
	if op.Kind == warren.OperationCall {
		return "call " + target, trace.SpanKindClient, "call"
	}
	return "publish " + target, trace.SpanKindProducer, "publish"
}

// attributes returns the attributes of an operation's span. They never have a reply
// address: who knows it could answer in the handler's place.
func attributes(op *warren.Operation, operation string) []attribute.KeyValue {
	m := op.Message
	list := make([]attribute.KeyValue, 0, 12)
	list = append(list, semconv.MessagingSystemRabbitMQ, semconv.MessagingOperationName(operation), operationType(op.Kind),
		semconv.MessagingMessageBodySize(len(m.Body)))
	key, queue := op.RoutingKey, op.Queue
	if isReplyAddress(key) || op.Kind == warren.OperationReply {
		key, queue = "", ""
		list = append(list, semconv.MessagingDestinationTemporary(true))
	}
	list = append(list, semconv.MessagingDestinationName(destination(op.Exchange, key, queue)))
	if key != "" {
		list = append(list, semconv.MessagingRabbitMQDestinationRoutingKey(key))
	}
	if op.VirtualHost != warren.DefaultVirtualHost {
		list = append(list, attribute.String("warren.virtual_host", op.VirtualHost))
	}
	if op.DeliveryTag != 0 {
		list = append(list, semconv.MessagingRabbitMQMessageDeliveryTag(int(op.DeliveryTag)))
	}
	if m.MessageId != "" {
		list = append(list, semconv.MessagingMessageID(cut(m.MessageId, maxText)))
	}
	if id := m.CorrelationId; id != "" && !isSecret(op, id) {
		list = append(list, semconv.MessagingMessageConversationID(cut(id, maxText)))
	}
	return list
}

// isSecret reports whether a correlation id is a part of a reply address, as that of a
// Call is.
func isSecret(op *warren.Operation, id string) bool {
	addresses := []string{op.RoutingKey, op.Message.ReplyTo}
	if op.Request != nil {
		addresses = append(addresses, op.Request.ReplyTo)
	}
	for _, a := range addresses {
		if isReplyAddress(a) && strings.HasSuffix(a, id) {
			return true
		}
	}
	return false
}

func operationType(kind warren.OperationKind) attribute.KeyValue {
	switch kind {
	case warren.OperationReceive:
		return semconv.MessagingOperationTypeReceive
	case warren.OperationProcess:
		return semconv.MessagingOperationTypeProcess
	}
	return semconv.MessagingOperationTypeSend
}

// destination joins exchange, routing key and queue, as far as there are any. A queue
// with the name of the key is not repeated.
func destination(exchange, key, queue string) string {
	if queue == key {
		queue = ""
	}
	var parts []string
	for _, p := range [...]string{exchange, key, queue} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return defaultExchange
	}
	return strings.Join(parts, ":")
}

// isReplyAddress reports whether a name is an address of direct reply-to.
func isReplyAddress(name string) bool {
	for _, base := range [...]string{like.ReplyTo, like.ReplyToRabbitMQ, like.ReplyToLavinMQ} {
		if rest, ok := strings.CutPrefix(name, base); ok && strings.HasPrefix(rest, ".") {
			return true
		}
	}
	return false
}

// errorType returns the attribute that classes an error: the code of a handler's or of
// the broker's error, or the type of any other.
func errorType(err error) attribute.KeyValue {
	var remote *warren.RemoteError
	var returned *warren.Return
	var failed *warren.Error
	switch {
	case errors.As(err, &remote) && remote.Code != "":
		return semconv.ErrorTypeKey.String(cut(remote.Code, 255))
	case errors.As(err, &returned):
		return semconv.ErrorTypeKey.String(returned.Text)
	case errors.As(err, &failed):
		return semconv.ErrorTypeKey.String(strconv.Itoa(int(failed.Code)))
	case errors.Is(err, context.Canceled):
		return semconv.ErrorTypeKey.String("context.Canceled")
	case errors.Is(err, context.DeadlineExceeded):
		return semconv.ErrorTypeKey.String("context.DeadlineExceeded")
	}
	return semconv.ErrorType(err)
}

// errorText returns the text of an operation's error, without a reply address.
func errorText(op *warren.Operation, err error) string {
	text := err.Error()
	if isReplyAddress(op.RoutingKey) {
		text = strings.ReplaceAll(text, op.RoutingKey, "a reply address")
	}
	return cut(text, maxText)
}

// cut returns at most n bytes of a text, as UTF-8.
func cut(text string, n int) string {
	if len(text) > n {
		text = text[:n]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
