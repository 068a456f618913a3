// Package password keeps passwords and compares texts with them.
package password

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// Rounds makes guessing slow: a few hundredths of a second for each.
const Rounds = 100_000

// Password is what is kept of one. It is never changed.
type Password struct {
	digest     *digest // how a hash from elsewhere was made; nil: PBKDF2 with HMAC-SHA-256
	rounds     int     // of PBKDF2
	salt, hash []byte
}

func newPassword(text string, rounds int) *Password {
	p := &Password{rounds: rounds, salt: make([]byte, 16)}
	rand.Read(p.salt)
	p.hash = p.derive(text)
	return p
}

func (p *Password) derive(text string) []byte {
	if p.digest != nil {
		return p.digest.of(p.salt, text)
	}
	key, err := pbkdf2.Key(sha256.New, text, p.salt, p.rounds, sha256.Size)
	if err != nil { // it fails for sizes only that are not ours
		return nil
	}
	return key
}

// Verifier makes passwords and compares texts with them. What was right once is
// known again fast, by a keyed hash that means nothing to another process.
type Verifier struct {
	Rounds int // of new passwords

	slow sync.Mutex // held while deriving: guessing takes one processor, not all

	mu sync.Mutex
	// Guarded by mu.
	key   []byte
	known map[*Password][sha256.Size]byte
}

// New keeps a text; nil if it is empty: nobody can log in with it.
func (v *Verifier) New(text string) *Password {
	if text == "" {
		return nil
	}
	return newPassword(text, v.Rounds)
}

// Verify reports whether text is the password. What is wrong takes as long
// with a nil p, and with a digest that is fast, as with a password of ours, so
// that nobody learns who has an account.
func (v *Verifier) Verify(p *Password, text string) bool {
	tag, known := v.look(p, text)
	if known {
		return true
	}
	if !v.right(p, text) {
		return false
	}
	v.mu.Lock()
	v.known[p] = tag
	v.mu.Unlock()
	return true
}

func (v *Verifier) right(p *Password, text string) bool {
	v.slow.Lock()
	defer v.slow.Unlock()
	if p != nil {
		hash := p.derive(text)
		if len(hash) > 0 && hmac.Equal(hash, p.hash) {
			return true
		}
		if p.digest == nil {
			return false
		}
	}
	newPassword(text, v.Rounds) // nobody's: it takes as long
	return false
}

// look makes the keyed hash of text and reports whether it is the one that was
// right.
func (v *Verifier) look(p *Password, text string) (tag [sha256.Size]byte, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.key == nil {
		v.key = make([]byte, sha256.Size)
		rand.Read(v.key)
		v.known = make(map[*Password][sha256.Size]byte)
	}
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte(text))
	mac.Sum(tag[:0])
	was, ok := v.known[p]
	return tag, ok && hmac.Equal(was[:], tag[:])
}

// Forget drops what is known of a password that is not used any more.
func (v *Verifier) Forget(p *Password) {
	v.mu.Lock()
	delete(v.known, p)
	v.mu.Unlock()
}
