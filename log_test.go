package warren_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// logText collects the lines of a log, without their time.
type logText struct{ strings.Builder }

func (l *logText) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func changeThings(t *testing.T, log *slog.Logger) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(&warren.Options{Logger: log})
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		ch, err := v.Channel()
		require.NoError(t, err)
		require.NoError(t, ch.ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{}))
		_, err = ch.QueueDeclare("q", warren.QueueOptions{})
		require.NoError(t, err)
		require.NoError(t, v.PolicySet(warren.Policy{Name: "p", Definition: warren.Table{"max-length": 1}}))
		require.NoError(t, v.OperatorPolicySet(warren.Policy{Name: "o", Definition: warren.Table{"max-length": 1}}))
		require.NoError(t, v.PolicyDelete("p"))
		require.NoError(t, v.OperatorPolicyDelete("o"))
		require.NoError(t, ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{}))
		_, err = ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.NoError(t, b.UserDeclare("ann", ""))
		require.NoError(t, b.UserDelete("ann"))
		require.NoError(t, b.DefinitionsImport(strings.NewReader("{}")))
		require.NoError(t, b.VirtualHostDelete("v"))
		require.NoError(t, b.Close())
	})
}

func TestChangesOfStateAreLogged(t *testing.T) {
	var debug, info logText
	changeThings(t, debug.logger(slog.LevelDebug))
	require.Equal(t, `level=DEBUG msg="vhost declared" vhost=v
level=DEBUG msg="exchange declared" vhost=v exchange=x
level=DEBUG msg="queue declared" vhost=v queue=q
level=DEBUG msg="policy set" vhost=v policy=p
level=DEBUG msg="operator policy set" vhost=v policy=o
level=DEBUG msg="policy deleted" vhost=v policy=p
level=DEBUG msg="operator policy deleted" vhost=v policy=o
level=DEBUG msg="exchange deleted" vhost=v exchange=x
level=DEBUG msg="queue deleted" vhost=v queue=q
level=INFO msg="user declared" user=ann
level=INFO msg="user deleted" user=ann
level=INFO msg="definitions imported" problems=0
level=DEBUG msg="vhost deleted" vhost=v
level=INFO msg="broker closed"
`, debug.String())
	changeThings(t, info.logger(slog.LevelInfo))
	require.Equal(t, `level=INFO msg="user declared" user=ann
level=INFO msg="user deleted" user=ann
level=INFO msg="definitions imported" problems=0
level=INFO msg="broker closed"
`, info.String())
}

func TestTheMemoryLimitIsLogged(t *testing.T) {
	var log logText
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(&warren.Options{Logger: log.logger(slog.LevelInfo), MemoryLimit: 1000})
		ch, err := b.Channel()
		require.NoError(t, err)
		_, err = ch.QueueDeclare("q", warren.QueueOptions{})
		require.NoError(t, err)
		publish := func() error {
			return ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 1000)}, warren.PublishOptions{})
		}
		require.NoError(t, publish())
		done := make(chan error)
		go func() { done <- publish() }()
		synctest.Wait()
		_, err = ch.QueuePurge("q")
		require.NoError(t, err)
		require.NoError(t, <-done)
		require.NoError(t, b.Close())
	})
	require.Equal(t, `level=WARN msg="memory limit reached: publishers are held back"
level=INFO msg="memory is free again: publishers go on"
level=INFO msg="broker closed"
`, log.String())
}

// TestALoggerMayUseTheBroker: the log is written with no lock held.
func TestALoggerMayUseTheBroker(t *testing.T) {
	h := &declaringHandler{Handler: slog.DiscardHandler}
	b := warren.New(&warren.Options{Logger: slog.New(h)})
	ch, err := b.Channel()
	require.NoError(t, err)
	h.declare = func() { _, h.err = ch.QueueDeclare("logged", warren.QueueOptions{}) }
	_, err = ch.QueueDeclare("q", warren.QueueOptions{})
	require.NoError(t, err)
	require.NoError(t, h.err)
	require.Equal(t, 2, b.Stats().Queues)
	require.NoError(t, b.Close())
}

// declaringHandler declares a queue when it hears of the first one.
type declaringHandler struct {
	slog.Handler
	declare func()
	err     error
}

func (h *declaringHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *declaringHandler) Handle(_ context.Context, r slog.Record) error {
	if declare := h.declare; declare != nil && r.Message == "queue declared" {
		h.declare = nil
		declare()
	}
	return nil
}
