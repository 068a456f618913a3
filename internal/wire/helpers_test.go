package wire_test

import (
	"encoding/hex"
	"strings"

	"github.com/warrenmq/warren/internal/wire"
)

// parseOctets gives the octets that a text stands for: hexadecimal digits, with
// texts in quotes in between. Spaces outside texts mean nothing.
func parseOctets(s string) []byte {
	var b []byte
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			b = append(b, part...)
			continue
		}
		digits, err := hex.DecodeString(strings.ReplaceAll(strings.Join(strings.Fields(part), ""), "_", ""))
		if err != nil {
			panic(err)
		}
		b = append(b, digits...)
	}
	return b
}

// nestedEntries is a table that nests the given number of levels, as entries.
func nestedEntries(levels int) []byte {
	var entries []byte
	for range levels - 1 {
		n := len(entries)
		entries = append([]byte{1, 'k', 'F', 0, 0, byte(n >> 8), byte(n)}, entries...)
	}
	return entries
}

// parseMethod reads a method from the payload of its frame.
func parseMethod(payload []byte) (wire.Method, error) {
	var d wire.Decoder
	return d.Parse(payload)
}
