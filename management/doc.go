// Package management shows a broker to people and to their tools, over HTTP: a page for
// the browser, the management API of RabbitMQ, and metrics for Prometheus. A program
// mounts it where it likes:
//
//	h := management.NewHandler(b, &management.Options{Servers: []*amqp.Server{srv}})
//	log.Fatal(http.ListenAndServe("127.0.0.1:15672", h))
//
// or below a prefix of a server that it has:
//
//	mux.Handle("/broker/", http.StripPrefix("/broker", h))
//
// The page is at the root, the API below api/, the metrics at metrics. Nothing is
// fetched from elsewhere, and nothing runs in the background unless somebody looks.
//
// # Access
//
// Requests log in by HTTP basic authentication as a user of the broker, see
// [warren.Broker.UserDeclare], or as [Options].Authenticate says. The tags of the user
// say what is allowed, as in RabbitMQ: management lets users see and use what is in the
// virtual hosts that they have permissions in, policymaker also lets them set policies
// and parameters there, monitoring shows all connections, figures of the whole broker and
// events, and administrator may do everything. Who has none of these tags gets no entry. The user guest gets it from
// this machine only.
//
// Operations on queues and exchanges need the permissions that an AMQP client would
// need for them, also of administrators.
//
// # Differences from RabbitMQ
//
// The API is that of RabbitMQ 4.2 for what the broker has. What it does not have answers
// 404, or an empty list. Pages may have 10,000 objects, as in LavinMQ. Descriptions and
// tags of virtual hosts, global parameters, and parameters of the plug-ins federation and
// shovel are kept for the tools that set them, as long as the handler; nothing acts on
// them. An import of definitions that could not make everything answers 400 with the
// reasons, and has made the rest. Fields of
// queues that count bytes tell what messages hold in memory.
//
// Rates are over the last five to ten seconds. They and samples exist since somebody has
// begun to look: what nobody looks at is not sampled. Exchanges, publishes of channels and
// times of handlers are counted only meanwhile, see [warren.Broker.Watch].
//
// # The server around it
//
// The handler bounds what it reads, and reads it only after the login. How long a
// client may take is up to the server: set ReadHeaderTimeout, ReadTimeout and
// IdleTimeout of [net/http.Server]. WriteTimeout does not end the stream of events, and an
// answer of more than a megabyte may take a minute in any case.
// Basic authentication sends the password with each request, so use TLS wherever others
// could read along.
//
// [net/http.ServeMux] redirects a path with two slashes in a row, or with a segment that
// is a point. So a client that does not escape an empty name, or the name ".", does not
// reach a handler that is mounted on one.
package management
