// Listener lets AMQP clients of any language use a broker in this process. It
// serves two queues itself. A request to price is a number, its reply the
// double. A request to caller is the name of a queue that a client serves in
// the same way, and how often to call it: in this way a call goes from here to
// a client.
//
//	go run ./examples/listener -addr 127.0.0.1:5672
//
// With -dir, what is durable is kept in a directory and there again at the next start.
//
// A file of definitions, exported by RabbitMQ, LavinMQ or a broker like this
// one, can be there from the start (-definitions): users, exchanges, queues.
// What RabbitMQ or LavinMQ refuses is refused with -like rabbitmq and -like lavinmq.
//
// It runs until SIGINT or SIGTERM, then asks the clients to go and ends.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

var (
	addr        = flag.String("addr", "127.0.0.1:5672", "where to listen; port 0 takes a free one")
	dir         = flag.String("dir", "", "the directory for what is durable, made if there is none; without one all is in memory")
	definitions = flag.String("definitions", "", "definitions file (RabbitMQ's JSON) to import at the start")
	user        = flag.String("user", "", "the only user that may log in, beside those of -definitions; without one guest/guest, from this machine only")
	password    = flag.String("password", "", "the password of -user")
	like        = flag.String("like", "warren", "which broker to be like: warren, rabbitmq or lavinmq")
	tlsCert     = flag.String("tls-cert", "", "certificate file (PEM), for TLS")
	tlsKey      = flag.String("tls-key", "", "key file (PEM), for TLS")
)

// likes are the values of -like.
var likes = map[string]warren.Like{"warren": warren.LikeWarren, "rabbitmq": warren.LikeRabbitMQ, "lavinmq": warren.LikeLavinMQ}

// grace is how long clients and handlers may take to end.
const grace = 5 * time.Second

// exposed lets clients see what was wrong: the errors of these handlers are no
// secret.
var exposed = warren.HandleOptions{ExposeErrors: true}

// callTimeout is how long all the calls for one request may take.
const callTimeout = 20 * time.Second

func main() {
	log.SetFlags(0)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("listener: ", err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	options, err := serverOptions(logger)
	if err != nil {
		return err
	}
	kind, ok := likes[*like]
	if !ok {
		return fmt.Errorf("-like %s: it is warren, rabbitmq or lavinmq", *like)
	}
	b, err := open(&warren.Options{Like: kind, Logger: logger})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := importDefinitions(b); err != nil {
		return err
	}
	if err := declareUser(b); err != nil {
		return err
	}
	if _, err := b.Handle("price", double, exposed); err != nil {
		return err
	}
	if _, err := b.Handle("caller", caller(b), exposed); err != nil {
		return err
	}

	srv := amqp.NewServer(b, options)
	listen, scheme := srv.Listen, "amqp"
	if options.TLS != nil {
		listen, scheme = srv.ListenTLS, "amqps"
	}
	if err := listen(*addr); err != nil {
		return err
	}
	fmt.Printf("listening on %s://%s/\n", scheme, srv.Addr())

	<-ctx.Done()
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := srv.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err // clients that stay too long are cut off, which is no failure
	}
	err = b.Shutdown(last)
	var dropped *warren.DroppedError
	if errors.As(err, &dropped) {
		log.Print(err) // clients left messages in queues, which is theirs to do
		return nil
	}
	return err
}

// open makes the broker, in memory or in the directory of the flag.
func open(options *warren.Options) (*warren.Broker, error) {
	if *dir == "" {
		return warren.New(options), nil
	}
	return warren.Open(*dir, options)
}

// importDefinitions makes what the file of the flag names. What cannot be made
// is told, and the rest is there.
func importDefinitions(b *warren.Broker) error {
	if *definitions == "" {
		return nil
	}
	f, err := os.Open(*definitions)
	if err != nil {
		return err
	}
	defer f.Close()
	err = b.DefinitionsImport(f)
	var object *warren.DefinitionError
	if errors.As(err, &object) {
		log.Print(err)
		return nil
	}
	return err
}

// declareUser replaces guest by the user of the flags.
func declareUser(b *warren.Broker) error {
	if *user == "" {
		return nil
	}
	if err := b.UserDelete(warren.Guest); err != nil && !errors.Is(err, warren.ErrNotFound) {
		return err
	} // a directory that was used before may have no guest
	if err := b.UserDeclare(*user, *password, warren.Administrator); err != nil {
		return err
	}
	v, err := b.VirtualHost(warren.DefaultVirtualHost)
	if err != nil {
		return err
	}
	return v.PermissionsSet(*user, warren.AllPermissions())
}

// serverOptions are what the flags say.
func serverOptions(logger *slog.Logger) (*amqp.Options, error) {
	options := &amqp.Options{Logger: logger}
	if *tlsCert != "" || *tlsKey != "" {
		cert, err := tls.LoadX509KeyPair(*tlsCert, *tlsKey)
		if err != nil {
			return nil, err
		}
		options.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	return options, nil
}

// double is the handler of price. A body that is no number fails the call.
func double(_ context.Context, req *warren.Request) (warren.Message, error) {
	n, err := strconv.Atoi(strings.TrimSpace(string(req.Body)))
	if err != nil {
		return warren.Message{}, err
	}
	return warren.Message{ContentType: "text/plain", Body: []byte(strconv.Itoa(2 * n))}, nil
}

// caller is the handler of caller: it calls a queue with the numbers from 0,
// and checks each reply.
func caller(b *warren.Broker) warren.HandlerFunc {
	return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		var queue string
		var times int
		if _, err := fmt.Sscan(string(req.Body), &queue, &times); err != nil {
			return warren.Message{}, fmt.Errorf("a queue and a number are wanted: %w", err)
		}
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		for n := range times {
			reply, err := b.Call(ctx, queue, warren.Message{Body: []byte(strconv.Itoa(n))})
			if err != nil {
				return warren.Message{}, fmt.Errorf("call %d of %s: %w", n, queue, err)
			}
			if got := string(reply.Body); got != strconv.Itoa(2*n) {
				return warren.Message{}, fmt.Errorf("call %d of %s: the reply is %q", n, queue, got)
			}
		}
		return warren.Message{Body: []byte("ok")}, nil
	}
}
