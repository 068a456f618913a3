// Package amqp lets AMQP 0-9-1 clients of any language use a [warren.Broker]
// that runs in this process. Nothing listens until the host says so:
//
//	srv := amqp.NewServer(b, nil)
//	go srv.ListenAndServe("127.0.0.1:5672")
//	defer srv.Close()
//
// The official Go client reaches the broker without a socket by
// amqp091.Config{Dial: srv.Dial}.
//
// Clients find RabbitMQ's behaviour, with the exceptions that
// docs/compatibility.md lists. An operation that fails in the core fails here
// with the same reply code and text, as channel.close or connection.close.
package amqp
