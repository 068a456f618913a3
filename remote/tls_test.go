package remote_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

func TestTLS(t *testing.T) {
	has := httptest.NewTLSServer(nil) // a certificate for 127.0.0.1
	defer has.Close()
	_, srv := brokertest.Serve(t, nil, &amqp.Options{TLS: has.TLS})
	require.NoError(t, srv.ListenTLS("127.0.0.1:0"))
	other := strings.Replace(srv.URL(), "guest:guest", "guest:wrong", 1)

	_, err := remote.Dial(t.Context(), []string{srv.URL()}, nil)
	require.ErrorAs(t, err, new(*tls.CertificateVerificationError))

	roots := x509.NewCertPool()
	roots.AddCert(has.Certificate())
	config := &tls.Config{RootCAs: roots}
	b, err := remote.Dial(t.Context(), []string{other, srv.URL()}, &remote.Options{TLS: config})
	require.NoError(t, err)
	defer b.Close()
	require.Empty(t, config.ServerName, "it is not changed")
	_, err = b.Handle("echo", echo)
	require.NoError(t, err)
	for _, size := range []int{0, 10, 1 << 20} {
		reply, err := b.Call(t.Context(), "echo", warren.Message{Body: make([]byte, size)})
		require.NoError(t, err)
		require.Len(t, reply.Body, size)
	}
	require.NoError(t, b.Enqueue(t.Context(), "jobs", warren.Message{}))
}
