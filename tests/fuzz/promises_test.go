package fuzz_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// registry knows all messages that were published, by their ids.
type registry struct {
	mu   sync.Mutex
	list []warren.Message
}

// message makes a new message. Its id is its body's beginning.
func (g *registry) message(r *rand.Rand) warren.Message {
	m := warren.Message{
		Headers: headers(r), Priority: uint8(r.IntN(12)), ContentType: pick(r, []string{"", "text/plain"}),
		Type: pick(r, keys), AppId: pick(r, keys), DeliveryMode: pick(r, []uint8{0, warren.Transient, warren.Persistent}),
	}
	if r.IntN(4) == 0 {
		m.Expiration = strconv.Itoa(r.IntN(10))
	}
	if r.IntN(8) == 0 {
		m.ReplyTo, m.CorrelationId = pick(r, []string{warren.DirectReplyTo, "q0", "nobody"}), pick(r, keys)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m.MessageId = strconv.Itoa(len(g.list))
	m.Body = fmt.Appendf(nil, "%d %s", len(g.list), strings.Repeat("x", int(some(r, 2000))))
	g.list = append(g.list, m)
	return m
}

// arrived: what comes out is what went in, but for what is documented to change.
func (g *registry) arrived(t *testing.T, m warren.Message) {
	if m.MessageId == "" {
		return // of a call, or of a peer that sends what it likes
	}
	n, err := strconv.Atoi(m.MessageId)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil || n >= len(g.list) {
		t.Errorf("nobody published message %q", m.MessageId)
		return
	}
	was := g.list[n]
	was.Headers, was.Expiration, was.ReplyTo = nil, "", ""
	have := m
	have.Headers, have.Expiration, have.ReplyTo = nil, "", ""
	if !reflect.DeepEqual(was, have) {
		t.Errorf("message %d was\n%+v and came as\n%+v", n, was, have)
	}
}

func (g *registry) arrivedOverAMQP(t *testing.T, d amqp091.Delivery) {
	m := warren.Message{
		Priority: d.Priority, ContentType: d.ContentType, Type: d.Type, AppId: d.AppId, DeliveryMode: d.DeliveryMode,
		CorrelationId: d.CorrelationId, MessageId: d.MessageId, Body: d.Body,
	}
	g.arrived(t, m)
}

// normal says whether an operation in the process may fail in this way.
func normal(err error) bool {
	var failed *warren.Error
	var returned *warren.Return
	var remote *warren.RemoteError
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range list.Unwrap() {
			if !normal(err) {
				return false
			}
		}
		return true
	}
	switch {
	case err == nil, errors.Is(err, warren.ErrClosed), errors.Is(err, warren.ErrNacked), errors.Is(err, warren.ErrMemoryLimit),
		errors.Is(err, warren.ErrRequestDropped), errors.Is(err, warren.ErrConsumerCancelled), errors.Is(err, warren.ErrSlowConsumer),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &remote):
		return true
	case errors.As(err, &failed):
		return ordinary(int(failed.Code))
	case errors.As(err, &returned):
		return returned.Code == 312 || returned.Code == 313
	}
	return false
}

// ordinary are the codes of requests that are well-formed.
func ordinary(code int) bool {
	switch code {
	case 312, 313, 403, 404, 405, 406, 530, 540:
		return true
	}
	return false
}

// normalOverAMQP is normal for the official client, which has codes of its own for
// what is closed and what breaks. While its channel is being closed it may send one
// more method after the close-ok, and loses the connection for that.
func normalOverAMQP(err error) bool {
	var failed *amqp091.Error
	var broken net.Error // the server has closed the connection
	if errors.As(err, &failed) {
		late := failed.Code == 504 && strings.HasSuffix(failed.Reason, "expected 'channel.open'")
		return !failed.Server || ordinary(failed.Code) || failed.Code == 320 || late
	}
	return err == nil || errors.As(err, &broken) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}
