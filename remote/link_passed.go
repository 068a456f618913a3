package remote

import (
	"maps"
	"net"
	"slices"
	"strconv"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// PassedHeader is the header of messages and requests that have passed a link: a list of
// the names of the brokers where they have been. A link does not bring a message to a
// broker that is in the list. Who publishes a message anew with the headers of another
// should leave this one out.
const PassedHeader = "x-warren-passed"

// CodeLoop is the code of a [warren.RemoteError] for a call that has gone round in a loop
// of links. There is no handler.
const CodeLoop = "loop"

// maxPassed is how many links a message may pass.
const maxPassed = 16

// pass returns the headers of a message that goes from a broker to another. Ok is false
// if it has been there before.
func pass(headers warren.Table, from, to string) (all warren.Table, ok bool) {
	list, _ := headers[PassedHeader].([]any)
	if slices.Contains(list, any(to)) || len(list) >= maxPassed {
		return nil, false
	}
	all = make(warren.Table, len(headers)+1)
	maps.Copy(all, headers)
	all[PassedHeader] = append(slices.Clone(list), from)
	return all, true
}

// elsewhere returns the name of the broker that a connection leads to.
func (l *Linked) elsewhere(conn *amqp091.Connection) string {
	if l.options.Elsewhere != "" {
		return l.options.Elsewhere
	}
	vhost := conn.Config.Vhost
	if vhost == "" {
		vhost = warren.DefaultVirtualHost
	}
	for _, property := range [...]string{"identity", "cluster_name"} {
		if name, _ := conn.Properties[property].(string); name != "" {
			return name + "/" + vhost
		}
	}
	u, _ := amqp091.ParseURI(l.urls[0]) // it was dialled
	return net.JoinHostPort(u.Host, strconv.Itoa(u.Port)) + "/" + vhost
}
