// Package password hashes passwords and checks texts against the hashes.
package password

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// Rounds is the usual number of rounds of PBKDF2. It makes guessing slow: a guess
// takes a few hundredths of a second.
const Rounds = 100_000

// Password is the hash of a password. It is immutable.
type Password struct {
	digest     *digest // of a hash from another broker; nil: PBKDF2 with HMAC-SHA-256
	rounds     int     // of PBKDF2
	salt, hash []byte
}

func newPassword(text string, rounds int) *Password {
	p := &Password{rounds: rounds, salt: make([]byte, 16)}
	rand.Read(p.salt)
	p.hash = p.derive(text)
	return p
}

// derive hashes text as the password was hashed.
func (p *Password) derive(text string) []byte {
	if p.digest != nil {
		return p.digest.of(p.salt, text)
	}
	key, err := pbkdf2.Key(sha256.New, text, p.salt, p.rounds, sha256.Size)
	if err != nil { // it fails only for sizes that are not used here
		return nil
	}
	return key
}

// Verifier makes passwords and checks texts against them. Once a text was right,
// it is recognised fast, by a keyed hash whose key only this process has.
type Verifier struct {
	Rounds int // of new passwords

	slow sync.Mutex // held while deriving, so that guessing uses one processor only

	mu sync.Mutex
	// Guarded by mu.
	key   []byte
	known map[*Password][sha256.Size]byte
}

// New makes the password of a text. It returns nil for an empty text, with which
// nobody can log in.
func (v *Verifier) New(text string) *Password {
	if text == "" {
		return nil
	}
	return newPassword(text, v.Rounds)
}

// Verify reports whether text is the password. A wrong text takes the same time
// for a nil p, for a digest of another broker and for a password that New has
// made, so that nobody learns from the time which users exist.
func (v *Verifier) Verify(p *Password, text string) bool {
	tag, known := v.recall(p, text)
	if known {
		return true
	}
	if !v.compare(p, text) {
		return false
	}
	v.mu.Lock()
	v.known[p] = tag
	v.mu.Unlock()
	return true
}

// compare reports whether text is the password, by deriving its hash.
func (v *Verifier) compare(p *Password, text string) bool {
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
	newPassword(text, v.Rounds) // derives once, to take as long
	return false
}

// recall returns the keyed hash of text, and reports whether it is that of a text
// that was right before.
func (v *Verifier) recall(p *Password, text string) (tag [sha256.Size]byte, known bool) {
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

// Forget removes the keyed hash of a password that is no longer used.
func (v *Verifier) Forget(p *Password) {
	v.mu.Lock()
	delete(v.known, p)
	v.mu.Unlock()
}
