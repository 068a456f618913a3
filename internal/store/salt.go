package store

import (
	"encoding/binary"
	"hash/crc32"
)

var order = binary.LittleEndian

// salt makes checksums good in one file of one store only, and there in their place.
type salt struct {
	table *crc32.Table
	state uint32
}

// newSalt is the salt of the page file with a number, in the store with an id.
func newSalt(id [16]byte, number uint32) salt {
	table := crc32.MakeTable(crc32.Castagnoli)
	state := crc32.Update(0, table, []byte("page"))
	state = crc32.Update(state, table, id[:])
	return salt{table, crc32.Update(state, table, order.AppendUint32(nil, number))}
}

// sum is the checksum of what is at an offset.
func (s salt) sum(b []byte, off int64) uint32 {
	return crc32.Update(s.state, s.table, b) ^ uint32(off)*0x9e3779b1 ^ uint32(off>>32)*0x85ebca6b
}
