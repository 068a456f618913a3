package memconn

import (
	"math/bits"
	"weak"
)

// Sizes of buffers in bytes.
const (
	smallSize = 128     // of an empty buffer
	minBlock  = 4 << 10 // the smallest size above that
)

// buffer is a ring of bytes that grows up to max. When it becomes empty, it shrinks to
// smallSize and keeps only a weak pointer to its larger block. It uses the block again
// unless the garbage collector has freed it. So a busy stream with large writes does
// not allocate, and an idle one holds no memory.
type buffer struct {
	ring  []byte // small, or the bytes of block
	r, n  int    // first byte to read, bytes to read
	max   int
	block *block // nil while ring is small
	spare weak.Pointer[block]
	small [smallSize]byte
}

// block is memory of a buffer.
type block struct{ bytes []byte }

func (b *buffer) init(max int) {
	b.max = max
	b.reset()
}

// reset empties the buffer.
func (b *buffer) reset() {
	b.ring = b.small[:min(smallSize, b.max)]
	b.block = nil
	b.r, b.n = 0, 0
}

// put takes as much of p as there is room for, and returns how many bytes these are.
func (b *buffer) put(p []byte) int {
	if b.n+len(p) > len(b.ring) && len(b.ring) < b.max {
		b.grow(b.n + len(p))
	}
	p = p[:min(len(p), len(b.ring)-b.n)]
	w := b.r + b.n
	if w >= len(b.ring) {
		w -= len(b.ring)
	}
	k := copy(b.ring[w:], p)
	copy(b.ring, p[k:])
	b.n += len(p)
	return len(p)
}

// get moves bytes to p, and returns how many.
func (b *buffer) get(p []byte) int {
	n := b.peek(p)
	if n == b.n {
		b.reset()
		return n
	}
	b.n -= n
	b.r += n
	if b.r >= len(b.ring) {
		b.r -= len(b.ring)
	}
	return n
}

// peek copies bytes to p, and returns how many.
func (b *buffer) peek(p []byte) int {
	p = p[:min(len(p), b.n)]
	k := copy(p, b.ring[b.r:])
	copy(p[k:], b.ring)
	return len(p)
}

// grow makes room for want bytes, or for max if that is less.
func (b *buffer) grow(want int) {
	want = min(max(want, minBlock), b.max)
	next := b.spare.Value()
	if next == nil || len(next.bytes) < want {
		size := min(1<<bits.Len(uint(want-1)), b.max)
		next = &block{bytes: make([]byte, size)}
		b.spare = weak.Make(next)
	}
	b.peek(next.bytes)
	b.block, b.ring, b.r = next, next.bytes, 0
}
