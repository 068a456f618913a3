// Package restart_test has AMQP clients of the listener leave messages with a process
// that then ends, by Shutdown or because it is killed, and look for them in the next one.
package restart_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// dirVariable tells the test program that it is the broker of a directory.
const dirVariable = "WARREN_RESTART_DIR"

// grace is how long clients may take to go.
const grace = 5 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirVariable); dir != "" {
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serve is the broker's process: it says its URL, and ends when its input does.
func serve(dir string) error {
	b, err := warren.Open(dir, nil)
	if err != nil {
		return err
	}
	srv := amqp.NewServer(b, nil)
	if err := srv.Listen("127.0.0.1:0"); err != nil {
		return errors.Join(err, b.Close())
	}
	fmt.Println(srv.URL())
	io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err = srv.Shutdown(ctx)
	var dropped *warren.DroppedError
	if e := b.Shutdown(ctx); !errors.As(e, &dropped) { // there are messages in transient queues
		err = errors.Join(err, e)
	}
	return err
}

// process is a broker's process.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.Closer
	errs strings.Builder
	url  string
}

// start starts a broker in a directory.
func start(t *testing.T, dir string) *process {
	program, err := os.Executable()
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command(program)}
	p.cmd.Env = append(os.Environ(), dirVariable+"="+dir)
	p.cmd.Stderr = &p.errs
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { p.cmd.Process.Kill() })
	url, _ := bufio.NewReader(out).ReadString('\n')
	p.url = strings.TrimSpace(url)
	require.NotEmpty(t, p.url, "it has not started: %s", &p.errs)
	return p
}

// stop ends it by Shutdown.
func (p *process) stop() {
	p.in.Close()
	require.NoError(p.t, p.cmd.Wait(), p.errs.String())
}

// kill gives it no time to do anything.
func (p *process) kill() {
	require.NoError(p.t, p.cmd.Process.Kill())
	require.Error(p.t, p.cmd.Wait())
	require.Empty(p.t, p.errs.String())
}

// client connects a client.
func (p *process) client() *client {
	conn, err := amqp091.Dial(p.url)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { conn.Close() })
	return &client{p.t, conn}
}
