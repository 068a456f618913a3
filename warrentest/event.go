package warrentest

import (
	"time"

	"github.com/warrenmq/warren"
)

// Side is an end of a connection.
type Side string

// The ends of a connection.
const (
	Client Side = "client"
	Server Side = "server"
)

// Methods that AMQP does not have, for [Match] and [Event].
const (
	Connect   = "connect"   // a client dials
	Heartbeat = "heartbeat" // a heartbeat frame
)

// Event is a method that a client or the broker has sent, with the message that it
// carries, or what the program itself has done with a message by its own channels and
// handlers: what it sends and gets, but not how it settles that.
type Event struct {
	At     time.Time
	Method string // AMQP's name, such as "basic.publish"; Connect; Heartbeat
	From   Side   // who has sent it

	// Connection is the name that the client has given it, or "#" and its number among
	// those of the broker. It is "in process" for the program's own channels.
	Connection  string
	Channel     uint16 // zero: the connection itself
	User        string // that is logged in; empty before the login
	VirtualHost string // empty before connection.open

	Exchange    string // empty: none, or the default exchange
	RoutingKey  string
	Queue       string // of a delivery and of what settles it, or that the method names
	ConsumerTag string
	DeliveryTag uint64 // as the client knows it; of a publish and its confirm the number of the publish
	Multiple    bool   // the method is about all up to DeliveryTag
	Requeue     bool
	Redelivered bool
	Mandatory   bool
	Code        uint16 // of a close or a return
	Text        string // likewise; of a blocked connection the reason

	// Message is what the method carries, and nil for others. It must not be changed.
	Message *warren.Message
	// Routed are the queues that the message of a client's publish goes to if no fault
	// keeps it from the broker, in the order of their names.
	Routed []string
	// Fault says what a fault has done to the method: the actions as they are written in
	// a test. Empty: nothing.
	Fault string
}

// Match says which methods are meant. In a text, * stands for any characters, and an
// empty one is any at all.
type Match struct {
	Method      string // AMQP's name, such as "basic.publish" or "queue.*"; Connect; Heartbeat
	From        Side   // of methods that both sides send, such as basic.ack; empty: either
	Connection  string // the name that the client has given it
	User        string
	VirtualHost string
	Exchange    string // that a message was published to, or that the method names
	RoutingKey  string
	Queue       string // of a delivery and of what settles it, or that the method names

	Skip  int // how many methods go on before the first that is meant
	Times int // how many are meant. Zero: one. Forever: all
}

// Forever as Times of a [Match] means all methods, until [Fault.Undo].
const Forever = -1

// matches reports whether the method is one that m means, apart from Skip and Times.
func (m *Match) matches(e *Event) bool {
	if e.Method == Connect && m.Method != Connect {
		return false // a connection that is not there yet cannot be closed
	}
	return like(m.Method, e.Method) && (m.From == "" || m.From == e.From) && like(m.Connection, e.Connection) &&
		like(m.User, e.User) && like(m.VirtualHost, e.VirtualHost) && like(m.Exchange, e.Exchange) &&
		like(m.RoutingKey, e.RoutingKey) && like(m.Queue, e.Queue)
}

// like reports whether s is what a pattern of a Match stands for.
func like(pattern, s string) bool { return pattern == "" || glob(pattern, s) }

// glob reports whether s is like pattern, in which * stands for any characters.
func glob(pattern, s string) bool {
	star, retry := -1, 0 // the last * and where what it stands for ends
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			retry++
			p, i = star+1, retry
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
