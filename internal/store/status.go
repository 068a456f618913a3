package store

import "encoding/binary"

// The status of a page says for each of its blocks which messages live: stretches of
// blocks of the same kind, each of which is the kind and the number of blocks, and for
// blocks of which some messages live the bits of each.
const (
	statusAll  = 0
	statusNone = 1
	statusSome = 2
)

// appendStatus appends the status of blocks, which runs share out in order. Those of a
// run without living messages count as settled, whatever they say.
func (p *page) appendStatus(b []byte) []byte {
	w := statusWriter{b: b}
	for _, r := range p.runs {
		if r.k != nil {
			r.k.mu.Lock()
		}
		for i := range r.blocks {
			w.add(&r.blocks[i], r.left > 0)
		}
		if r.k != nil {
			r.k.mu.Unlock()
		}
	}
	w.end()
	return w.b
}

type statusWriter struct {
	b    []byte
	kind byte
	n    uint64
	bits []byte // of blocks of kind statusSome
}

func (w *statusWriter) add(b *block, lives bool) {
	kind := byte(statusSome)
	switch {
	case !lives || b.left == 0:
		kind = statusNone
	case b.left == b.len:
		kind = statusAll
	}
	if kind != w.kind {
		w.end()
		w.kind = kind
	}
	w.n++
	if kind == statusSome {
		var all [blockLen / 8]byte
		for i, word := range b.living {
			binary.LittleEndian.PutUint64(all[8*i:], word)
		}
		w.bits = append(w.bits, all[:(b.len+7)/8]...)
	}
}

func (w *statusWriter) end() {
	if w.n > 0 {
		w.b = binary.AppendUvarint(append(w.b, w.kind), w.n)
		w.b = append(w.b, w.bits...)
		w.n, w.bits = 0, w.bits[:0]
	}
}

// applyStatus sets which messages of the blocks live: all, if the status is empty.
func applyStatus(status []byte, blocks []block) error {
	if len(status) == 0 {
		return nil
	}
	r := reader{b: status}
	for len(r.b) > 0 {
		kind, n := r.octet(), r.uvarint()
		if n > uint64(len(blocks)) || kind > statusSome {
			return errShort
		}
		for i := range blocks[:n] {
			b := &blocks[i]
			switch kind {
			case statusNone:
				b.left, b.living = 0, bitmap{}
			case statusSome:
				var all [blockLen / 8]byte
				copy(all[:], r.take(uint64(b.len+7)/8))
				for i := range b.living {
					b.living[i] &= binary.LittleEndian.Uint64(all[8*i:])
				}
				b.left = uint16(b.living.count())
			}
		}
		blocks = blocks[n:]
	}
	if r.bad || len(blocks) > 0 {
		return errShort
	}
	return nil
}
