package warren

import (
	"context"
	"log/slog"
)

// changeLog writes changes to the user's logger: the memory alarm as a warning,
// changes of accounts and of the broker itself as information, others as debug
// messages.
type changeLog struct{ log *slog.Logger }

func (l changeLog) level(kind changeKind) slog.Level {
	switch kind {
	case memoryAlarmStarted:
		return slog.LevelWarn
	case userDeclared, userDeleted, definitionsImported, brokerClosed, memoryAlarmEnded:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

func (l changeLog) wants(kind changeKind) bool {
	return l.log.Enabled(context.Background(), l.level(kind))
}

func (l changeLog) read(c *change) {
	text, args := c.describe()
	if text == "" {
		return
	}
	if c.vhost != nil {
		args = append([]any{"vhost", c.vhost.name}, args...)
	}
	l.log.Log(context.Background(), l.level(c.kind), text, args...)
}

// describe returns the text and arguments of a log line. An empty text means that
// the change is not logged.
func (c *change) describe() (text string, args []any) {
	switch c.kind {
	case vhostDeclared:
		return "vhost declared", nil
	case vhostDeleted:
		return "vhost deleted", nil
	case exchangeDeclared:
		return "exchange declared", []any{"exchange", c.exchange.Name}
	case exchangeDeleted:
		return "exchange deleted", []any{"exchange", c.exchange.Name}
	case queueDeclared:
		return "queue declared", []any{"queue", c.queue.Name()}
	case queueDeleted:
		return "queue deleted", []any{"queue", c.queue.Name()}
	case policySet:
		return c.policyKind.String() + " set", []any{"policy", c.policy.Name}
	case policyDeleted:
		return c.policyKind.String() + " deleted", []any{"policy", c.policy.Name}
	case userDeclared:
		return "user declared", []any{"user", c.user}
	case userDeleted:
		return "user deleted", []any{"user", c.user}
	case definitionsImported:
		return "definitions imported", []any{"problems", c.count}
	case memoryAlarmStarted:
		return "memory limit reached: publishers are held back", nil
	case memoryAlarmEnded:
		return "memory is free again: publishers go on", nil
	case brokerClosed:
		return "broker closed", nil
	}
	return "", nil
}
