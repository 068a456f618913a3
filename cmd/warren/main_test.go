package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// patience is for what must come.
const patience = 20 * time.Second

// program is a command that runs until stop.
type program struct {
	amqp, http string // URLs
	stop       func() error
}

// begin runs the command until the test ends, at free ports.
func begin(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := command(ctx, append([]string{"-amqp", "127.0.0.1:0", "-http", "127.0.0.1:0", "-log", "error"}, args...), w, t.Output())
		w.CloseWithError(err)
		ended <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	p := new(program)
	for _, url := range strings.Fields(line) {
		switch {
		case strings.HasPrefix(url, "amqp"):
			p.amqp = url
		case strings.HasPrefix(url, "http"):
			p.http = url
		}
	}
	stopped := false
	p.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return context.DeadlineExceeded
		}
	}
	t.Cleanup(func() { require.NoError(t, p.stop()) })
	return p
}

// dial connects as a user.
func (p *program) dial(t *testing.T, user, password string) *amqp.Connection {
	t.Helper()
	conn, err := p.tryDial(user, password)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() }) // it may be closed already
	return conn
}

func (p *program) tryDial(user, password string) (*amqp.Connection, error) {
	return amqp.DialConfig(p.amqp, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: user, Password: password}}})
}

// get asks the management API, and returns the status and the answer.
func (p *program) get(t *testing.T, path, user, password string) (status int, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.http+path, nil)
	require.NoError(t, err)
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		require.ErrorIs(t, err, io.EOF)
	}
	return resp.StatusCode, answer
}

func TestClientsAndPagesReachTheBroker(t *testing.T) {
	p := begin(t)
	ch, err := p.dial(t, "guest", "guest").Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("jobs", false, false, false, false, nil)
	require.NoError(t, err)

	status, queue := p.get(t, "api/queues/%2F/jobs", "guest", "guest")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "jobs", queue["name"])
}

func TestClientsAreToldOfTheEnd(t *testing.T) {
	p := begin(t)
	closed := p.dial(t, "guest", "guest").NotifyClose(make(chan *amqp.Error, 1))
	require.NoError(t, p.stop())
	select {
	case err := <-closed:
		require.NotNil(t, err)
		require.Equal(t, amqp.ConnectionForced, err.Code)
	case <-time.After(patience):
		t.Fatal("nobody told the client")
	}
}

func TestMessagesInMemoryAreNoFailureAtTheEnd(t *testing.T) {
	p := begin(t)
	ch, err := p.dial(t, "guest", "guest").Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("jobs", false, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	confirmed, err := ch.PublishWithDeferredConfirm("", "jobs", false, false, amqp.Publishing{Body: []byte("a")})
	require.NoError(t, err)
	require.True(t, confirmed.Wait())
	require.NoError(t, p.stop())
}

func TestDirectoryKeepsWhatIsDurable(t *testing.T) {
	dir := t.TempDir()
	p := begin(t, "-dir", dir)
	ch, err := p.dial(t, "guest", "guest").Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("jobs", true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, p.stop())

	p = begin(t, "-dir", dir)
	ch, err = p.dial(t, "guest", "guest").Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclarePassive("jobs", true, false, false, false, nil)
	require.NoError(t, err)
}

func TestUsersReplaceGuest(t *testing.T) {
	p := begin(t, "-user", "ann:s:e:administrator", "-user", "mon:m:monitoring,policymaker", "-user", "app:a:", "-user", "own:o")
	_, err := p.tryDial("guest", "guest")
	require.ErrorIs(t, err, amqp.ErrCredentials)
	for user, password := range map[string]string{"ann": "s:e", "mon": "m", "app": "a", "own": "o"} {
		_, err := p.dial(t, user, password).Channel()
		require.NoError(t, err)
	}

	status, who := p.get(t, "api/whoami", "mon", "m")
	require.Equal(t, http.StatusOK, status)
	require.ElementsMatch(t, []any{"monitoring", "policymaker"}, who["tags"])
	status, who = p.get(t, "api/whoami", "own", "o")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []any{"administrator"}, who["tags"])
	status, _ = p.get(t, "api/whoami", "app", "a")
	require.Equal(t, http.StatusUnauthorized, status) // it has no tag
}

func TestPasswordFromFile(t *testing.T) {
	p := begin(t, "-user", "ann:@"+write(t, "secret\n"))
	p.dial(t, "ann", "secret")
}

func TestDefinitionsAreThereFromTheStart(t *testing.T) {
	p := begin(t, "-definitions", write(t, `{
		"users": [{"name": "app", "password_hash": "", "tags": ""}],
		"vhosts": [{"name": "/"}],
		"queues": [
			{"name": "jobs", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}},
			{"name": "none", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {"x-max-length": "many"}}
		]
	}`))
	ch, err := p.dial(t, "guest", "guest").Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclarePassive("jobs", true, false, false, false, nil)
	require.NoError(t, err)
}

func TestWrongArguments(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"-amqp", "", "-http", ""}, "no address to listen at"},
		{[]string{"halth"}, `"halth" is no command`},
		{[]string{"-amqp", "nowhere"}, "nowhere"},
		{[]string{"-http", "nowhere"}, "nowhere"},
		{[]string{"-user", "ann"}, "name:password"},
		{[]string{"-user", ":secret"}, "name:password"},
		{[]string{"-user", "ann:"}, "the password is empty"},
		{[]string{"-user", "ann:@" + write(t, "\n")}, "the password is empty"},
		{[]string{"-user", "ann:@" + filepath.Join(dir, "none")}, "none"},
		{[]string{"-tls-cert", filepath.Join(dir, "none")}, "-tls-cert"},
		{[]string{"-definitions", filepath.Join(dir, "none")}, "none"},
		{[]string{"-definitions", write(t, "{")}, "definitions"},
		{[]string{"-log", "loud"}, "loud"},
		{[]string{"-like", "kafka"}, "warren, rabbitmq or lavinmq"},
		{[]string{"-dir", write(t, "")}, "director"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			args := append([]string{"-amqp", "127.0.0.1:0", "-http", "127.0.0.1:0"}, test.args...)
			err := command(t.Context(), args, io.Discard, io.Discard)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestHelpNamesTheFlags(t *testing.T) {
	var out strings.Builder
	require.Error(t, command(t.Context(), []string{"-h"}, io.Discard, &out))
	for _, name := range []string{"-amqp", "-http", "-tls-cert", "-tls-key", "-dir", "-definitions", "-user", "-log"} {
		require.Contains(t, out.String(), name+" ")
	}
}

// write makes a file of its own.
func write(t *testing.T, content string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}
