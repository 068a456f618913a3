// Package same_test has one description of what programs may expect that are written
// against the interfaces of package warren, and tries it on a broker in the process, on
// one elsewhere that is another Warren, and with -urls on one that is RabbitMQ:
// interop/remote/run.
package same_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

var (
	urls   = flag.String("urls", "", "of the nodes of a RabbitMQ cluster, with commas between them: the rules are tried there instead")
	quorum = flag.Bool("quorum", false, "with -urls: durable queues are quorum queues")
)

// party is what programs are written against.
type party interface {
	warren.Caller
	warren.Responder
	warren.StreamCaller
	warren.StreamResponder
	warren.Publisher
	warren.Subscriber
	Close() error
}

var (
	_ party = (*warren.Broker)(nil)
	_ party = (*remote.Broker)(nil)
)

// world is where a rule is tried: a program that calls, one that serves, and the broker
// between them.
type world struct {
	*testing.T
	caller, server party
	inProcess      bool // both are the broker
	rabbit         bool // the broker is RabbitMQ
	connect        func() (*amqp091.Connection, error)
	names          string
}

// heartbeat is short, since it also is how often it is looked whether others are there.
const heartbeat = 2 * time.Second

// soon is how long anything may take.
const soon = 30 * time.Second

var worlds atomic.Int64

// everywhere tries a rule in each world.
func everywhere(t *testing.T, rule func(w *world)) { everywhereWith(t, warren.Interceptors{}, rule) }

func everywhereWith(t *testing.T, i warren.Interceptors, rule func(w *world)) {
	t.Helper()
	if *urls != "" {
		cluster(t, i, rule)
		return
	}
	t.Run("process", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, srv := brokertest.Serve(t, &warren.Options{Intercept: i}, nil)
			w := newWorld(t, dialer(srv.Dial, "amqp://guest:guest@localhost/"))
			w.caller, w.server, w.inProcess = b, b, true
			rule(w)
		})
	})
	t.Run("warren", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, srv := brokertest.Serve(t, nil, nil)
			const url = "amqp://guest:guest@localhost/"
			w := newWorld(t, dialer(srv.Dial, url))
			o := &remote.Options{Dial: srv.Dial, Heartbeat: heartbeat, Intercept: i}
			w.caller, w.server = w.remote(o, url), w.remote(o, url)
			rule(w)
		})
	})
}

// cluster tries a rule on RabbitMQ: the caller is at the first node, the server at the
// last one.
func cluster(t *testing.T, i warren.Interceptors, rule func(w *world)) {
	nodes := strings.Split(*urls, ",")
	t.Run("rabbitmq", func(t *testing.T) {
		w := newWorld(t, dialer(nil, nodes[0]))
		o := &remote.Options{Heartbeat: heartbeat, Intercept: i, QuorumQueues: *quorum}
		w.caller, w.server, w.rabbit = w.remote(o, nodes[0]), w.remote(o, nodes[len(nodes)-1]), true
		rule(w)
	})
}

func newWorld(t *testing.T, connect func() (*amqp091.Connection, error)) *world {
	return &world{T: t, connect: connect, names: fmt.Sprintf("%s-%d-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano(), worlds.Add(1))}
}

func dialer(dial brokertest.Dialer, url string) func() (*amqp091.Connection, error) {
	return func() (*amqp091.Connection, error) { return amqp091.DialConfig(url, amqp091.Config{Dial: dial}) }
}

func (w *world) remote(o *remote.Options, url string) *remote.Broker {
	r, err := remote.Dial(w.Context(), []string{url}, o)
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, r.Close()) })
	return r
}

// name makes a name that only this rule has.
func (w *world) name(s string) string { return w.names + "." + s }

// client is a client of the broker that knows nothing of this library.
func (w *world) client() (*amqp091.Connection, *amqp091.Channel) {
	conn, err := w.connect()
	require.NoError(w, err)
	w.Cleanup(func() { conn.Close() })
	return conn, brokertest.ClientChannel(w, conn)
}

// queue makes a durable queue without a handler, which ends with the rule.
func (w *world) queue(ch *amqp091.Channel, s string, args amqp091.Table) string {
	name := w.name(s)
	_, err := ch.QueueDeclare(name, true, false, false, false, args)
	require.NoError(w, err)
	w.deletes(name)
	return name
}

// exists reports whether there is a queue.
func (w *world) exists(name string) bool {
	conn, err := w.connect()
	require.NoError(w, err)
	defer conn.Close()
	_, err = brokertest.ClientChannel(w, conn).QueueDeclarePassive(name, false, false, false, false, nil)
	return err == nil
}

// deletes lets a queue end with the rule.
func (w *world) deletes(name string) {
	w.Cleanup(func() {
		conn, err := w.connect()
		require.NoError(w, err)
		defer conn.Close()
		ch, err := conn.Channel()
		require.NoError(w, err)
		_, err = ch.QueueDelete(name, false, false, false)
		require.NoError(w, err)
	})
}

// handle serves a queue of the rule's own.
func (w *world) handle(s string, f warren.HandlerFunc, opts ...warren.HandleOptions) string {
	h, err := w.server.Handle(w.name(s), f, opts...)
	require.NoError(w, err)
	return h.Queue()
}

func (w *world) call(queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
	ctx, cancel := context.WithCancel(w.Context()) // a deadline would change what is sent
	defer cancel()
	defer time.AfterFunc(2*soon, cancel).Stop()
	return w.caller.Call(ctx, queue, msg, opts...)
}

// receive waits for a value that must come soon.
func receive[T any](w *world, c <-chan T) T {
	w.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(soon):
		require.FailNow(w, "nothing came")
		panic("unreachable")
	}
}

// eventually waits until f holds.
func (w *world) eventually(f func() bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), soon)
	defer cancel()
	for every := time.NewTicker(20 * time.Millisecond); !f(); {
		select {
		case <-every.C:
		case <-ctx.Done():
			every.Stop()
			require.FailNow(w, "it did not become so")
		}
	}
}

func echo(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil }
