package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ask runs the health command.
func ask(t *testing.T, args ...string) error {
	t.Helper()
	return command(t.Context(), append([]string{"health"}, args...), io.Discard, io.Discard)
}

func TestHealthOfABroker(t *testing.T) {
	p := begin(t)
	require.NoError(t, ask(t, p.http))
	require.NoError(t, ask(t, p.amqp))
	alarms := strings.Replace(p.http, "http://", "http://guest:guest@", 1) + "api/health/checks/local-alarms"
	require.NoError(t, ask(t, alarms))
	require.ErrorContains(t, ask(t, strings.Replace(alarms, "guest:guest", "guest:wrong", 1)), "401")

	require.NoError(t, p.stop())
	require.Error(t, ask(t, p.http))
	require.Error(t, ask(t, p.amqp))
}

func TestHealthWithTLS(t *testing.T) {
	cert, key := certificate(t)
	p := begin(t, "-tls-cert", cert, "-tls-key", key)
	require.True(t, strings.HasPrefix(p.http, "https://"))
	require.True(t, strings.HasPrefix(p.amqp, "amqps://"))
	require.NoError(t, ask(t, "-tls-ca", cert, p.http))
	require.NoError(t, ask(t, "-tls-ca", cert, p.amqp))

	require.ErrorContains(t, ask(t, p.http), "certificate")
	require.ErrorContains(t, ask(t, p.amqp), "certificate")
	require.ErrorContains(t, ask(t, "-tls-ca", key, p.http), "no certificate")
}

func TestHealthOfOneListener(t *testing.T) {
	p := begin(t, "-http", "")
	require.Empty(t, p.http)
	require.NoError(t, ask(t, p.amqp))
	p = begin(t, "-amqp", "")
	require.Empty(t, p.amqp)
	require.NoError(t, ask(t, p.http))
}

func TestHealthOfWhatIsNoBroker(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"status":"failed"}`, http.StatusServiceUnavailable)
	}))
	defer s.Close()
	require.ErrorContains(t, ask(t, s.URL), `503 Service Unavailable {"status":"failed"}`)

	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer other.Close()
	go func() {
		if conn, err := other.Accept(); err == nil {
			defer conn.Close()
			_, _ = io.WriteString(conn, "AMQP\x00\x01\x00\x00 is all that it speaks") // the client may have gone
			_, _ = conn.Read(make([]byte, 8))
		}
	}()
	require.ErrorContains(t, ask(t, "amqp://"+other.Addr().String()), "no AMQP 0-9-1 server")

	l, err := net.Listen("tcp", "127.0.0.1:0") // it answers nothing
	require.NoError(t, err)
	defer l.Close()
	require.Error(t, ask(t, "-timeout", "50ms", "http://"+l.Addr().String()))
	require.ErrorContains(t, ask(t, "-timeout", "50ms", "amqp://"+l.Addr().String()), "does not begin the handshake")

	require.ErrorContains(t, ask(t, "ftp://127.0.0.1"), "no http, https, amqp or amqps URL")
	require.ErrorContains(t, ask(t, "http://a", "http://b"), "one URL")
	require.Error(t, ask(t, ":"))
}

// certificate makes a self-signed certificate of 127.0.0.1, and returns two files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	}
	return cert, key
}
