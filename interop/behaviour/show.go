package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/wire"
)

// madeUp are names that a broker makes up.
var madeUp = regexp.MustCompile(`(amq\.gen-|amq\.ctag-|amq\.rabbitmq\.reply-to\.)[-\w.=+/]+`)

// broken is where Erlang breaks a long term into lines.
var broken = regexp.MustCompile(`\n +`)

func stable(line string) string {
	return broken.ReplaceAllString(madeUp.ReplaceAllString(line, "$1…"), "")
}

// outcome says how an operation of the script's connection has ended.
func (s *script) outcome(err error) string {
	var e *amqp.Error
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &e):
		return err.Error()
	case s.conn.IsClosed():
		return fmt.Sprintf("connection %d %s", e.Code, e.Reason)
	}
	return fmt.Sprintf("channel %d %s", e.Code, e.Reason)
}

// shown is a value with its type, tables in order.
func shown(v any) string {
	switch v := v.(type) {
	case amqp.Table:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+"="+shown(v[k]))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, shown(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case time.Time:
		return "(time)"
	case string:
		return fmt.Sprintf("%q", v)
	case nil:
		return "nil"
	}
	return fmt.Sprintf("%T(%v)", v, v)
}

// shownMethod is a method with the arguments that are set.
func shownMethod(m wire.Method) string {
	switch m := m.(type) {
	case *wire.ChannelClose:
		return fmt.Sprintf("channel.close %d %s (%s)", m.ReplyCode, m.ReplyText, m.Cause)
	case *wire.ConnectionClose:
		return fmt.Sprintf("connection.close %d %s (%s)", m.ReplyCode, m.ReplyText, m.Cause)
	case *wire.BasicAck: // of publishes; how many are settled at once is free
		return fmt.Sprintf("basic.ack %d", m.DeliveryTag)
	case *wire.BasicNack:
		return fmt.Sprintf("basic.nack %d", m.DeliveryTag)
	}
	text := m.ID().String()
	for field, v := range reflect.ValueOf(m).Elem().Fields() {
		if field.IsExported() && !v.IsZero() {
			if octets, ok := v.Interface().([]byte); ok {
				text += fmt.Sprintf(" %s=%q", field.Name, octets)
			} else {
				text += fmt.Sprintf(" %s=%v", field.Name, v)
			}
		}
	}
	return text
}
