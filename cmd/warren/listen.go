package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/management"
)

// pages is the HTTP server.
type pages struct{ http.Server }

// newPages makes a server that shows the broker. Requests end with ctx, so that a page
// that is open does not hold up the end.
func newPages(ctx context.Context, b *warren.Broker, clients *amqp.Server, secure *tls.Config, logger *slog.Logger) *pages {
	return &pages{http.Server{
		Handler:           management.NewHandler(b, &management.Options{Servers: []*amqp.Server{clients}}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		TLSConfig:         secure,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}}
}

// listen begins to listen wherever an address is given, and returns the URLs.
func listen(c *config, clients *amqp.Server, pages *pages) (string, error) {
	var urls []string
	if c.amqp != "" {
		begin, scheme := clients.Listen, "amqp://"
		if c.tls != nil {
			begin, scheme = clients.ListenTLS, "amqps://"
		}
		if err := begin(c.amqp); err != nil {
			return "", err
		}
		urls = append(urls, scheme+clients.Addr().String()+"/")
	}
	if c.http != "" {
		l, err := net.Listen("tcp", c.http)
		if err != nil {
			return "", err
		}
		begin, scheme := pages.Serve, "http://"
		if c.tls != nil {
			begin, scheme = func(l net.Listener) error { return pages.ServeTLS(l, "", "") }, "https://"
		}
		go func() {
			if err := begin(l); !errors.Is(err, http.ErrServerClosed) {
				pages.ErrorLog.Print("the HTTP server has ended: ", err)
			}
		}()
		urls = append(urls, scheme+l.Addr().String()+"/")
	}
	return strings.Join(urls, " "), nil
}
