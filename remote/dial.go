package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// DialError says why there is no connection to one broker. If the broker has refused it,
// the error also is a [*warren.Error], so that [errors.Is] finds
// [warren.ErrAccessRefused] for a wrong password.
type DialError struct {
	URL string // without the password
	Err error
}

// Error tells the URL and the reason.
func (e *DialError) Error() string {
	if e.Err == amqp091.ErrCredentials { // RabbitMQ says nothing to a wrong password
		return fmt.Sprintf("remote: %s: %v, or the connection has broken: check the user, the password and the broker's log", e.URL, e.Err)
	}
	return fmt.Sprintf("remote: %s: %v", e.URL, e.Err)
}

// Unwrap returns the reason, and the same as an error of package warren.
func (e *DialError) Unwrap() []error {
	a, ok := errors.AsType[*amqp091.Error](e.Err)
	if !ok {
		return []error{e.Err}
	}
	return []error{e.Err, &warren.Error{Code: uint16(a.Code), Text: a.Reason}}
}

var (
	errDialTimeout = errors.New("no answer within Options.Timeout")
	errNoURL       = errors.New("it is no URL")
)

// shown is a URL without what is secret.
func shown(broker string) string {
	u, err := url.Parse(broker)
	if err != nil {
		return "a URL that cannot be read"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	u.RawQuery = ""
	return u.String()
}

// dialAny tries each URL once, beginning with that of a number. It returns the number of
// the one that has answered.
func (b *Broker) dialAny(ctx context.Context, from int) (*bridge, int, error) {
	var errs []error
	for i := range b.urls {
		n := (from + i) % len(b.urls)
		br, err := b.dial(ctx, b.urls[n])
		if err == nil {
			return br, n, nil
		}
		if _, ok := errors.AsType[*url.Error](err); ok {
			err = errNoURL // the other has the password
		}
		errs = append(errs, &DialError{shown(b.urls[n]), err})
	}
	return nil, from, errors.Join(errs...)
}

// dial connects to one broker and makes all ready.
func (b *Broker) dial(ctx context.Context, broker string) (*bridge, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, b.options.Timeout, errDialTimeout)
	defer cancel()
	var nc *gatherer
	stop := func() bool { return true }
	dial := func(network, addr string) (net.Conn, error) {
		c, err := b.dialNetwork(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		nc = newGatherer(c)
		stop = context.AfterFunc(ctx, func() { c.Close() })
		return nc, nil
	}
	var br *bridge
	conn, err := amqp091.DialConfig(broker, amqp091.Config{
		Heartbeat: b.options.Heartbeat, Dial: dial,
		TLSClientConfig: b.options.TLS.Clone(), // which is changed
	})
	if err == nil {
		br, err = newBridge(b, conn, nc, userOf(broker))
	}
	if !stop() {
		err = cmp.Or(context.Cause(ctx), err)
		if br != nil {
			br.end(err)
		}
	}
	if err == nil {
		return br, nil
	}
	if nc != nil {
		nc.Close()
	}
	return nil, err
}

// dialNetwork opens a network connection. A function of the user that does not return is
// not waited for.
func (b *Broker) dialNetwork(ctx context.Context, network, addr string) (net.Conn, error) {
	if b.options.Dial == nil {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		return nc, cmp.Or(context.Cause(ctx), err)
	}
	type result struct {
		net.Conn
		error
	}
	dialed := make(chan result, 1)
	go func() {
		nc, err := b.options.Dial(network, addr)
		dialed <- result{nc, err}
	}()
	select {
	case r := <-dialed:
		return r.Conn, r.error
	case <-ctx.Done():
		go func() {
			if r := <-dialed; r.error == nil {
				r.Conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// userOf is the name that a URL logs in with; empty: it is not known.
func userOf(broker string) string {
	u, err := amqp091.ParseURI(broker)
	if err != nil || u.AuthMechanism != nil { // such as that of the certificate
		return ""
	}
	return u.Username
}
