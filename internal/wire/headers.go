package wire

import (
	"encoding/binary"
	"slices"
)

// TextHeader gives a header that is a string. Like the other methods it
// decodes and allocates nothing.
func (p RawProperties) TextHeader(name string) (text []byte, ok bool) {
	entries, _ := p.Get(Headers)
	for r := (reader{b: entries}); r.more(); {
		key := r.short()
		if tag, value := r.field(); tag == tagString && string(key) == name {
			return value, r.err == nil
		}
	}
	return nil, false
}

// Header gives a header, decoded, or nil if there is none. It decodes nothing else.
func (p RawProperties) Header(name string) any {
	entries, _ := p.Get(Headers)
	for r := (reader{b: entries}); r.more(); {
		key := r.short()
		if string(key) == name {
			return r.value(1)
		}
		r.field()
	}
	return nil
}

// SetHeader sets a header in the properties that b ends with, which begin at
// start. It works in place, as far as b has room. Malformed properties stay as
// they are.
func SetHeader(b []byte, start int, name string, v int64) []byte {
	if len(b) == start {
		b = append(b, 0, 0)
	}
	var r propertyReader
	r.start(b[start:])
	has := r.flags&Headers != 0
	r.skipTo(Headers)
	at := len(b) - len(r.b) + 4 // of the entries, once their length is there
	entries := r.next(Headers)
	if r.err != nil {
		return b
	}
	if !has {
		b = slices.Insert(b, at-4, 0, 0, 0, 0)
		b[start] |= byte(Headers >> 8)
	}
	end := at + len(entries)
	for e := (reader{b: b[at:end]}); e.more(); {
		old := end - len(e.b)
		key := string(e.short())
		if e.field(); key == name {
			size := end - len(e.b) - old
			b = slices.Delete(b, old, old+size)
			end -= size
			e.b = b[old:end]
		}
	}

	var room [64]byte
	entry := append(appendShort(room[:0], name), tagInt64)
	entry = appendUint64(entry, uint64(v))
	b = slices.Insert(b, end, entry...)
	binary.BigEndian.PutUint32(b[at-4:], uint32(end+len(entry)-at))
	return b
}
