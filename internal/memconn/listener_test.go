package memconn_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

type dialled struct {
	conn net.Conn
	err  error
}

// startConnecting is startCall for Accept and Dial.
func startConnecting(call func() (net.Conn, error)) <-chan dialled {
	done := make(chan dialled, 1)
	go func() {
		c, err := call()
		done <- dialled{c, err}
	}()
	synctest.Wait()
	return done
}

func connected(t *testing.T, done <-chan dialled) (net.Conn, error) {
	t.Helper()
	synctest.Wait()
	require.Len(t, done, 1, "must not wait")
	d := <-done
	return d.conn, d.err
}

func isListenerError(t *testing.T, err error, op string, l net.Listener, cause error) {
	t.Helper()
	require.Equal(t, &net.OpError{Op: op, Net: "mem", Addr: l.Addr(), Err: cause}, err)
}

// fillBacklog dials until the backlog has no more room.
func fillBacklog(t *testing.T, l *memconn.Listener) []net.Conn {
	t.Helper()
	var clients []net.Conn
	for range 16 {
		c, err := l.Dial(t.Context())
		require.NoError(t, err)
		clients = append(clients, c)
	}
	return clients
}

func TestDialAndAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memconn.Listen("broker")
		require.Equal(t, "mem", l.Addr().Network())
		require.Equal(t, "broker", l.Addr().String())
		accept := startConnecting(l.Accept)
		require.Empty(t, accept, "nobody has dialled")

		client, err := l.Dial(t.Context())
		require.NoError(t, err)
		server, err := connected(t, accept)
		require.NoError(t, err)
		mustWrite(t, client, []byte("ping"))
		require.Equal(t, "ping", string(mustRead(t, server, 4)))
		mustWrite(t, server, []byte("pong"))
		require.Equal(t, "pong", string(mustRead(t, client, 4)))

		require.Equal(t, "broker#1", client.LocalAddr().String())
		require.Equal(t, l.Addr(), client.RemoteAddr())
		require.Equal(t, client.LocalAddr(), server.RemoteAddr())
		require.Equal(t, l.Addr(), server.LocalAddr())
		second, err := l.Dial(t.Context())
		require.NoError(t, err)
		require.Equal(t, "broker#2", second.LocalAddr().String())
	})
}

func TestConnectionsAreAcceptedInTheOrderOfTheDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memconn.Listen("broker")
		for _, client := range fillBacklog(t, l) {
			server, err := l.Accept()
			require.NoError(t, err)
			require.Equal(t, client.LocalAddr(), server.RemoteAddr())
		}
	})
}

func TestDialWaitsForAPlaceInTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memconn.Listen("broker")
		fillBacklog(t, l)
		dial := startConnecting(func() (net.Conn, error) { return l.Dial(t.Context()) })
		require.Empty(t, dial)
		_, err := l.Accept()
		require.NoError(t, err)
		_, err = connected(t, dial)
		require.NoError(t, err)
	})
}

func TestDialEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memconn.Listen("broker")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := l.Dial(ctx)
		isListenerError(t, err, "dial", l, context.Canceled)

		fillBacklog(t, l)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		c, err := l.Dial(ctx)
		require.Nil(t, c)
		isListenerError(t, err, "dial", l, context.DeadlineExceeded)
		require.True(t, err.(net.Error).Timeout())
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestCloseOfTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memconn.Listen("broker")
		client, err := l.Dial(t.Context())
		require.NoError(t, err)
		server, err := l.Accept()
		require.NoError(t, err)
		accepts := []<-chan dialled{startConnecting(l.Accept), startConnecting(l.Accept)}
		require.NoError(t, l.Close())
		require.NoError(t, l.Close())

		for _, a := range accepts {
			c, err := connected(t, a)
			require.Nil(t, c)
			isListenerError(t, err, "accept", l, net.ErrClosed)
		}
		_, err = l.Accept()
		isListenerError(t, err, "accept", l, net.ErrClosed)
		_, err = l.Dial(t.Context())
		isListenerError(t, err, "dial", l, net.ErrClosed)

		mustWrite(t, client, []byte("still"))
		require.Equal(t, "still", string(mustRead(t, server, 5)))
	})
}

func TestCloseOfTheListenerHangsUpOnTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memconn.Listen("broker")
		clients := fillBacklog(t, l)
		dial := startConnecting(func() (net.Conn, error) { return l.Dial(t.Context()) })
		require.NoError(t, l.Close())
		_, err := connected(t, dial)
		isListenerError(t, err, "dial", l, net.ErrClosed)
		for _, c := range clients {
			_, err := c.Read(make([]byte, 1))
			require.Equal(t, io.EOF, err)
			_, err = c.Write(make([]byte, 1))
			require.ErrorIs(t, err, io.ErrClosedPipe)
		}
	})
}

// TestDialAndCloseAtOnce: whoever gets a connection gets an accepted one or
// one that is closed, never one that waits for ever.
func TestDialAndCloseAtOnce(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			l := memconn.Listen("broker")
			for range 10 {
				go func() {
					c, err := l.Dial(t.Context())
					if err == nil {
						io.Copy(io.Discard, c)
					}
				}()
			}
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Close()
				}
			}()
			go l.Close()
		})
	}
}

// TestHTTP has a server and a client of the standard library use all of it.
func TestHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memconn.Listen("web")
		server := &http.Server{
			ReadTimeout: time.Minute,
			IdleTimeout: time.Minute,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(w, r.Body)
			}),
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return l.Dial(ctx)
		}}
		client := &http.Client{Transport: transport, Timeout: time.Minute}
		for range 3 {
			body := strings.Repeat("warren ", 50_000)
			resp, err := client.Post("http://web/", "text/plain", strings.NewReader(body))
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, body, string(got))
			require.NoError(t, resp.Body.Close())
			time.Sleep(2 * time.Minute) // the server closes the idle connection
		}
		require.NoError(t, server.Shutdown(t.Context()))
		require.Equal(t, http.ErrServerClosed, <-served)
		transport.CloseIdleConnections()
	})
}
