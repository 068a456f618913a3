package warren

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A reply address is "<pseudo-queue>.<secret><slot>": 132 random bits as 22 letters,
// then the number of the requester's slot in the table, in base 36. The number only
// finds the slot. The address is valid if it equals the slot's current address.
//
// The bits come from ChaCha8, a cryptographically strong generator. Its key has 256
// bits from crypto/rand and is replaced regularly. To use crypto/rand for each
// address would take a tenth of the time of a call.
const (
	secretLen = 22
	numberLen = 6

	addressesAhead = 8 // addresses that a Call's slot makes with one allocation
	rekeyAfter     = 4096
)

// newAddresses returns n new secret addresses of a slot, one after another.
func (t *replyTable) newAddresses(slot int, base string, n int) string {
	if t.untilRekey -= n; t.untilRekey < 0 {
		var key [32]byte
		crand.Read(key[:]) // never fails
		t.random = rand.NewChaCha8(key)
		t.untilRekey = rekeyAfter
	}
	// The addresses differ only in the secret.
	var room [64]byte
	address := append(append(room[:0], base...), '.')
	at := len(address)
	number := strconv.FormatInt(int64(slot), 36)
	address = append(address[:at+secretLen], "000000"[:numberLen-len(number)]...)
	address = append(address, number...)
	secret := address[at : at+secretLen]
	var b strings.Builder
	b.Grow(n * len(address))
	for range n {
		binary.LittleEndian.PutUint64(secret, letters(t.random.Uint64()))
		binary.LittleEndian.PutUint64(secret[8:], letters(t.random.Uint64()))
		binary.LittleEndian.PutUint64(secret[secretLen-8:], letters(t.random.Uint64())) // over the last two
		b.Write(address)
	}
	return b.String()
}

// letters returns eight letters of base64, in the alphabet for URLs. Each octet of
// random chooses one by its low six bits. The octets are worked on all at once: what
// they become is always below 256, so none carries into the next one.
func letters(random uint64) uint64 {
	const each = 0x0101010101010101
	v := random & (each * 63)
	// from returns 1 in each octet of v that is at least n.
	from := func(n uint64) uint64 { return (v + each*(128-n)) >> 7 & each }
	return v + each*'A' +
		from(26)*('a'-'Z'-1) - from(52)*('z'+1-'0') -
		from(62)*('9'+1-'-') + from(63)*('_'-'-'-1)
}
