package warren

import (
	"encoding/base64"
	"encoding/binary"
	"testing"
)

// Each six bits become their letter of base64 for URLs, at each place, and whatever is in
// the other bits and at the other places.
func TestLettersAreThoseOfBase64(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if base64.NewEncoding(alphabet).EncodeToString([]byte("any octets")) != base64.URLEncoding.EncodeToString([]byte("any octets")) {
		t.Fatal("the alphabet is another one")
	}
	for place := range 8 {
		for six := range uint64(64) {
			for _, others := range []uint64{0, ^uint64(0), 0x8040201008040201, 0x1a1a33343d3e3f19} {
				random := others&^(63<<(8*place)) | six<<(8*place)
				var b [8]byte
				binary.LittleEndian.PutUint64(b[:], letters(random))
				for i := range b {
					if want := alphabet[random>>(8*i)&63]; b[i] != want {
						t.Fatalf("letters(%#x): %q at %d, want %q", random, b[i], i, want)
					}
				}
			}
		}
	}
}
