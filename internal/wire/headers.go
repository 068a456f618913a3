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

// Edit says how properties differ from those that they are made of.
type Edit struct {
	Set               []Header // headers to set: in the place of the old ones, new ones behind all others; 64 at most
	Remove            []string // headers to remove
	WithoutExpiration bool     // the property expiration goes
}

// Header is a header to set.
type Header struct {
	Name  string
	Value any
}

// AppendEdited appends the properties with the edit. What the edit does not name
// stays as it is, octet by octet and in its order. Malformed properties are appended
// as they are.
func (p RawProperties) AppendEdited(b []byte, e *Edit) []byte {
	var r propertyReader
	r.start(p)
	flags, start := r.flags, len(b)
	b = append(b, 0, 0)
	for property := ContentType; property >= ClusterId; property >>= 1 {
		from := r.b
		value := r.next(property)
		switch {
		case property == Headers && (flags&Headers != 0 || len(e.Set) > 0):
			flags |= Headers
			b = e.appendHeaders(b, value)
		case property == Expiration && e.WithoutExpiration:
			flags &^= Expiration
		default:
			b = append(b, from[:len(from)-len(r.b)]...)
		}
	}
	if r.err != nil && len(p) > 0 {
		return append(b[:start], p...)
	}
	b[start], b[start+1] = byte(flags>>8), byte(flags)
	return b
}

// appendHeaders appends the edited headers with their length.
func (e *Edit) appendHeaders(b, entries []byte) []byte {
	b, at := openLong(b)
	set := uint64(0) // those of e.Set that are in b
	for r := (reader{b: entries}); r.more(); {
		from := r.b
		name := r.short()
		r.field()
		i := slices.IndexFunc(e.Set, func(h Header) bool { return h.Name == string(name) })
		switch {
		case i >= 0 && set&(1<<i) == 0:
			set |= 1 << i
			b = e.Set[i].append(b)
		case i < 0 && !slices.Contains(e.Remove, string(name)):
			b = append(b, from[:len(from)-len(r.b)]...)
		}
	}
	for i, h := range e.Set {
		if set&(1<<i) == 0 {
			b = h.append(b)
		}
	}
	return closeLong(b, at)
}

func (h *Header) append(b []byte) []byte { return appendValue(appendShort(b, h.Name), h.Value, 1) }
