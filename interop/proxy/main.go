// Proxy stands between AMQP clients and a broker, and cuts connections off by
// name when it is asked to over HTTP. Test suites of clients that recover from
// a lost connection ask RabbitMQ's management API to do that; proxy knows the
// two calls that they need:
//
//	GET    /api/connections/
//	DELETE /api/connections/<name>
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

func main() {
	log.SetFlags(0)
	target := flag.String("target", "", "the broker's address")
	flag.Parse()
	p := &proxy{target: *target, conns: make(map[string]*conn)}
	clients, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("amqp %s http %s\n", clients.Addr(), api.Addr())
	go p.serve(clients)
	log.Fatal(http.Serve(api, p.api()))
}

type proxy struct {
	target string

	mu sync.Mutex
	// Guarded by mu.
	conns map[string]*conn // by the client's address, which is RabbitMQ's name of it, too
}

// conn is a client with its connection to the broker.
type conn struct {
	client, broker net.Conn
	name           string // the client's connection_name; guarded by the proxy's mu
}

func (c *conn) close() {
	c.client.Close()
	c.broker.Close()
}

func (p *proxy) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go p.pass(client)
	}
}

// pass copies both ways until either side ends.
func (p *proxy) pass(client net.Conn) {
	broker, err := net.Dial("tcp", p.target)
	if err != nil {
		client.Close()
		return
	}
	c := &conn{client: client, broker: broker}
	defer c.close()
	id := client.RemoteAddr().String()
	p.mu.Lock()
	p.conns[id] = c
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, id)
		p.mu.Unlock()
	}()

	var up sync.WaitGroup
	up.Go(func() {
		defer c.close()
		p.passUp(c)
	})
	io.Copy(client, broker)
	c.close()
	up.Wait()
}

// passUp copies what the client sends, and looks for its name at the start.
func (p *proxy) passUp(c *conn) {
	var seen []byte
	b := make([]byte, 64<<10)
	for len(seen) < 8<<10 {
		n, err := c.client.Read(b)
		if _, werr := c.broker.Write(b[:n]); err != nil || werr != nil {
			return
		}
		seen = append(seen, b[:n]...)
		if name, ok := connectionName(seen); ok {
			p.mu.Lock()
			c.name = name
			p.mu.Unlock()
			break
		}
	}
	io.Copy(c.broker, c.client)
}

// connectionName finds the property of start-ok, a long string.
func connectionName(b []byte) (string, bool) {
	_, rest, ok := bytes.Cut(b, []byte("\x0fconnection_nameS"))
	if !ok || len(rest) < 4 {
		return "", false
	}
	n := binary.BigEndian.Uint32(rest)
	if rest = rest[4:]; uint64(len(rest)) < uint64(n) {
		return "", false
	}
	return string(rest[:n]), true
}

func (p *proxy) api() http.Handler {
	type properties struct {
		ConnectionName string `json:"connection_name"`
	}
	type connection struct {
		Name             string     `json:"name"`
		ClientProperties properties `json:"client_properties"`
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/connections/{$}", func(w http.ResponseWriter, _ *http.Request) {
		list := []connection{}
		p.mu.Lock()
		for id, c := range p.conns {
			list = append(list, connection{id, properties{c.name}})
		}
		p.mu.Unlock()
		json.NewEncoder(w).Encode(list)
	})
	mux.HandleFunc("DELETE /api/connections/{name}", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		c := p.conns[r.PathValue("name")]
		p.mu.Unlock()
		if c == nil {
			http.NotFound(w, r)
			return
		}
		c.close()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
