package remote

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/warrenmq/warren"
)

// Options say how [Dial] connects. Their zero value is fine.
type Options struct {
	// Dial opens a network connection. Nil: [net.Dialer].
	Dial func(network, addr string) (net.Conn, error)
	// TLS is used for URLs that begin with amqps. Its ServerName may be empty: then it is the
	// URL's host. Nil: what the URL says by the parameters cacertfile, certfile, keyfile,
	// server_name_indication and verify, as amqp091-go reads them, or the system's roots.
	TLS *tls.Config
	// Timeout is how long an attempt to connect to one URL may take, until all is ready.
	// Zero: 10 seconds.
	Timeout time.Duration
	// Heartbeat is how often the connection is checked. Zero: 10 seconds.
	Heartbeat time.Duration
	// Delay is how long it waits before it connects again for the first time; each wait
	// is twice as long as the one before, up to MaxDelay, until a connection has held
	// longer than the next wait. Zero: 100 milliseconds.
	Delay time.Duration
	// MaxDelay is the longest such wait. Zero: 10 seconds.
	MaxDelay time.Duration
	// QuorumQueues declares durable queues as quorum queues (x-queue-type), of which the
	// nodes of a RabbitMQ cluster keep copies: they go on while most nodes do. Queues that
	// cannot be any, which are those with MaxPriority or a type of their own, are declared as
	// they are. A handler uses a queue of another type that exists; a subscription fails with
	// a [*warren.QueueConflictError], as it does for other differences.
	QuorumQueues bool
	// Jitter is by which part chance makes a wait shorter, from 0 to 1, so that not all
	// programs come back at once. Zero: 0.5. Negative: none.
	Jitter float64
	// Wait is how long calls, publishes and new handlers wait for a connection, if their
	// context does not end before. Then they fail with [ErrConnection]. Zero: 30 seconds.
	// Negative: they do not wait.
	Wait time.Duration
	// Logger gets a line for each change of [State]. Nil: nothing is logged.
	Logger *slog.Logger
	// Intercept and Tracer are as in [warren.Options].
	Intercept warren.Interceptors
	Tracer    warren.Tracer
}

func (o *Options) withDefaults() Options {
	var all Options
	if o != nil {
		all = *o
	}
	if all.Logger == nil {
		all.Logger = slog.New(slog.DiscardHandler)
	}
	for v, d := range map[*time.Duration]time.Duration{
		&all.Timeout: 10 * time.Second, &all.Heartbeat: 10 * time.Second,
		&all.Delay: 100 * time.Millisecond, &all.MaxDelay: 10 * time.Second,
	} {
		if *v <= 0 {
			*v = d
		}
	}
	all.Wait = cmp.Or(all.Wait, 30*time.Second)
	all.Jitter = max(0, min(1, cmp.Or(all.Jitter, 0.5)))
	return all
}
