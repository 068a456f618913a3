package journal

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	// MaxRecord is how long a record may be, in bytes.
	MaxRecord = 512 << 20
	// MaxKind is the highest kind that a record may have; the lowest is 1.
	MaxKind = 250

	kindVoid = 0   // in memory: dropped before it was written
	kindMark = 255 // what is before was synced up to an offset

	recordHeader = 12
	markSize     = recordHeader + 8
)

var order = binary.LittleEndian

// salt is what makes a file's records good in that file alone.
type salt struct {
	table *crc32.Table
	state uint32
}

// newSalt is the salt of a file of the journal with an id.
func newSalt(id [16]byte, number uint32) salt {
	table := crc32.MakeTable(crc32.Castagnoli)
	state := crc32.Update(0, table, id[:])
	return salt{table, crc32.Update(state, table, order.AppendUint32(nil, number))}
}

// put begins a record in memory; seal makes it one of a file.
func put(to []byte, kind byte, header, body []byte) {
	order.PutUint32(to[4:], uint32(len(header)+len(body)))
	to[8] = kind
	copy(to[recordHeader:], header)
	copy(to[recordHeader+len(header):], body)
}

// size is the length of the record that begins at rec[0], with its header.
func size(rec []byte) int { return recordHeader + int(order.Uint32(rec[4:])) }

// seal sets the check and the CRC of a whole record that will be at an offset. It may
// be called again, for another place.
func (s salt) seal(rec []byte, off int64) {
	order.PutUint32(rec[8:], s.check(order.Uint32(rec[4:]), rec[8], off))
	order.PutUint32(rec, s.sum(rec, off))
}

// check is a record's kind and, above it, 24 bits of a hash.
func (s salt) check(length uint32, kind byte, off int64) uint32 {
	x := uint64(length)<<8 | uint64(kind)
	x ^= uint64(off) * 0x9e3779b97f4a7c15
	x ^= uint64(s.state) << 32
	x = (x ^ x>>31) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>29) * 0x94d049bb133111eb
	return uint32(x>>32)&^0xff | uint32(kind)
}

func (s salt) sum(rec []byte, off int64) uint32 {
	return crc32.Update(s.state, s.table, rec[4:]) ^ uint32(off)*0x9e3779b1
}

// plausible says whether a record may begin with head at an offset, and how long it
// is, its header included.
func (s salt) plausible(head []byte, off int64) (n int64, ok bool) {
	length, kind := order.Uint32(head[4:]), head[8]
	if kind == kindVoid || length > MaxRecord || s.check(length, kind, off) != order.Uint32(head[8:]) {
		return 0, false
	}
	return recordHeader + int64(length), true
}

// good says whether a whole record is what was written at this offset of this file.
func (s salt) good(rec []byte, off int64) bool { return order.Uint32(rec) == s.sum(rec, off) }

const (
	fileHeader = 32
	magic      = "warrenJ1"
)

// header is what the file with a number begins with.
func header(id [16]byte, number uint32) []byte {
	h := append([]byte(magic), id[:]...)
	h = order.AppendUint32(h, number)
	return order.AppendUint32(h, crc32.Checksum(h, crc32.MakeTable(crc32.Castagnoli)))
}
