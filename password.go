package warren

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// passwordRounds makes guessing slow: a few hundredths of a second for each.
const passwordRounds = 100_000

// storedPassword is what is kept of one. It is never changed.
type storedPassword struct {
	salt   [16]byte
	hash   [sha256.Size]byte // PBKDF2 with HMAC-SHA-256
	rounds int
}

func newPassword(text string, rounds int) *storedPassword {
	p := &storedPassword{rounds: rounds}
	rand.Read(p.salt[:])
	p.hash = p.derive(text)
	return p
}

func (p *storedPassword) derive(text string) (hash [sha256.Size]byte) {
	key, err := pbkdf2.Key(sha256.New, text, p.salt[:], p.rounds, len(hash))
	if err == nil { // it fails for sizes only that are not ours
		copy(hash[:], key)
	}
	return hash
}

// verifier compares texts with passwords. What was right once is known again
// fast, by a keyed hash that means nothing to another process.
type verifier struct {
	slow sync.Mutex // held while deriving: guessing takes one processor, not all

	mu sync.Mutex
	// Guarded by mu.
	key   []byte
	known map[*storedPassword][sha256.Size]byte
}

// verify reports whether text is the password. With a nil p it takes as long as
// with one that is wrong, so that nobody learns who has an account.
func (v *verifier) verify(p *storedPassword, text string) bool {
	unknown := p == nil
	if unknown {
		p = &storedPassword{rounds: passwordRounds}
	}
	tag, known := v.look(p, text)
	if known {
		return true
	}
	v.slow.Lock()
	hash := p.derive(text)
	v.slow.Unlock()
	if unknown || !hmac.Equal(hash[:], p.hash[:]) {
		return false
	}
	v.mu.Lock()
	v.known[p] = tag
	v.mu.Unlock()
	return true
}

// look makes the keyed hash of text and reports whether it is the one that was
// right.
func (v *verifier) look(p *storedPassword, text string) (tag [sha256.Size]byte, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.key == nil {
		v.key = make([]byte, sha256.Size)
		rand.Read(v.key)
		v.known = make(map[*storedPassword][sha256.Size]byte)
	}
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte(text))
	mac.Sum(tag[:0])
	was, ok := v.known[p]
	return tag, ok && hmac.Equal(was[:], tag[:])
}

// forget drops what is known of a password that is not used any more.
func (v *verifier) forget(p *storedPassword) {
	v.mu.Lock()
	delete(v.known, p)
	v.mu.Unlock()
}
