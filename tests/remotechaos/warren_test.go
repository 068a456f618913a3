package remotechaos_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/remote"
)

// dirVariable tells the test program that it is the broker of a directory.
const dirVariable = "WARREN_REMOTECHAOS_DIR"

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

// serve is the broker's process: it says its address, and is killed, or ends with the
// parent.
func serve(dir string) error {
	b, err := warren.Open(dir, &warren.Options{DiskLimit: -1})
	if err != nil {
		return err
	}
	srv := amqp.NewServer(b, nil)
	if err := srv.Listen("127.0.0.1:0"); err != nil {
		return errors.Join(err, b.Close())
	}
	fmt.Println(srv.Addr())
	io.Copy(io.Discard, os.Stdin)
	return errors.Join(srv.Close(), b.Close())
}

// node is a Warren that is killed and started again. It has two names, of which one
// leads to it.
type node struct {
	t     *testing.T
	dir   string
	cmd   *exec.Cmd
	in    io.Closer
	lives int

	mu sync.Mutex
	// Guarded by mu.
	name, address string
}

var errDown = errors.New("the node is down")

func beginNode(t *testing.T) *node {
	n := &node{t: t, dir: t.TempDir()}
	n.start()
	t.Cleanup(n.kill)
	return n
}

// urls are those of the node's names.
func (n *node) urls() []string { return []string{"amqp://guest:guest@a/", "amqp://guest:guest@b/"} }

func (n *node) options() remote.Options {
	return remote.Options{Dial: n.dial, Delay: 10 * time.Millisecond, MaxDelay: 50 * time.Millisecond}
}

func (n *node) patience() time.Duration { return 30 * time.Second }

// context has no deadline: the end of the node is the end of all connections.
func (n *node) context() (context.Context, context.CancelFunc) {
	return context.Background(), func() {}
}

func (n *node) mayEnd(error) string { return "" }

// start begins a life under the other name.
func (n *node) start() {
	n.cmd = exec.Command(os.Args[0])
	n.cmd.Env = append(os.Environ(), dirVariable+"="+n.dir)
	n.cmd.Stderr = os.Stderr
	var err error
	n.in, err = n.cmd.StdinPipe()
	require.NoError(n.t, err)
	out, err := n.cmd.StdoutPipe()
	require.NoError(n.t, err)
	require.NoError(n.t, n.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(n.t, err)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.name, n.address = []string{"a", "b"}[n.lives%2], strings.TrimSpace(line)
	n.lives++
}

// kill ends the life.
func (n *node) kill() {
	n.mu.Lock()
	n.address = ""
	n.mu.Unlock()
	require.NoError(n.t, n.cmd.Process.Kill())
	n.cmd.Wait()
	n.in.Close()
}

// dial connects to the node, if addr has its present name.
func (n *node) dial(network, addr string) (net.Conn, error) {
	n.mu.Lock()
	name, address := n.name, n.address
	n.mu.Unlock()
	if address == "" || addr != name+":5672" {
		return nil, errDown
	}
	return net.Dial(network, address)
}
