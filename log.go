package warren

import (
	"context"
	"log/slog"
)

// changeLog writes changes to the user's logger: alarms as warnings,
// changes of accounts and of the broker itself as information, others as debug
// messages.
type changeLog struct{ log *slog.Logger }

func (l changeLog) level(kind changeKind) slog.Level {
	switch kind {
	case memoryAlarmStarted, diskAlarmStarted, changesLost:
		return slog.LevelWarn
	case userDeclared, userDeleted, definitionsImported, brokerClosed, memoryAlarmEnded, diskAlarmEnded:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// wants does not ask the logger for its level, because the logger is the host's
// code: read does so.
func (l changeLog) wants(kind changeKind) bool {
	switch kind {
	case limitsSet, bindingMade, bindingRemoved, permissionsSet, permissionsDeleted,
		sessionOpened, sessionClosed, channelOpened, channelClosed, consumerStarted, consumerEnded,
		handlerStarted, handlerEnded, handlerPanicked: // a panic is logged where it is caught
		return false
	}
	return true
}

func (l changeLog) read(c *change) {
	ctx, level := context.Background(), l.level(c.kind)
	if !l.log.Enabled(ctx, level) {
		return
	}
	text, args := c.describe()
	if c.vhost != nil {
		args = append([]any{"vhost", c.vhost.name}, args...)
	}
	l.log.Log(ctx, level, text, args...)
}

// describe returns the text and arguments of a log line, for kinds that are logged.
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
	case diskAlarmStarted:
		return "the disk takes nothing: publishers of persistent messages are held back", []any{"error", c.reason}
	case diskAlarmEnded:
		return "the disk takes messages again: publishers go on", nil
	case brokerClosed:
		return "broker closed", nil
	case changesLost:
		return "changes were lost: the logger is too slow", []any{"count", c.count}
	}
	return "", nil
}
