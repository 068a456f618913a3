package amqp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// A handler of this process is called by a client that was written with
// amqp091-go.
func Example() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	defer srv.Close()
	_, err := b.Handle("greet", func(_ context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte("Hello, " + string(req.Body))}, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}
	replies, err := ch.Consume(warren.DirectReplyTo, "", true, false, false, false, nil)
	if err != nil {
		log.Fatal(err)
	}
	err = ch.Publish("", "greet", true, false, amqp091.Publishing{
		ReplyTo: warren.DirectReplyTo, CorrelationId: "1", Body: []byte("client"),
	})
	if err != nil {
		log.Fatal(err)
	}
	reply := <-replies
	fmt.Println(string(reply.Body))
	// Output: Hello, client
}

// A server that decides about logins itself.
func ExampleNewServer() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, &amqp.Options{
		Authenticate: func(l amqp.Login) bool { return l.User == "ann" && l.Password == "secret" },
		Heartbeat:    10 * time.Second,
	})
	defer srv.Close()

	for _, url := range []string{"amqp://ann:secret@localhost/", "amqp://guest:guest@localhost/"} {
		conn, err := amqp091.DialConfig(url, amqp091.Config{Dial: srv.Dial})
		if err != nil {
			fmt.Println(errors.Is(err, amqp091.ErrCredentials))
			continue
		}
		fmt.Println(conn.Config.Heartbeat)
		conn.Close()
	}
	// Output:
	// 10s
	// true
}

func ExampleServer_Dial() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	defer srv.Close()

	// Dial takes the place of the network: the address in the URL is not used.
	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ch.QueueDeclare("jobs", false, false, false, false, nil); err != nil {
		log.Fatal(err)
	}
	if err := ch.Publish("", "jobs", true, false, amqp091.Publishing{Body: []byte("from the client")}); err != nil {
		log.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil { // its answer comes after the publish is done
		log.Fatal(err)
	}

	// The broker's own channels see the same queues.
	own, err := b.Channel()
	if err != nil {
		log.Fatal(err)
	}
	d, ok, err := own.Get("jobs", true)
	fmt.Println(string(d.Body), ok, err)
	// Output: from the client true <nil>
}

func ExampleServer_Listen() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	defer srv.Close()
	if err := srv.Listen("127.0.0.1:0"); err != nil { // a free port
		log.Fatal(err)
	}

	conn, err := amqp091.Dial(srv.URL())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println("connected to", conn.Properties["product"])
	// Output: connected to Warren
}

func ExampleServer_Serve() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)

	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()

	conn, err := amqp091.Dial("amqp://guest:guest@" + l.Addr().String() + "/")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("connected to", conn.Properties["product"])
	conn.Close()

	srv.Close()
	fmt.Println(<-served)
	// Output:
	// connected to Warren
	// amqp: server closed
}

// A client of a server with TLS checks its certificate.
func ExampleServer_ListenTLS() {
	certificate, authorities, err := selfSigned()
	if err != nil {
		log.Fatal(err)
	}
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, &amqp.Options{
		TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	})
	defer srv.Close()
	if err := srv.ListenTLS("127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}

	conn, err := amqp091.DialTLS(srv.URL(), &tls.Config{RootCAs: authorities})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.ConnectionState().HandshakeComplete)
	// Output: true
}

// selfSigned makes a certificate for 127.0.0.1. A real one comes from
// tls.LoadX509KeyPair.
func selfSigned() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, nil
}

func ExampleServer_ServeConn() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, &amqp.Options{
		Authenticate: func(l amqp.Login) bool { return l.RemoteAddr.Network() == "pipe" },
	})
	defer srv.Close()

	// Any net.Conn will do, such as one end of a pipe.
	client, server := net.Pipe()
	go srv.ServeConn(server)

	conn, err := amqp091.Open(client, amqp091.Config{
		SASL: []amqp091.Authentication{&amqp091.PlainAuth{Username: "ann", Password: "any"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(b.Stats().Sessions)
	conn.Close()
	// Output: 1
}

func ExampleServer_Shutdown() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	told := conn.NotifyClose(make(chan *amqp091.Error, 1))

	// The clients are asked to go; who has not gone when ctx ends is cut off.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(srv.Shutdown(ctx))
	fmt.Println((<-told).Code)

	_, err = srv.Dial("tcp", "localhost:5672")
	fmt.Println(errors.Is(err, amqp.ErrServerClosed))
	// Output:
	// <nil>
	// 320
	// true
}

func ExampleServer_Close() {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	ended := conn.NotifyClose(make(chan *amqp091.Error, 1))

	srv.Close() // the clients are cut off, without a word
	<-ended
	fmt.Println(conn.IsClosed(), b.Stats().Sessions)
	// Output: true 0
}
