package amqp

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"
)

// Listen listens on a TCP address, such as "127.0.0.1:5672", and returns. From then on
// clients are served, until Shutdown or Close, and [Server.Addr] and [Server.URL] are
// those of the address. Port 0 takes a free port. It fails if nobody can listen there,
// and with [ErrServerClosed] after Shutdown or Close.
func (s *Server) Listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return s.serveInBackground(l, "amqp")
}

// ListenTLS is Listen with TLS, by [Options].TLS.
func (s *Server) ListenTLS(addr string) error {
	l, err := s.listenTLS(addr)
	if err != nil {
		return err
	}
	return s.serveInBackground(l, "amqps")
}

// ListenAndServe is Listen that returns only after Shutdown or Close, with
// [ErrServerClosed].
func (s *Server) ListenAndServe(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return s.serve(l, "amqp")
}

// ListenAndServeTLS is ListenAndServe with TLS, by [Options].TLS.
func (s *Server) ListenAndServeTLS(addr string) error {
	l, err := s.listenTLS(addr)
	if err != nil {
		return err
	}
	return s.serve(l, "amqps")
}

// listenTLS listens on a TCP address.
func (s *Server) listenTLS(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return s.withTLS(l)
}

// withTLS returns l with TLS, or closes it.
func (s *Server) withTLS(l net.Listener) (net.Listener, error) {
	if s.options.TLS == nil {
		l.Close()
		return nil, errors.New("amqp: TLS needs Options.TLS")
	}
	return tls.NewListener(l, s.options.TLS), nil
}

// ServeTLS is Serve with TLS, by [Options].TLS.
func (s *Server) ServeTLS(l net.Listener) error {
	l, err := s.withTLS(l)
	if err != nil {
		return err
	}
	return s.serve(l, "amqps")
}

// Serve accepts connections from l, of any network, and serves each. It closes
// l when it returns, which it does with [ErrServerClosed] after Shutdown or
// Close, or with l's error.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, "amqp") }

// serve serves l until the end.
func (s *Server) serve(l net.Listener, scheme string) error {
	if !s.addListener(l, scheme, false) {
		l.Close()
		return ErrServerClosed
	}
	return s.accept(l)
}

// serveInBackground serves l until the end, which Close waits for.
func (s *Server) serveInBackground(l net.Listener, scheme string) error {
	if !s.addListener(l, scheme, true) {
		l.Close()
		return ErrServerClosed
	}
	go func() {
		defer s.accepting.Done()
		if err := s.accept(l); err != ErrServerClosed {
			s.log(slog.LevelError, "listening has ended", "address", l.Addr().String(), "error", err.Error())
		}
	}()
	return nil
}

// accept accepts connections from l until the end.
func (s *Server) accept(l net.Listener) error {
	defer l.Close()
	defer s.removeListener(l)
	for {
		c, err := l.Accept()
		if err != nil {
			if s.isClosing() {
				return ErrServerClosed
			}
			if !isTemporary(err) {
				return err
			}
			s.log(slog.LevelWarn, "accept failed, trying again", "error", err.Error())
			pause := time.NewTimer(acceptPause)
			select {
			case <-pause.C:
			case <-s.ended:
				pause.Stop()
			}
			continue
		}
		go s.ServeConn(c)
	}
}

// acceptPause is how long to wait after a temporary failure of Accept.
const acceptPause = 100 * time.Millisecond

// isTemporary reports whether Accept may succeed later, as after too many open files.
func isTemporary(err error) bool {
	var e interface{ Temporary() bool }
	return errors.As(err, &e) && e.Temporary()
}

// addListener reports false if the server is closed. Close waits for one in the
// background.
func (s *Server) addListener(l net.Listener, scheme string, background bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[l] = struct{}{}
	if background {
		s.accepting.Add(1)
	}
	if s.addr == nil {
		s.addr, s.scheme = l.Addr(), scheme
	}
	return true
}

func (s *Server) removeListener(l net.Listener) {
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
}
