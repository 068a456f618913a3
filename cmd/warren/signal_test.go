//go:build unix

package main

import (
	"bufio"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// asProgram makes the tests' binary be the program.
const asProgram = "WARREN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process runs the program at a free port, and returns it and the port.
func process(t *testing.T) (cmd *exec.Cmd, address string) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], "-amqp", "127.0.0.1:0", "-http", "")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	_, text, ok := strings.Cut(strings.TrimSpace(line), "listening on ")
	require.True(t, ok, line)
	u, err := url.Parse(text)
	require.NoError(t, err)
	return cmd, u.Host
}

func TestSignalEndsInGoodOrder(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cmd, _ := process(t)
		require.NoError(t, cmd.Process.Signal(signal))
		require.NoError(t, cmd.Wait())
	}
}

// stubborn is the connection of a client that does not say goodbye.
type stubborn struct {
	net.Conn
	silent atomic.Bool
}

func (c *stubborn) Write(b []byte) (int, error) {
	if c.silent.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *stubborn) Close() error {
	if c.silent.Load() {
		return nil
	}
	return c.Conn.Close()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	cmd, address := process(t)
	client := new(stubborn)
	_, err := amqp.DialConfig("amqp://"+address, amqp.Config{Dial: func(network, addr string) (nc net.Conn, err error) {
		client.Conn, err = net.Dial(network, addr)
		return client, err
	}})
	require.NoError(t, err)
	defer client.Conn.Close()
	client.silent.Store(true)

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	// How soon the first signal has been noticed shows nowhere: signals go on until the end.
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			exit, ok := errors.AsType[*exec.ExitError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, syscall.SIGTERM, exit.Sys().(syscall.WaitStatus).Signal())
			return
		case <-time.After(20 * time.Millisecond):
			if err := cmd.Process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
				require.NoError(t, err)
			}
		}
	}
}
