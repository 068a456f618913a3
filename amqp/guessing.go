package amqp

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// freeGuesses is how many wrong logins in a row from one origin are answered at
	// once, such as typos.
	freeGuesses = 10
	// guessPause is how long the answer to another one takes. It is also the time
	// after which a wrong login is forgotten.
	guessPause = time.Second
	// maxPauses bounds the wrong logins that wait for their answer, and
	// maxPausesOfOne those of one origin. The others are answered at once.
	maxPauses      = 256
	maxPausesOfOne = 16
	// maxOrigins bounds the origins that are remembered.
	maxOrigins = 4096
)

// guessing slows down the answers to wrong logins, for those who send many. Right
// logins do not wait.
type guessing struct {
	mu sync.Mutex
	// Guarded by mu.
	origins map[string]*guesses
	pausing int
}

// guesses are the wrong logins from one origin.
type guesses struct {
	forgotten time.Time // when all will be forgotten
	pausing   int
}

// wrong counts a wrong login. It reports whether its answer is to wait for guessPause;
// done must be called then.
func (g *guessing) wrong(origin string, now time.Time) (wait bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.origins[origin]
	if o == nil {
		o = g.remember(origin, now)
	}
	if o.forgotten.Before(now) {
		o.forgotten = now
	}
	many := o.forgotten.Sub(now) >= freeGuesses*guessPause
	if latest := now.Add((freeGuesses + 1) * guessPause); o.forgotten.Before(latest) {
		o.forgotten = o.forgotten.Add(guessPause)
	}
	if !many || o.pausing >= maxPausesOfOne || g.pausing >= maxPauses {
		return false
	}
	o.pausing++
	g.pausing++
	return true
}

// done ends the pause of a wrong login.
func (g *guessing) done(origin string) {
	g.mu.Lock()
	g.pausing--
	if o := g.origins[origin]; o != nil {
		o.pausing--
	}
	g.mu.Unlock()
}

// remember makes room for an origin. It is called with mu held.
func (g *guessing) remember(origin string, now time.Time) *guesses {
	if g.origins == nil {
		g.origins = make(map[string]*guesses)
	}
	if len(g.origins) >= maxOrigins {
		for other, o := range g.origins {
			if o.pausing == 0 && (o.forgotten.Before(now) || len(g.origins) >= maxOrigins) {
				delete(g.origins, other)
			}
		}
	}
	o := new(guesses)
	g.origins[origin] = o
	return o
}

// originOf returns the origin of a client: its IP address, the network of an IPv6
// address, of which one host has many, and otherwise the kind of the network.
func originOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.Network()
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() && !ip.IsLoopback() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
