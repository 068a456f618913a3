package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

const (
	healthURL  = "http://127.0.0.1:15672/"
	healthPath = "/api/health/checks/is-in-service" // needs no login
)

// health asks a broker whether it is in service. Its error says why it is not.
func health(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("warren health", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: warren health [flags] [URL]\n\n"+
			"The exit code is 0 if the broker at the URL is in service, and 1 otherwise.\n"+
			"An http or https URL without a path stands for %s;\n"+
			"a path can name another check, and the URL a user and a password.\n"+
			"With an amqp or amqps URL, the broker must begin the handshake.\n\n"+
			"URL\n    \tdefault %s\n", healthPath, healthURL)
		flags.PrintDefaults()
	}
	timeout := flags.Duration("timeout", 5*time.Second, "how long the answer may take")
	ca := flags.String("tls-ca", "", "certificate `file` (PEM) to trust, in place of the system's")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return errors.New("health: one URL is wanted")
	}
	u, err := url.Parse(cmp.Or(flags.Arg(0), healthURL))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	trust, err := trusted(*ca)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	switch u.Scheme {
	case "http", "https":
		err = checkHTTP(ctx, u, trust)
	case "amqp", "amqps":
		err = checkAMQP(ctx, u, trust)
	default:
		err = fmt.Errorf("%q is no http, https, amqp or amqps URL", u.Redacted())
	}
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	fmt.Fprintln(stdout, "ok")
	return nil
}

// trusted is a configuration that trusts the certificates of a file alone.
func trusted(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	return &tls.Config{RootCAs: roots}, nil
}

// checkHTTP wants 200 from a health check.
func checkHTTP(ctx context.Context, u *url.URL, trust *tls.Config) error {
	if u.Path == "" || u.Path == "/" {
		u = u.JoinPath(healthPath)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	reason, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // as much as has come
	return fmt.Errorf("%s says %s %s", u.Redacted(), resp.Status, reason)
}

// checkAMQP sends the protocol header and wants connection.start.
func checkAMQP(ctx context.Context, u *url.URL, trust *tls.Config) error {
	port, dial := "5672", new(net.Dialer).DialContext
	if u.Scheme == "amqps" {
		port, dial = "5671", (&tls.Dialer{Config: trust}).DialContext
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(conn, "AMQP\x00\x00\x09\x01"); err != nil {
		return err
	}
	var frame [11]byte // type, channel, size, class, method
	if _, err := io.ReadFull(conn, frame[:]); err != nil {
		return fmt.Errorf("%s does not begin the handshake: %w", conn.RemoteAddr(), err)
	}
	if [3]byte(frame[:3]) != [3]byte{1, 0, 0} || [4]byte(frame[7:]) != [4]byte{0, 10, 0, 10} {
		return fmt.Errorf("%s does not begin the handshake: it is no AMQP 0-9-1 server", conn.RemoteAddr())
	}
	// The rest is read, so that the server sees a client that goes, not one that breaks.
	size := int64(binary.BigEndian.Uint32(frame[3:])) - 4 + 1 // without class and method, with the end
	_, err = io.CopyN(io.Discard, conn, min(size, 1<<16))
	return err
}
