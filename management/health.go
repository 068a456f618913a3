package management

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

func healthRoutes() []route {
	list := []route{
		{path: "aliveness-test/{vhost}", access: everyUser, get: (*call).aliveness},
		{path: "healthchecks/node", access: everyUser, get: (*call).healthy},
		{path: "healthchecks/node/{node}", access: everyUser, get: (*call).healthy},
		{path: "health/checks/alarms", access: everyUser, get: (*call).checkAlarms},
		{path: "health/checks/local-alarms", access: everyUser, get: (*call).checkAlarms},
		{path: "health/checks/certificate-expiration/{within}/{unit}", access: everyUser, get: (*call).checkCertificates},
		{path: "health/checks/port-listener/{port}", access: everyUser, get: (*call).checkPort},
		{path: "health/checks/protocol-listener/{protocol}", access: everyUser, get: (*call).checkProtocol},
	}
	for _, name := range [...]string{"virtual-hosts", "metadata-store/initialized", "metadata-store/initialized/with-data"} {
		list = append(list, route{path: "health/checks/" + name, access: everyUser, get: (*call).healthy})
	}
	for _, name := range [...]string{"node-is-mirror-sync-critical", "node-is-quorum-critical", "quorum-queues-without-elected-leaders/all-vhosts"} {
		list = append(list, route{path: "health/checks/" + name, access: everyUser, get: (*call).healthyAlone})
	}
	for _, name := range [...]string{"is-in-service", "ready-to-serve-clients", "below-node-connection-limit", "reached-target-cluster-size"} {
		list = append(list, route{path: "health/checks/" + name, access: openToAll, get: (*call).healthy})
	}
	return list
}

// health answers a check: 200 if it was passed, else 503 with the reason.
func (c *call) health(reason string, more func(*fields)) error {
	f := &fields{}
	f.open()
	status := http.StatusOK
	if reason == "" {
		f.str("status", "ok")
	} else {
		status = http.StatusServiceUnavailable
		f.str("status", "failed")
		f.str("reason", reason)
	}
	if more != nil {
		more(f)
	}
	f.close()
	send(c.w, c.r, status, f.out)
	return nil
}

// healthy is passed while the broker is open.
func (c *call) healthy() error {
	if c.isClosed() {
		return c.health("the broker is closed", nil)
	}
	return c.health("", nil)
}

// healthyAlone is passed because there is no other node.
func (c *call) healthyAlone() error {
	return c.health("", func(f *fields) { f.str("reason", "single node cluster") })
}

func (c *call) checkAlarms() error {
	room := c.broker.Capacity()
	var alarms []string
	if room.MemoryAlarm {
		alarms = append(alarms, "memory")
	}
	if room.DiskAlarm {
		alarms = append(alarms, "disk")
	}
	if alarms == nil {
		return c.healthy()
	}
	return c.health("There are alarms in effect in the cluster", func(f *fields) {
		if !f.beginList("alarms") {
			return
		}
		for _, a := range alarms {
			f.open()
			f.str("node", c.node)
			f.str("resource", a)
			f.close()
		}
		f.endList()
	})
}

// listener is an address at which the broker can be reached.
type listener struct {
	protocol string // as the API names it
	host     string
	port     int
}

// listeners returns those of the AMQP servers, and that to which the request came.
func (c *call) listeners() []listener {
	var list []listener
	for _, s := range c.options.Servers {
		a, ok := s.Addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		protocol := "amqp"
		if strings.HasPrefix(s.URL(), "amqps:") {
			protocol = "amqp/ssl"
		}
		list = append(list, listener{protocol, a.IP.String(), a.Port})
	}
	if a, ok := c.r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		protocol := "http"
		if c.r.TLS != nil {
			protocol = "https"
		}
		list = append(list, listener{protocol, a.IP.String(), a.Port})
	}
	return list
}

func (c *call) checkPort() error {
	port, err := strconv.Atoi(c.names[0])
	if err != nil {
		return badRequest("Invalid port")
	}
	all := c.listeners()
	if slices.ContainsFunc(all, func(l listener) bool { return l.port == port }) {
		return c.health("", func(f *fields) { f.int("port", port) })
	}
	return c.health("No active listener", func(f *fields) {
		f.int("missing", port)
		if f.beginList("ports") {
			for _, l := range all {
				f.comma()
				f.out = strconv.AppendInt(f.out, int64(l.port), 10)
			}
			f.endList()
		}
	})
}

func (c *call) checkProtocol() error {
	protocol := c.names[0]
	switch protocol {
	case "amqp091", "amqp0.9.1", "amqp0-9-1", "amqp-0-9-1":
		protocol = "amqp"
	case "amqps", "amqp-tls", "amqp/tls":
		protocol = "amqp/ssl"
	}
	all := c.listeners()
	if slices.ContainsFunc(all, func(l listener) bool { return l.protocol == protocol }) {
		return c.health("", func(f *fields) { f.str("protocol", protocol) })
	}
	return c.health("No active listener", func(f *fields) {
		f.str("missing", c.names[0])
		var names []string
		for _, l := range all {
			names = append(names, l.protocol)
		}
		f.strings("protocols", names)
	})
}

// checkCertificates fails if a certificate of an AMQP server with TLS ends within a time.
func (c *call) checkCertificates() error {
	n, err := strconv.Atoi(c.names[0])
	if err != nil || n < 0 || n > 10_000 {
		return badRequest("Invalid expiration period")
	}
	at := time.Now()
	switch c.names[1] {
	case "days":
		at = at.AddDate(0, 0, n)
	case "weeks":
		at = at.AddDate(0, 0, 7*n)
	case "months":
		at = at.AddDate(0, n, 0)
	case "years":
		at = at.AddDate(n, 0, 0)
	default:
		return badRequest("Time unit not recognised. Supported units: days, weeks, months, years.")
	}
	var failed []string
	for _, l := range c.listeners() {
		if l.protocol != "amqp/ssl" {
			continue
		}
		end, err := certificateEnd(c.r.Context(), l)
		if err != nil {
			failed = append(failed, fmt.Sprintf("port %d: %s", l.port, err))
		} else if end.Before(at) {
			failed = append(failed, fmt.Sprintf("port %d: the certificate ends at %s", l.port, end.UTC().Format(time.RFC3339)))
		}
	}
	if failed == nil {
		return c.healthy()
	}
	return c.health("Certificates expiring: "+strings.Join(failed, ", "), nil)
}

// certificateEnd asks a listener for its certificate, as a client would, and returns when
// it ends.
func certificateEnd(ctx context.Context, l listener) (end time.Time, err error) {
	host := l.host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d := &tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // the certificate is looked at, not trusted
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) > 0 {
				end = s.PeerCertificates[0].NotAfter
			}
			return nil
		},
	}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(l.port)))
	if err == nil {
		_ = conn.Close() // nothing was sent
	}
	if !end.IsZero() {
		return end, nil // the listener may want a certificate of ours, which does not matter
	}
	return end, err
}

// alivenessQueue is the queue that aliveness tests use, as in RabbitMQ.
const alivenessQueue = "aliveness-test"

// aliveness sends a message through a queue. The test queue stays for the next time.
func (c *call) aliveness() error {
	v, err := c.anyVHost(c.names[0])
	if err != nil {
		return errNotFound
	}
	err = c.channel(v.Name(), func(ctx context.Context, _ *warren.VirtualHost, ch *warren.Channel) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if _, err := ch.QueueDeclare(alivenessQueue, warren.QueueOptions{}); err != nil {
			return err
		}
		if err := ch.Publish(ctx, "", alivenessQueue, warren.Message{Body: []byte("test_message")}, warren.PublishOptions{}); err != nil {
			return err
		}
		_, ok, err := ch.Get(alivenessQueue, true)
		if err == nil && !ok {
			return badRequest("the test message did not arrive")
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.health("", nil)
}
