package store

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/files"
)

// page is a page file. What is not atomic never changes, but for the living messages in
// its blocks, which the locks of the queues guard.
type page struct {
	number uint32
	name   string
	f      files.File
	size   int64  // bytes
	check  uint32 // checksum of the footer
	total  int64  // messages
	blocks []block
	runs   []*run // parts of blocks, in their order
	tender *tender

	living atomic.Int64 // messages
	users  atomic.Int32 // the store, and loads; the last one closes the file
}

// Sizes of a page file's parts, in bytes.
const (
	pageHeader  = 32 // magic 8, id of the store 16, number 4, CRC 4
	blockHeader = 16 // CRC 4, length of what follows the header 4, queue 4, messages 2, flags 2
	pageTrailer = 16 // length of the footer 4, CRC of footer and length 4, magic 8
)

const (
	pageMagic = "warrenP1"
	pageEnd   = "endpage1"
	pagePart  = "pages-"
)

// Flags of a block.
const blockTransient = 1

func pageName(number uint32) string { return fmt.Sprintf("%s%08d", pagePart, number) }

// pageNumber is the number of the page file with a name.
func pageNumber(name string) (n uint32, ok bool) {
	digits, ok := strings.CutPrefix(name, pagePart)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseUint(digits, 10, 32)
	return uint32(v), err == nil && pageName(uint32(v)) == name
}

// header is what a page file begins with.
func (s salt) header(id [16]byte, number uint32) []byte {
	h := append([]byte(pageMagic), id[:]...)
	h = order.AppendUint32(h, number)
	return order.AppendUint32(h, s.sum(h, 0))
}

// settled notes that n of the page's messages do not live any more.
func (p *page) settled(n int) {
	if n == 0 {
		return
	}
	left := p.living.Add(-int64(n))
	if old := left + int64(n); left == 0 || left*4 < p.total && old*4 >= p.total {
		p.tender.kick()
	}
}

// use keeps the file open until release. It is called with the lock of a queue held that
// has a run in the page, or has the page from one who uses it.
func (p *page) use() { p.users.Add(1) }

func (p *page) release() {
	if p.users.Add(-1) == 0 {
		_ = p.f.Close() // it was only read
	}
}

// read reads a block into buf, and returns that; the records are behind the header. It
// returns a *[journal.DamagedError] if they are
// not what was written.
func (p *page) read(id [16]byte, b *block, buf []byte) ([]byte, error) {
	if cap(buf) < int(b.size) {
		buf = make([]byte, b.size)
	}
	buf = buf[:b.size]
	if n, err := p.f.ReadAt(buf, b.off); n < len(buf) {
		return nil, fmt.Errorf("store: read of %s: %w", p.name, err)
	}
	if order.Uint32(buf) != newSalt(id, p.number).sum(buf[4:], b.off) || order.Uint32(buf[4:]) != b.size-blockHeader {
		return nil, p.damaged(b, "its checksum does not fit")
	}
	return buf, nil
}
