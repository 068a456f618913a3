// Package warrentest gives a test a real AMQP broker in one line, without a container
// and without a socket, and lets it fail on purpose.
//
//	b := warrentest.New(t)
//	conn, err := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
//
// The broker ends with the test. Each test has its own, so parallel tests do not see each
// other. Everything works in a bubble of [testing/synctest], where heartbeats, TTLs and
// reconnect back-off take no time; only [Broker.URL] opens a socket, which a bubble cannot
// have.
//
// A test looks at the broker without disturbing it ([Broker.Messages],
// [Broker.Published]), waits for a state in place of sleeping ([Broker.WaitReady] and the
// like), and says which methods are to go wrong ([Broker.Before], [Broker.After],
// [Broker.Now]). When it fails, it logs what clients and broker said to each other.
package warrentest
