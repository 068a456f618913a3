// Package amqp lets AMQP 0-9-1 clients of any language use a [warren.Broker]
// that runs in this process. It listens only after the program has told it to:
//
//	srv := amqp.NewServer(b, nil)
//	defer srv.Close()
//	if err := srv.Listen("127.0.0.1:5672"); err != nil {
//		return err
//	}
//
// The official Go client reaches the broker without a socket by
// amqp091.Config{Dial: srv.Dial}.
//
// The server behaves as RabbitMQ does, with the exceptions that docs/compatibility.md
// lists. When an operation of the broker fails, the client gets the same reply code
// and text in channel.close or connection.close.
package amqp
