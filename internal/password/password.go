// Package password hashes passwords and checks texts against the hashes.
package password

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
)

// Rounds is the usual number of rounds of PBKDF2. It makes guessing slow for who has
// the hash: a guess takes a few hundredths of a second.
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

// ErrWrong means that a text is not the password.
var ErrWrong = errors.New("password: wrong")

// Verifier makes passwords and checks texts against them. Once it knows the text of a
// password, because it has made the password or the text was right, it tells right
// from wrong fast, by a keyed hash whose key only this process has.
type Verifier struct {
	Rounds int // of new passwords

	turns turns

	mu sync.Mutex
	// Guarded by mu.
	key   []byte
	known map[*Password][sha256.Size]byte
	slow  map[*Password]struct{} // of those that were added, whose text is not known
}

// New makes the password of a text. It returns nil for an empty text, with which
// nobody can log in. Forget the password when it is no longer used.
func (v *Verifier) New(text string) *Password {
	if text == "" {
		return nil
	}
	p := newPassword(text, v.Rounds)
	v.mu.Lock()
	v.learn(p, text)
	v.mu.Unlock()
	return p
}

// Add makes v ready for a password that it may not have made. Forget the password when
// it is no longer used.
func (v *Verifier) Add(p *Password) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.known[p]; ok || p == nil || p.digest != nil {
		return
	}
	if v.slow == nil {
		v.slow = make(map[*Password]struct{})
	}
	v.slow[p] = struct{}{}
}

// Verify returns nil if text is the password, and [ErrWrong] if not. A nil p is never
// right. The text of a password from Add, if it is not known, is found by deriving its
// hash, which waits for a turn: turns are taken by origin, such as an address. The wait
// fails with [ErrBusy] and ctx's error. While there are such passwords, every wrong
// text takes as long, so that nobody learns from the time which users exist.
func (v *Verifier) Verify(ctx context.Context, p *Password, text, origin string) error {
	right, known, others := v.recall(p, text)
	if right || p != nil && p.digest != nil && p.matches(text) {
		return nil
	}
	slow := p != nil && p.digest == nil && !known
	if !slow && !others {
		return ErrWrong
	}
	if err := v.turns.take(ctx, origin); err != nil {
		return err
	}
	defer v.turns.give()
	if !slow {
		newPassword(text, v.Rounds) // derives once, to take as long
		return ErrWrong
	}
	if !p.matches(text) {
		return ErrWrong
	}
	v.prove(p, text)
	return nil
}

// matches reports whether text is the password, by deriving its hash.
func (p *Password) matches(text string) bool {
	hash := p.derive(text)
	return len(hash) > 0 && hmac.Equal(hash, p.hash)
}

// recall reports whether the text of a password is known, and whether it is text. It
// also reports whether there are passwords whose text is not known.
func (v *Verifier) recall(p *Password, text string) (right, known, others bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	was, known := v.known[p]
	if known {
		tag := v.tag(text)
		right = hmac.Equal(was[:], tag[:])
	}
	return right, known, len(v.slow) > 0
}

// prove remembers that text is a password of Add, unless that was forgotten meanwhile.
func (v *Verifier) prove(p *Password, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.slow[p]; ok {
		v.learn(p, text)
		delete(v.slow, p)
	}
}

// learn remembers that text is the password. It is called with mu held.
func (v *Verifier) learn(p *Password, text string) {
	if v.key == nil {
		v.key = make([]byte, sha256.Size)
		rand.Read(v.key)
		v.known = make(map[*Password][sha256.Size]byte)
	}
	v.known[p] = v.tag(text)
}

// tag returns the keyed hash of a text. It is called with mu held.
func (v *Verifier) tag(text string) (tag [sha256.Size]byte) {
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte(text))
	mac.Sum(tag[:0])
	return tag
}

// Forget removes what is remembered of a password that is no longer used.
func (v *Verifier) Forget(p *Password) {
	v.mu.Lock()
	delete(v.known, p)
	delete(v.slow, p)
	v.mu.Unlock()
}
