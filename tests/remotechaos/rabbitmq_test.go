package remotechaos_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/remote"
)

var nodes = flag.String("remotechaos.nodes", "", "directories of the nodes of a RabbitMQ cluster, with commas between them: "+
	"each has the files address, pid, and start, which runs the node")

func beginBroker(t *testing.T) broker {
	if *nodes == "" {
		return beginNode(t)
	}
	return &cluster{t: t, dirs: strings.Split(*nodes, ",")}
}

// cluster is RabbitMQ, of which one node at a time is killed.
type cluster struct {
	t    *testing.T
	dirs []string
	down int // the one that was killed
}

func (c *cluster) read(node int, file string) string {
	b, err := os.ReadFile(filepath.Join(c.dirs[node], file))
	require.NoError(c.t, err)
	return strings.TrimSpace(string(b))
}

// kill kills a node.
func (c *cluster) kill() {
	c.down = rand.IntN(len(c.dirs))
	require.NoError(c.t, c.killNode(c.down))
	require.Eventually(c.t, func() bool { return !c.isUp(c.down) }, c.patience(), 10*time.Millisecond, "the node does not end")
}

func (c *cluster) isUp(node int) bool {
	conn, err := net.Dial("tcp", c.read(node, "address"))
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func (c *cluster) killNode(node int) error {
	pid, err := strconv.Atoi(c.read(node, "pid"))
	if err != nil {
		return err
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// start starts the node that was killed. It ends with the test.
func (c *cluster) start() {
	node := c.down
	require.NoError(c.t, os.Remove(filepath.Join(c.dirs[node], "pid")))
	cmd := exec.Command("bash", filepath.Join(c.dirs[node], "start"))
	require.NoError(c.t, cmd.Start())
	c.t.Cleanup(func() {
		if c.isUp(node) {
			c.killNode(node)
		}
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	require.Eventually(c.t, func() bool { return c.isUp(node) }, c.patience(), 50*time.Millisecond, "the node does not start")
}

// urls are those of the nodes, in any order, so that not all connect to the same.
func (c *cluster) urls() (list []string) {
	for _, i := range rand.Perm(len(c.dirs)) {
		list = append(list, "amqp://guest:guest@"+c.read(i, "address")+"/")
	}
	return list
}

func (c *cluster) options() remote.Options {
	return remote.Options{
		Delay: 10 * time.Millisecond, MaxDelay: 500 * time.Millisecond, QuorumQueues: true,
		Logger: slog.New(slog.NewTextHandler(c.t.Output(), nil)),
	}
}

func (c *cluster) patience() time.Duration { return 2 * time.Minute }

// context has a deadline: a node takes requests along that wait in its queues, and answers.
func (c *cluster) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}

// mayEnd adds what RabbitMQ tells when a node takes a queue or a message along.
func (c *cluster) mayEnd(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "late"
	case errors.Is(err, remote.ErrAbandoned):
		return "abandoned"
	case errors.Is(err, warren.ErrNacked):
		return "nacked"
	}
	return ""
}
