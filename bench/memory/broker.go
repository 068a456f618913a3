package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// serveArg is the argument that makes this program a broker.
const serveArg = "serve"

// serve runs a broker until the standard input ends.
func serve() {
	b := warren.New(&warren.Options{MemoryLimit: limit})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go amqp.NewServer(b, nil).Serve(l)
	fmt.Println(l.Addr())
	io.Copy(io.Discard, os.Stdin)
}

// process is a broker in a process of its own.
type process struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	address string

	most    atomic.Int64 // the most memory that it had, in bytes
	stopped chan struct{}
	watched chan struct{}
}

// startBroker starts a broker and watches its memory.
func startBroker() *process {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	p := &process{command: exec.Command(self, serveArg), stopped: make(chan struct{}), watched: make(chan struct{})}
	p.command.Stderr = os.Stderr
	p.stdin, _ = p.command.StdinPipe()
	stdout, _ := p.command.StdoutPipe()
	if err := p.command.Start(); err != nil {
		log.Fatal(err)
	}
	if p.address, err = bufio.NewReader(stdout).ReadString('\n'); err != nil {
		log.Fatal("memory: the broker did not start: ", err)
	}
	p.address = strings.TrimSpace(p.address)
	go p.watch()
	return p
}

// watch notes the peak of the process's memory. It ends the process if that is far
// too high, so that this machine goes on.
func (p *process) watch() {
	defer close(p.watched)
	for {
		p.look()
		if p.most.Load() >= giveUp {
			p.command.Process.Kill()
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.stopped:
			p.look()
			return
		}
	}
}

// look reads the peak of the process's memory.
func (p *process) look() {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.command.Process.Pid) + "/status")
	if err != nil {
		return
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	if fields := strings.Fields(rest); len(fields) > 0 {
		kib, _ := strconv.ParseInt(fields[0], 10, 64)
		p.most.Store(kib << 10)
	}
}

// end ends the process and returns the most memory that it had, in bytes.
func (p *process) end() int64 {
	close(p.stopped)
	<-p.watched
	p.stdin.Close()
	p.command.Process.Kill()
	p.command.Wait()
	return p.most.Load()
}
