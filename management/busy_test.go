package management_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/management"
)

// TestListsWhileObjectsComeAndGo asks for everything while queues, exchanges, bindings,
// users, virtual hosts and channels are made and deleted.
func TestListsWhileObjectsComeAndGo(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/vhosts/v", "")
	var stop atomic.Bool
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				name := fmt.Sprintf("%d-%d", n, i%10)
				s.ask("PUT", "/api/queues/v/"+name, "{}")
				s.ask("PUT", "/api/exchanges/v/"+name, "{}")
				s.ask("POST", "/api/bindings/v/e/"+name+"/q/"+name, `{"routing_key":"k"}`)
				s.ask("PUT", "/api/users/"+name, `{"password":"p","tags":"management"}`)
				s.ask("PUT", "/api/vhosts/"+name, "")
				s.ask("DELETE", "/api/queues/v/"+name, "")
				s.ask("DELETE", "/api/exchanges/v/"+name, "")
				s.ask("DELETE", "/api/vhosts/"+name, "")
				s.ask("DELETE", "/api/users/"+name, "")
			}
		})
	}
	for range 10 {
		for _, path := range []string{
			"overview", "queues", "queues?page=1&sort=messages", "exchanges", "bindings", "connections", "channels", "consumers", "vhosts", "users",
			"permissions", "nodes", "definitions", "warren/rpc", "queues/v/0-1?lengths_age=60&lengths_incr=5", "vhosts/0-1?lengths_age=60&lengths_incr=5",
		} {
			a := s.get("/api/" + path)
			require.Contains(t, []int{200, 404}, a.Code, path)
			require.True(t, json.Valid(a.Body.Bytes()), path)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// TestRequestsShareNothing has many clients at once, while samples are taken.
func TestRequestsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		for i := range 20 {
			s.want(201, "PUT", fmt.Sprintf("/api/queues/%%2F/q%d", i), "{}")
		}
		s.get("/api/overview") // from now on messages are counted
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				for range 20 {
					s.publish("", fmt.Sprintf("q%d", n), "m")
					q := s.get(fmt.Sprintf("/api/queues/%%2F/q%d?lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5", n)).object()
					require.NotEmpty(t, q["messages_details"].(object)["samples"])
					s.get("/api/overview?lengths_age=60&lengths_incr=5")
					s.get("/api/warren/rpc")
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 400.0, s.get("/api/overview").object()["message_stats"].(object)["publish"])
	})
}

func TestAnExclusiveQueueNamesItsOwner(t *testing.T) {
	s, srv := newListening(t)
	conn := s.dial(srv, "guest")
	ch, err := conn.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("mine", false, false, true, false, nil)
	require.NoError(t, err)
	q := s.get("/api/queues/%2F/mine").object()
	require.Equal(t, true, q["exclusive"])
	require.Equal(t, conn.LocalAddr().String()+" -> "+conn.RemoteAddr().String(), q["owner_pid_details"].(object)["name"])
	s.want(400, "POST", "/api/queues/%2F/mine/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}`)
	require.NoError(t, ch.PublishWithContext(t.Context(), "", "mine", false, false, amqp091.Publishing{Body: []byte("secret")}))
	s.user("m", warren.Management, "/")
	s.want(401, "GET", "/api/warren/peek/%2F/mine", "", as("m", "m"))
	s.want(200, "GET", "/api/warren/peek/%2F/mine", "")
}

// certificate makes one that ends after a time.
func certificate(t *testing.T, valid time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestCertificates(t *testing.T) {
	b := warren.New(nil)
	srv := amqp.NewServer(b, &amqp.Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{certificate(t, 10*24*time.Hour)},
		ClientAuth:   tls.RequireAnyClientCert, // the check has none
	}})
	s := newSiteOf(t, b, &management.Options{Servers: []*amqp.Server{srv}})
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	require.NoError(t, srv.ListenTLS("127.0.0.1:0"))
	s.want(200, "GET", "/api/health/checks/certificate-expiration/1/weeks", "")
	a := s.want(503, "GET", "/api/health/checks/certificate-expiration/2/weeks", "")
	require.Contains(t, a.object()["reason"], "the certificate ends at")
	s.want(503, "GET", "/api/health/checks/certificate-expiration/1/months", "")
	s.want(400, "GET", "/api/health/checks/certificate-expiration/-1/months", "")
	require.Equal(t, http.StatusOK, s.get("/api/health/checks/protocol-listener/amqps").Code)
}
