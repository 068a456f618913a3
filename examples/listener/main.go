// Listener lets AMQP clients of any language use a broker in this process. It
// serves the queue price itself: a request is a number, its reply the double.
//
//	go run ./examples/listener -addr 127.0.0.1:5672
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
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

var (
	addr     = flag.String("addr", "127.0.0.1:5672", "where to listen; port 0 takes a free one")
	user     = flag.String("user", "", "the user that may log in; without one guest/guest, from this machine only")
	password = flag.String("password", "", "the password of -user")
	tlsCert  = flag.String("tls-cert", "", "certificate file (PEM), for TLS")
	tlsKey   = flag.String("tls-key", "", "key file (PEM), for TLS")
)

// grace is how long clients and handlers may take to end.
const grace = 5 * time.Second

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
	options, err := serverOptions()
	if err != nil {
		return err
	}
	b := warren.New(nil)
	defer b.Close()
	if _, err := b.Handle("price", double); err != nil {
		return err
	}

	l, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	srv := amqp.NewServer(b, options)
	serve, scheme := srv.Serve, "amqp"
	if options.TLS != nil {
		serve, scheme = srv.ServeTLS, "amqps"
	}
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
	fmt.Printf("listening on %s://%s/\n", scheme, l.Addr())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := srv.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err // clients that stay too long are cut off, which is no failure
	}
	if err := <-served; !errors.Is(err, amqp.ErrServerClosed) {
		return err
	}
	return b.Shutdown(last)
}

// serverOptions are what the flags say.
func serverOptions() (*amqp.Options, error) {
	options := &amqp.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if *user != "" {
		options.Authenticate = func(l amqp.Login) bool { return l.User == *user && l.Password == *password }
	}
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
	n, err := strconv.Atoi(string(req.Body))
	if err != nil {
		return warren.Message{}, err
	}
	return warren.Message{ContentType: "text/plain", Body: []byte(strconv.Itoa(2 * n))}, nil
}
