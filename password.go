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
	digest     *digest // how a hash from elsewhere was made; nil: PBKDF2 with HMAC-SHA-256
	rounds     int     // of PBKDF2
	salt, hash []byte
}

func newPassword(text string, rounds int) *storedPassword {
	p := &storedPassword{rounds: rounds, salt: make([]byte, 16)}
	rand.Read(p.salt)
	p.hash = p.derive(text)
	return p
}

func (p *storedPassword) derive(text string) []byte {
	if p.digest != nil {
		return p.digest.of(p.salt, text)
	}
	key, err := pbkdf2.Key(sha256.New, text, p.salt, p.rounds, sha256.Size)
	if err != nil { // it fails for sizes only that are not ours
		return nil
	}
	return key
}

// verifier makes passwords and compares texts with them. What was right once is
// known again fast, by a keyed hash that means nothing to another process.
type verifier struct {
	rounds int // of new passwords

	slow sync.Mutex // held while deriving: guessing takes one processor, not all

	mu sync.Mutex
	// Guarded by mu.
	key   []byte
	known map[*storedPassword][sha256.Size]byte
}

// password keeps a text; nil if it is empty: nobody can log in with it.
func (v *verifier) password(text string) *storedPassword {
	if text == "" {
		return nil
	}
	return newPassword(text, v.rounds)
}

// verify reports whether text is the password. What is wrong takes as long
// with a nil p, and with a digest that is fast, as with a password of ours, so
// that nobody learns who has an account.
func (v *verifier) verify(p *storedPassword, text string) bool {
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

func (v *verifier) right(p *storedPassword, text string) bool {
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
	newPassword(text, v.rounds) // nobody's: it takes as long
	return false
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
