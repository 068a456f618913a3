package amqp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/memconn"
)

// Server lets AMQP 0-9-1 clients use a broker. It is used like a [net/http.Server]. A broker may have several servers, and a server several
// listeners. Its methods are safe for many goroutines.
type Server struct {
	broker    *warren.Broker
	options   Options
	ended     chan struct{}  // closed by Shutdown and Close
	accepting sync.WaitGroup // listeners that Listen serves
	like      *like.Rules
	guessing  guessing

	mu sync.Mutex
	// Guarded by mu.
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	addr      net.Addr      // of the listener that was served first
	scheme    string        // of its URL
	closing   bool          // Shutdown or Close has begun
	idle      chan struct{} // closed when no connection is left; nil: nobody waits
}

// ErrServerClosed is the error of Serve and the like after Shutdown or Close.
var ErrServerClosed = errors.New("amqp: server closed")

// NewServer makes a server for b. Nil options stand for the zero [Options]. The server
// listens nowhere until one of its methods is called.
func NewServer(b *warren.Broker, options *Options) *Server {
	var o Options
	if options != nil {
		o = *options
	}
	return &Server{
		broker: b, like: b.Link().Like(), options: o.withDefaults(b.Link().Like()),
		listeners: make(map[net.Listener]struct{}), conns: make(map[*conn]struct{}), ended: make(chan struct{}),
	}
}

// ServeConn serves one connection, and returns when it is over.
func (s *Server) ServeConn(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	c.serve()
	s.mu.Lock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
	s.mu.Unlock()
}

// Dial connects a client of this process without a socket. Its arguments are
// not used: they make it fit amqp091.Config.Dial.
func (s *Server) Dial(network, addr string) (net.Conn, error) {
	if s.isClosing() {
		return nil, ErrServerClosed
	}
	client, server := memconn.Pipe(s.options.Buffer)
	go s.ServeConn(server)
	return client, nil
}

// Addr returns the address of the first listener. It is nil before Listen or Serve.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// URL returns the amqp or amqps URL of the first listener, for the user guest. It is
// empty before Listen or Serve, and for a listener that is not a TCP one.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.addr.(*net.TCPAddr); !ok {
		return ""
	}
	return s.scheme + "://guest:guest@" + s.addr.String() + "/"
}

// Shutdown stops listening, closes every connection with connection.close (320) and
// waits for the clients to answer. When ctx ends, it cuts the rest off as Close does,
// and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	conns, idle := s.stop()
	for _, c := range conns {
		c.ask("broker forced connection closure with reason 'shutdown'")
	}
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, s.Close())
}

// endTimeout is how long Close waits for connections that are at work.
const endTimeout = time.Second

// Close stops listening, cuts all connections off and waits for their end. Work that
// has begun for a client cannot be interrupted, such as a call of
// [Options].Authenticate. After a second Close waits no longer and returns an error
// that says so; such a connection ends when its work is done.
func (s *Server) Close() error {
	conns, idle := s.stop()
	s.accepting.Wait()
	for _, c := range conns {
		c.cut()
	}
	timeout := time.NewTimer(endTimeout)
	defer timeout.Stop()
	select {
	case <-idle:
		return nil
	case <-timeout.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n := len(s.conns); n {
	case 0:
		return nil
	case 1:
		return errors.New("amqp: closed, but 1 connection is at work still")
	default:
		return fmt.Errorf("amqp: closed, but %d connections are at work still", n)
	}
}

// stop refuses new connections. It returns those that there are, and a channel that is
// closed when none is left.
func (s *Server) stop() (conns []*conn, idle <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.closing = true
		close(s.ended)
	}
	for l := range s.listeners {
		l.Close()
	}
	if len(s.conns) == 0 {
		done := make(chan struct{})
		close(done)
		return nil, done
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	return slices.Collect(maps.Keys(s.conns)), s.idle
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}
