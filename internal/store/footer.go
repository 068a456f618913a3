package store

import "encoding/binary"

// The footer of a page file is the number of its runs, and each run:
//
//	queue | flags | blocks | each block | length of the sizes | sizes
//
// A block is its length in the file and what is known of it. The sizes are those of the
// run's messages.

// Flags of a run and of a block in a footer.
const (
	runTransient = 1

	blockSparse = 1 // it has deltas
	blockTimes  = 2
)

func appendPart(b []byte, queue uint32, transient bool, blocks []block, sizes []byte) []byte {
	flags := byte(0)
	if transient {
		flags = runTransient
	}
	b = append(binary.AppendUvarint(b, uint64(queue)), flags)
	b = binary.AppendUvarint(b, uint64(len(blocks)))
	for i := range blocks {
		b = blocks[i].append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(sizes)))
	return append(b, sizes...)
}

func (b *block) append(to []byte) []byte {
	flags := byte(0)
	if b.deltas != nil {
		flags |= blockSparse
	}
	if b.times != nil {
		flags |= blockTimes
	}
	to = append(to, flags)
	to = binary.AppendUvarint(to, uint64(b.size))
	to = binary.AppendUvarint(to, b.first)
	to = binary.AppendUvarint(to, uint64(b.len))
	to = binary.AppendUvarint(to, uint64(b.bytes))
	to = binary.AppendUvarint(to, uint64(b.timed))
	last := uint32(0)
	for _, d := range b.deltas {
		to = binary.AppendUvarint(to, uint64(d-last))
		last = d
	}
	if t := b.times; t != nil {
		to = binary.AppendVarint(to, t.oldest)
		to = binary.AppendVarint(to, t.newest)
		to = binary.LittleEndian.AppendUint64(to, t.marks)
	}
	return to
}

// read reads what append has written. The block begins at an offset.
func (b *block) read(r *reader, off int64) {
	flags := r.octet()
	*b = block{off: off, size: r.number(), first: r.uvarint(), len: uint16(r.number()), bytes: r.number(), timed: uint16(r.number())}
	if b.len == 0 || b.len > blockLen || b.size < blockHeader {
		r.fail()
		return
	}
	b.span = uint32(b.len) - 1
	if flags&blockSparse != 0 {
		b.deltas = make([]uint32, b.len)
		last := uint32(0)
		for i := range b.deltas {
			last += r.number()
			b.deltas[i] = last
		}
		b.span = last
	}
	if flags&blockTimes != 0 {
		b.times = &times{oldest: r.varint(), newest: r.varint()}
		if m := r.take(8); m != nil {
			b.times.marks = binary.LittleEndian.Uint64(m)
		}
	}
	b.left = b.len
	b.living.fill(int(b.len))
}

// part is a run in a footer.
type part struct {
	queue     uint32
	transient bool
	from, to  int // its blocks in the page
	sizes     []byte
}

// readFooter reads the footer of a page whose blocks end at an offset.
func readFooter(data []byte, end int64) (blocks []block, parts []part, err error) {
	r := reader{b: data}
	off := int64(pageHeader)
	for range r.count() {
		p := part{queue: r.number(), transient: r.octet() == runTransient, from: len(blocks)}
		for range r.count() {
			var b block
			b.read(&r, off)
			off += int64(b.size)
			blocks = append(blocks, b)
		}
		p.to = len(blocks)
		if p.sizes = r.bytes(); r.bad || p.from == p.to {
			return nil, nil, errShort
		}
		parts = append(parts, p)
	}
	if err := r.end(); err != nil || off != end {
		return nil, nil, errShort
	}
	return blocks, parts, nil
}

// sizes returns the sizes of the part's messages; n is how many there are.
func (p *part) readSizes(n int) []size {
	r := reader{b: p.sizes}
	all := make([]size, n)
	for i := range all {
		all[i] = size(r.uvarint())
	}
	return all
}
