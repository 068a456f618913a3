package amqp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

const shutdownText = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"

// declare makes a queue and reads the answer.
func (r *rawClient) declare(q wire.QueueDeclare) {
	r.t.Helper()
	r.send(1, &q)
	expect[*wire.QueueDeclareOk](r)
}

// queueOf looks at a queue from outside.
func queueOf(t *testing.T, b *warren.Broker, name string) (warren.Queue, error) {
	ch := brokertest.Channel(t, b)
	defer ch.Close()
	return ch.QueueDeclarePassive(name)
}

func TestWhatTheConnectionHeldIsFreeBeforeCloseOk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		r := rawChannel(t, srv)
		r.declare(wire.QueueDeclare{Queue: "own", Exclusive: true})
		r.declare(wire.QueueDeclare{Queue: "shared"})
		r.publish(1, "shared", "x")
		r.send(1, &wire.BasicGet{Queue: []byte("shared")})
		expect[*wire.BasicGetOk](r)
		r.nextFrame()
		r.nextFrame()
		q, err := queueOf(t, b, "shared")
		require.NoError(t, err)
		require.Zero(t, q.Messages)

		r.send(0, &wire.ConnectionClose{ReplyCode: 200})
		expect[*wire.ConnectionCloseOk](r)
		_, err = queueOf(t, b, "own")
		require.ErrorIs(t, err, warren.ErrNotFound)
		q, err = queueOf(t, b, "shared")
		require.NoError(t, err)
		require.Equal(t, 1, q.Messages)
		r.over()
	})
}

func TestConfirmsOfWhatWasPublishedComeBeforeTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		last []byte
		end  wire.Method
	}{
		"client closes": {wire.AppendMethod(nil, 0, &wire.ConnectionClose{ReplyCode: 200}), &wire.ConnectionCloseOk{}},
		"error":         {wire.AppendMethod(nil, 0, &wire.ChannelOpen{}), &wire.ConnectionClose{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, nil)
				r := rawChannel(t, srv)
				r.send(1, &wire.ConfirmSelect{})
				expect[*wire.ConfirmSelectOk](r)
				b := wire.AppendPublish(nil, 1, publishNowhere, nil, []byte("x"), 4096)
				b = wire.AppendPublish(b, 1, publishNowhere, nil, []byte("y"), 4096)
				r.write(append(b, c.last...)) // at once
				ack := expect[*wire.BasicAck](r)
				require.Equal(t, wire.BasicAck{DeliveryTag: 2, Multiple: true}, *ack)
				m, _ := r.next()
				require.IsType(t, c.end, m)
				r.conn.Write(wire.AppendMethod(nil, 0, &wire.ConnectionCloseOk{}))
				r.over()
			})
		})
	}
}

func TestWhatComesAfterTheServersCloseIsDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		r := rawChannel(t, srv)
		r.send(0, &wire.ChannelOpen{})
		expect[*wire.ConnectionClose](r)
		r.send(1, &wire.QueueDeclare{Queue: "late"})
		r.send(2, &wire.ChannelOpen{})
		r.send(0, &wire.ConnectionUpdateSecret{})
		r.sendFrame(wire.FrameMethod, 1, "\xff\xff\xff\xff")
		r.sendFrame(wire.FrameBody, 0, "x")
		r.sendFrame(wire.FrameHeartbeat, 7, "")
		r.quiet(time.Second)
		_, err := queueOf(t, b, "late")
		require.ErrorIs(t, err, warren.ErrNotFound)
		r.send(0, &wire.ConnectionCloseOk{})
		r.over()
	})
}

func TestBothMayCloseAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		r := rawChannel(t, srv)
		r.send(0, &wire.ChannelOpen{}, &wire.ConnectionClose{ReplyCode: 200})
		expect[*wire.ConnectionClose](r)
		expect[*wire.ConnectionCloseOk](r)
		r.over()
	})
}

func TestACloseThatIsNotAnsweredEndsWithATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		r := rawChannel(t, srv)
		start := time.Now()
		r.send(0, &wire.ChannelOpen{})
		expect[*wire.ConnectionClose](r)
		r.over()
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestChannelsAreFreeAsSoonAsTheServerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		r := rawChannel(t, srv)
		r.declare(wire.QueueDeclare{Queue: "own", Exclusive: true})
		r.send(0, &wire.ChannelOpen{})
		expect[*wire.ConnectionClose](r)
		_, err := queueOf(t, b, "own")
		require.ErrorIs(t, err, warren.ErrNotFound)
	})
}

func TestShutdownAsksEveryClientAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		clients := []*rawClient{openRaw(t, srv), rawChannel(t, srv), openRaw(t, srv)}
		ended := make(chan error, 1)
		go func() { ended <- srv.Shutdown(context.Background()) }()
		for _, r := range clients {
			require.Equal(t, shutdownText, expect[*wire.ConnectionClose](r).ReplyText)
			_, err := srv.Dial("", "")
			require.ErrorIs(t, err, amqp.ErrServerClosed)
			synctest.Wait()
			require.Empty(t, ended)
			r.send(0, &wire.ConnectionCloseOk{})
			r.over()
		}
		require.NoError(t, <-ended)
		require.NoError(t, srv.Shutdown(context.Background()), "again")
	})
}

func TestShutdownCutsWhoDoesNotGoInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		r := openRaw(t, srv)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, srv.Shutdown(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, uint16(320), expect[*wire.ConnectionClose](r).ReplyCode)
		r.over()
	})
}

func TestShutdownEndsByItselfWhateverClientsDo(t *testing.T) {
	for name, arrive := range map[string]func(t *testing.T, srv *amqp.Server) *rawClient{
		"says nothing": dialRaw,
		"logs in":      func(t *testing.T, srv *amqp.Server) *rawClient { r := dialRaw(t, srv); r.login(); return r },
		"is refused": func(t *testing.T, srv *amqp.Server) *rawClient {
			return loginRaw(t, srv, "PLAIN", "\x00guest\x00no", "authentication_failure_close")
		},
		"does not answer": func(t *testing.T, srv *amqp.Server) *rawClient { return openRaw(t, srv) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, nil)
				arrive(t, srv)
				synctest.Wait()
				start := time.Now()
				require.NoError(t, srv.Shutdown(context.Background()))
				require.LessOrEqual(t, time.Since(start), 10*time.Second)
			})
		})
	}
}

func TestCloseCutsAllConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		r := rawChannel(t, srv)
		r.declare(wire.QueueDeclare{Queue: "own", Exclusive: true})
		silent := dialRaw(t, srv)
		start := time.Now()
		require.NoError(t, srv.Close())
		require.Zero(t, time.Since(start))
		_, err := queueOf(t, b, "own")
		require.ErrorIs(t, err, warren.ErrNotFound, "Close waits for the end of connections")
		r.over()
		silent.over()
		require.NoError(t, srv.Close(), "again")
	})
}

func TestAnEndOfTheBrokerReachesIdleClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		idle, busy := openRaw(t, srv), rawChannel(t, srv)
		require.NoError(t, b.Close())
		idle.closed(320, shutdownText)
		busy.closed(320, shutdownText)
		late := dialRaw(t, srv)
		late.login()
		late.send(0, (*wire.ConnectionTuneOk)(expect[*wire.ConnectionTune](late)), &wire.ConnectionOpen{VirtualHost: "/"})
		late.closed(320, shutdownText)
	})
}

func TestADeletedVirtualHostHasNoClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		_, err := b.VirtualHostDeclare("other")
		require.NoError(t, err)
		r := dialRaw(t, srv)
		r.login()
		r.send(0, (*wire.ConnectionTuneOk)(expect[*wire.ConnectionTune](r)), &wire.ConnectionOpen{VirtualHost: "other"})
		expect[*wire.ConnectionOpenOk](r)
		elsewhere := openRaw(t, srv)
		require.NoError(t, b.VirtualHostDelete("other"))
		r.closed(320, "CONNECTION_FORCED - vhost 'other' is deleted")
		elsewhere.hangUp()
	})
}

func TestSeveralServersShareABroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one := brokertest.Serve(t, nil, nil)
		two := amqp.NewServer(b, &amqp.Options{ChannelMax: 9})
		r := rawChannel(t, one)
		r.declare(wire.QueueDeclare{Queue: "q"})
		s := rawChannel(t, two)
		s.send(1, &wire.QueueDeclare{Queue: "q", Passive: true})
		expect[*wire.QueueDeclareOk](s)
		require.NoError(t, two.Close())
		s.over()
		r.hangUp()
	})
}

// TestLastWordsAreWaitedFor: TCP would lose them if the server closed while
// the client still talks.
func TestLastWordsAreWaitedFor(t *testing.T) {
	for name, c := range map[string]struct{ say, more string }{
		"frame error":     {"\x04\x00\x01\x00\x00\x00\x00\xce", "x"},
		"protocol header": {"GET / HT", "TP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, nil)
				r := dialRaw(t, srv)
				if name == "frame error" {
					r.open(0)
				}
				r.write([]byte(c.say))
				time.Sleep(3*time.Second - time.Millisecond)
				r.write(make([]byte, 1<<20))
				time.Sleep(time.Millisecond)
				synctest.Wait()
				_, err := r.conn.Write([]byte(c.more))
				require.Error(t, err, "but not for ever")
				_, err = r.conn.Read(make([]byte, 8))
				require.NoError(t, err)
			})
		})
	}
}

// TestARefusalIsHeard has a client that looks for the end of the stream before it
// answers. It must find none, and the connection ends with its answer, or after the
// time that it has to read.
func TestARefusalIsHeard(t *testing.T) {
	for name, refused := range map[string]func(r *rawClient){
		"wrong password": func(r *rawClient) {
			r.write([]byte(wire.ProtocolHeader))
			expect[*wire.ConnectionStart](r)
			r.send(0, startOk("PLAIN", "\x00guest\x00no", "authentication_failure_close"))
		},
		"unknown vhost": func(r *rawClient) {
			r.login()
			r.send(0, (*wire.ConnectionTuneOk)(expect[*wire.ConnectionTune](r)), &wire.ConnectionOpen{VirtualHost: "no"})
		},
		"bad tuning": func(r *rawClient) {
			r.login()
			expect[*wire.ConnectionTune](r)
			r.send(0, &wire.ConnectionTuneOk{})
		},
		"bad frame when starting": func(r *rawClient) {
			r.write([]byte(wire.ProtocolHeader))
			expect[*wire.ConnectionStart](r)
			r.write([]byte("\x04\x00\x01\x00\x00\x00\x00\xce"))
		},
		"bad frame when open": func(r *rawClient) {
			r.open(0)
			r.write([]byte("\x04\x00\x01\x00\x00\x00\x00\xce"))
		},
		"bad frame after the server's close": func(r *rawClient) {
			r.open(0)
			r.send(0, &wire.ChannelOpen{})
			r.write([]byte("\x04\x00\x01\x00\x00\x00\x00\xce"))
		},
	} {
		for _, answers := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/answers %t", name, answers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, srv := brokertest.Serve(t, nil, nil)
					r := dialRaw(t, srv)
					refused(r)
					expect[*wire.ConnectionClose](r)
					start := time.Now()
					if answers {
						r.quiet(2 * time.Second)
						octets := wire.AppendMethod(nil, 0, &wire.ConnectionCloseOk{})
						r.write(append([]byte("what was under way"), octets[:5]...))
						synctest.Wait()
						r.write(octets[5:])
						r.over()
						require.Equal(t, 2*time.Second, time.Since(start), "nobody waits after the answer")
						return
					}
					r.over()
					require.Equal(t, 3*time.Second, time.Since(start))
				})
			})
		}
	}
}

// TestTheEndWaitsForNoFunctionOfTheHost: a connection whose reader is busy is left
// behind, and told of.
func TestTheEndWaitsForNoFunctionOfTheHost(t *testing.T) {
	for name, end := range map[string]func(srv *amqp.Server) error{
		"Close": func(srv *amqp.Server) error { return srv.Close() },
		"Shutdown": func(srv *amqp.Server) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			start := time.Now()
			err := srv.Shutdown(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Minute+time.Second {
				return fmt.Errorf("after %v: %w", time.Since(start), err)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := make(chan struct{})
				_, srv := brokertest.Serve(t, nil, &amqp.Options{Authenticate: func(amqp.Login) bool { <-asked; return true }})
				busy, idle := dialRaw(t, srv), dialRaw(t, srv)
				busy.login()
				synctest.Wait()
				start := time.Now()
				err := end(srv)
				require.ErrorContains(t, err, "1 connection is at work still")
				require.LessOrEqual(t, time.Since(start), time.Minute+time.Second)
				idle.over()
				busy.over()
				close(asked)
				synctest.Wait()
				require.NoError(t, srv.Close(), "now it has ended")
			})
		})
	}
}

// TestTheEndWaitsForNoClientOfTLS: TLS has last words of its own, for which it would
// wait five seconds for each client that does not read.
func TestTheEndWaitsForNoClientOfTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		certificate, pool := newCertificate(t, "ann")
		_, srv := brokertest.Serve(t, nil, nil)
		for range 3 {
			client, server := memconn.Pipe(0)
			stuck := newStuckConn(server)
			go srv.ServeConn(tls.Server(stuck, &tls.Config{Certificates: []tls.Certificate{certificate}}))
			r := rawOver(t, tls.Client(client, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}))
			r.open(0)
			synctest.Wait()
			stuck.stuck.Store(true)
			time.AfterFunc(5*time.Second, stuck.release) // as the deadline would
		}
		start := time.Now()
		require.NoError(t, srv.Close())
		require.Zero(t, time.Since(start))
		time.Sleep(5 * time.Second)
	})
}
