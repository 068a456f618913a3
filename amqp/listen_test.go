package amqp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// serveToTheEnd serves a listener until the test ends.
func serveToTheEnd(t *testing.T, serve func(net.Listener) error, l net.Listener) {
	ended := make(chan error, 1)
	go func() { ended <- serve(l) }()
	t.Cleanup(func() { require.Equal(t, amqp.ErrServerClosed, <-ended) })
}

func listenTCP(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func dialNet(t *testing.T, l net.Listener) *rawClient {
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return rawOver(t, c)
}

func TestAServerHasSeveralListeners(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	listeners := []net.Listener{listenTCP(t), listenTCP(t), l}
	_, srv := brokertest.Serve(t, nil, nil)
	for _, l := range listeners {
		go srv.Serve(l)
	}
	for _, l := range listeners {
		r := dialNet(t, l)
		r.open(0)
		r.hangUp()
	}
	require.NoError(t, srv.Close())
	for _, l := range listeners {
		_, err := net.Dial(l.Addr().Network(), l.Addr().String())
		require.Error(t, err)
	}
}

func TestURLIsThatOfATCPListener(t *testing.T) {
	_, srv := brokertest.Serve(t, nil, nil)
	require.Empty(t, srv.URL())
	require.Nil(t, srv.Addr())
	l := listenTCP(t)
	go srv.Serve(l)
	dialNet(t, l).open(0) // by now it serves
	require.Equal(t, "amqp://guest:guest@"+l.Addr().String()+"/", srv.URL())
	conn, err := amqp091.Dial(srv.URL())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestListenReturnsWhenClientsCanConnect(t *testing.T) {
	certificate, pool := newCertificate(t, "ann")
	for scheme, listen := range map[string]func(srv *amqp.Server, addr string) error{
		"amqp": (*amqp.Server).Listen, "amqps": (*amqp.Server).ListenTLS,
	} {
		b := brokertest.New(t, nil)
		srv := amqp.NewServer(b, &amqp.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}})
		require.NoError(t, listen(srv, "127.0.0.1:0"))
		require.Equal(t, scheme+"://guest:guest@"+srv.Addr().String()+"/", srv.URL())
		require.NotContains(t, srv.URL(), ":0/", "the port that was taken")
		conn, err := amqp091.DialTLS(srv.URL(), &tls.Config{RootCAs: pool})
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		require.NoError(t, srv.Listen("127.0.0.1:0"), "and at another port")
		require.NoError(t, srv.Close())
		_, err = net.Dial("tcp", srv.Addr().String())
		require.Error(t, err)
		require.Equal(t, amqp.ErrServerClosed, listen(srv, "127.0.0.1:0"))
	}
}

func TestNothingIsServedAfterTheEnd(t *testing.T) {
	_, srv := brokertest.Serve(t, nil, nil)
	l := listenTCP(t)
	serveToTheEnd(t, srv.Serve, l)
	r := dialNet(t, l)
	r.open(0)
	require.NoError(t, srv.Close())
	r.over()

	again := listenTCP(t)
	require.Equal(t, amqp.ErrServerClosed, srv.Serve(again))
	_, err := again.Accept()
	require.ErrorIs(t, err, net.ErrClosed, "Serve closes what it does not serve")
	require.Equal(t, amqp.ErrServerClosed, srv.ListenAndServe("127.0.0.1:0"))
	client, server := net.Pipe()
	srv.ServeConn(server)
	_, err = client.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestListeningCanFail(t *testing.T) {
	_, srv := brokertest.Serve(t, nil, nil)
	l := listenTCP(t)
	defer l.Close()
	require.ErrorIs(t, srv.ListenAndServe(l.Addr().String()), syscall.EADDRINUSE)
	require.ErrorIs(t, srv.ListenAndServeTLS(l.Addr().String()), syscall.EADDRINUSE)
	require.ErrorIs(t, srv.Listen(l.Addr().String()), syscall.EADDRINUSE)
	require.ErrorIs(t, srv.ListenTLS(l.Addr().String()), syscall.EADDRINUSE)
	require.Error(t, srv.ListenTLS("127.0.0.1:0"), "without Options.TLS")
	require.Empty(t, srv.URL(), "nobody listens")
	require.Error(t, srv.ListenAndServe("nonsense"))
	require.EqualError(t, srv.ServeTLS(l), "amqp: TLS needs Options.TLS")
	_, err := l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// flakyListener fails now and then.
type flakyListener struct {
	net.Listener
	errs []error
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	return l.Listener.Accept()
}

func TestTooManyOpenFilesPass(t *testing.T) {
	_, srv := brokertest.Serve(t, nil, nil)
	l := listenTCP(t)
	go srv.Serve(&flakyListener{l, []error{syscall.EMFILE, syscall.ECONNABORTED}})
	r := dialNet(t, l)
	r.open(0)
	r.hangUp()

	broken := errors.New("broken")
	other := listenTCP(t)
	require.ErrorIs(t, srv.Serve(&flakyListener{other, []error{broken}}), broken)
}

// newCertificate makes a certificate of 127.0.0.1, and of a client.
func newCertificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	certificate, pool := newCertificate(t, "ann")
	var login amqp.Login
	_, srv := brokertest.Serve(t, nil, &amqp.Options{
		TLS:          &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven},
		Authenticate: func(l amqp.Login) bool { login = l; return true },
	})
	l := listenTCP(t)
	serveToTheEnd(t, srv.ServeTLS, l)
	dial := func(c *tls.Config) *rawClient {
		conn, err := tls.Dial("tcp", l.Addr().String(), c)
		require.NoError(t, err)
		return rawOver(t, conn)
	}
	external := func(r *rawClient) {
		r.write([]byte(wire.ProtocolHeader))
		require.Equal(t, "PLAIN AMQPLAIN EXTERNAL", expect[*wire.ConnectionStart](r).Mechanisms)
		r.send(0, startOk("EXTERNAL", ""))
	}

	r := dial(&tls.Config{RootCAs: pool})
	r.open(0)
	require.NotNil(t, login.TLS)
	require.Equal(t, "amqps://guest:guest@"+l.Addr().String()+"/", srv.URL())
	conn, err := amqp091.DialTLS(srv.URL(), &tls.Config{RootCAs: pool})
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	r = dial(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}})
	external(r)
	expect[*wire.ConnectionTune](r)
	require.Equal(t, "EXTERNAL", login.Mechanism)
	require.Equal(t, "ann", login.User)

	r = dial(&tls.Config{RootCAs: pool})
	external(r) // without a certificate
	r.closed(502, "SYNTAX_ERROR - response to authentication mechanism EXTERNAL invalid")

	plain := dialNet(t, l) // not TLS at all
	plain.write([]byte(wire.ProtocolHeader))
	_, err = io.ReadAll(plain.conn)
	require.NoError(t, err)
	require.NoError(t, srv.Close())
}

// TestLastWordsArriveOverTCP has a client that has much more to say than the
// server reads.
func TestLastWordsArriveOverTCP(t *testing.T) {
	_, srv := brokertest.Serve(t, nil, nil)
	l := listenTCP(t)
	serveToTheEnd(t, srv.Serve, l)
	much := strings.Repeat("x", 256<<10)
	for range 20 {
		r := dialNet(t, l)
		r.open(0)
		r.write([]byte("\x04\x00\x01\x00\x00\x00\x00\xce" + much))
		require.Equal(t, uint16(501), expect[*wire.ConnectionClose](r).ReplyCode)
		r.conn.Close()

		r = dialNet(t, l)
		r.write([]byte("GET / HTTP/1.1\r\n" + much))
		header := make([]byte, len(wire.ProtocolHeader))
		_, err := io.ReadFull(r.conn, header)
		require.NoError(t, err)
		require.Equal(t, wire.ProtocolHeader, string(header))
		r.conn.Close()
	}
	require.NoError(t, srv.Close())
}
