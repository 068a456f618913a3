// Warren is a broker to start by hand. It listens for AMQP clients and shows itself
// over HTTP: the user interface, the management API and the metrics.
//
//	go run ./cmd/warren
//
// Both listen on this machine only and forget everything at the end; flags change
// that: see warren -h. The user is guest with the password guest, from this machine
// only, unless -user or -definitions name others.
//
//	warren health
//
// tells by its exit code whether a broker is in service: see warren health -h.
//
// It runs until SIGINT or SIGTERM. Then it asks the clients to go and ends; a second
// signal ends it at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// grace is how long clients may take to go.
const grace = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal is not caught
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "warren:", err)
		os.Exit(1)
	}
}

// command does what the arguments say.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "health" {
		return health(ctx, args[1:], stdout, stderr)
	}
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	return serve(ctx, c, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: c.level})), stdout)
}

// serve runs a broker until ctx ends.
func serve(ctx context.Context, c *config, logger *slog.Logger, stdout io.Writer) error {
	b, err := open(c.dir, &warren.Options{Like: c.like, Logger: logger})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := importDefinitions(b, c.definitions, logger); err != nil {
		return err
	}
	if err := declareUsers(b, c.users); err != nil {
		return err
	}

	clients := amqp.NewServer(b, &amqp.Options{Logger: logger, TLS: c.tls})
	defer clients.Close()
	pages := newPages(ctx, b, clients, c.tls, logger)
	defer pages.Close()
	urls, err := listen(c, clients, pages)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "listening on", urls)

	<-ctx.Done()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return shutdown(limit, b, clients, pages)
}

// shutdown tells the clients, and ends the broker when they have gone. Clients that
// stay too long are cut off, and messages in memory end with the program: neither is
// a failure.
func shutdown(ctx context.Context, b *warren.Broker, clients *amqp.Server, pages *pages) error {
	var dropped *warren.DroppedError
	err := errors.Join(clients.Shutdown(ctx), pages.Shutdown(ctx))
	if last := b.Shutdown(ctx); !errors.As(last, &dropped) {
		err = errors.Join(err, last)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// open makes the broker, in memory if there is no directory.
func open(dir string, options *warren.Options) (*warren.Broker, error) {
	if dir == "" {
		return warren.New(options), nil
	}
	return warren.Open(dir, options)
}

// importDefinitions makes what the file describes. What cannot be made is logged, and
// the rest is there.
func importDefinitions(b *warren.Broker, file string, logger *slog.Logger) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	err = b.DefinitionsImport(f)
	if _, ok := errors.AsType[*warren.DefinitionError](err); ok {
		logger.Warn("definitions were imported in part", "file", file, "error", err)
		return nil
	}
	return err
}

// declareUsers makes the users, in place of guest.
func declareUsers(b *warren.Broker, users []user) error {
	if len(users) == 0 {
		return nil
	}
	if err := b.UserDelete(warren.Guest); err != nil && !errors.Is(err, warren.ErrNotFound) {
		return err
	}
	v, err := b.VirtualHost(warren.DefaultVirtualHost)
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := b.UserDeclare(u.name, u.password, u.tags...); err != nil {
			return err
		}
		if err := v.PermissionsSet(u.name, warren.AllPermissions()); err != nil {
			return err
		}
	}
	return nil
}
