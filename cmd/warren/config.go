package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/warrenmq/warren"
)

// config is what the flags say.
type config struct {
	amqp, http  string // addresses; empty: not there
	tls         *tls.Config
	dir         string // empty: in memory
	definitions string // file; empty: none
	users       []user // none: guest
	level       slog.Level
	like        warren.Like
}

// user is an account that a flag names.
type user struct {
	name, password string
	tags           []string
}

// parse reads the flags. It fails with flag.ErrHelp after it has shown them.
func parse(args []string, stderr io.Writer) (*config, error) {
	c := new(config)
	var cert, key string
	flags := flag.NewFlagSet("warren", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.amqp, "amqp", "127.0.0.1:5672", "`address` for AMQP clients; port 0 takes a free one, \"\" is none")
	flags.StringVar(&c.http, "http", "127.0.0.1:15672", "`address` for HTTP: pages, management API, metrics; \"\" is none")
	flags.StringVar(&cert, "tls-cert", "", "certificate `file` (PEM): both listeners then speak TLS only")
	flags.StringVar(&key, "tls-key", "", "key `file` (PEM) of the certificate")
	flags.StringVar(&c.dir, "dir", "", "`directory` for what is durable, made if there is none; without one all is in memory")
	flags.StringVar(&c.definitions, "definitions", "", "definitions `file` (RabbitMQ's JSON) to import at the start")
	flags.TextVar(&c.level, "log", slog.LevelInfo, "least `level` that is logged: debug, info, warn, error")
	flags.Func("user", "`name:password[:tag,tag]` of a user of the default virtual host, in place of guest; may be repeated.\n"+
		"Without tags an administrator; a password that begins with @ is the name of a file with the password", c.addUser)
	flags.Func("like", "the `broker` to be like where brokers differ: warren (the default), rabbitmq, lavinmq", c.setLike)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is no command: there is warren, and warren health", flags.Arg(0))
	}
	if c.amqp == "" && c.http == "" {
		return nil, errors.New("there is no address to listen at: -amqp and -http are empty")
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("-tls-cert, -tls-key: %w", err)
		}
		c.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	return c, nil
}

// addUser reads one -user. The password reaches to the last colon if there are two.
func (c *config) addUser(text string) error {
	name, password, ok := strings.Cut(text, ":")
	if !ok || name == "" {
		return errors.New("it is name:password or name:password:tags")
	}
	u := user{name: name, tags: []string{string(warren.Administrator)}}
	if i := strings.LastIndexByte(password, ':'); i >= 0 {
		u.tags = strings.FieldsFunc(password[i+1:], func(r rune) bool { return r == ',' || r == ' ' })
		password = password[:i]
	}
	u.password = password
	if file, ok := strings.CutPrefix(password, "@"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		u.password = string(bytes.TrimRight(content, "\r\n"))
	}
	if u.password == "" {
		return errors.New("the password is empty, so nobody could log in")
	}
	c.users = append(c.users, u)
	return nil
}

func (c *config) setLike(name string) error {
	like, ok := map[string]warren.Like{"warren": warren.LikeWarren, "rabbitmq": warren.LikeRabbitMQ, "lavinmq": warren.LikeLavinMQ}[name]
	if !ok {
		return errors.New("it is warren, rabbitmq or lavinmq")
	}
	c.like = like
	return nil
}
