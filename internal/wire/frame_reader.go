package wire

import (
	"encoding/binary"
	"io"
)

// FrameReader reads frames one after the other, through a buffer that its
// caller provides. It allocates only for frames that are larger than that, and
// never more than the largest frame that is allowed.
type FrameReader struct {
	src io.Reader
	max uint32

	own        []byte // the caller's
	buf        []byte // own, or a larger one while there is more to read at once
	start, end int    // octets of buf that are read but not yet returned
	small      int    // reads in a row that own would have held
	filled     bool   // the last read found more than there was room for
}

const (
	// smallReads is how many reads must fit the caller's buffer before a larger
	// one is given up, so that a message in parts of all sizes does not allocate
	// with every part.
	smallReads = 64
	// busyBuffer is how large the buffer becomes when the source has more than
	// it holds: fewer calls of Read are made.
	busyBuffer = 64 << 10
	// emptyReads is how often a reader may return nothing at all.
	emptyReads = 100

	frameMaxMax = 1 << 30 // keeps sizes within an int everywhere
)

// NewFrameReader returns a reader of the frames of src, for the time before
// tuning: frame_max is [FrameFirstMax]. The buffer should hold many small
// frames: the more it holds the fewer calls of Read are made.
func NewFrameReader(src io.Reader, buf []byte) *FrameReader {
	return &FrameReader{src: src, max: FrameFirstMax, own: buf, buf: buf}
}

// SetFrameMax sets the frame_max that was agreed on. There is always a limit:
// less than [FrameMinMax], zero included, counts as that.
func (r *FrameReader) SetFrameMax(n uint32) {
	r.max = min(max(n, FrameMinMax), frameMaxMax)
}

// Ready reports whether Next will return without a call of Read. A reader that
// collects its answers writes them when it is not.
func (r *FrameReader) Ready() bool {
	_, size, err := ParseFrame(r.buf[r.start:r.end], r.max)
	return size > 0 || err != nil
}

// Next returns the next frame. Its payload is valid until the next call.
//
// The error is a [*FrameError], one of the source's, io.EOF at the end of the
// source, or io.ErrUnexpectedEOF if that is within a frame. After an error of
// the source, such as a timeout, Next may be called again.
func (r *FrameReader) Next() (Frame, error) {
	for {
		f, size, err := ParseFrame(r.buf[r.start:r.end], r.max)
		if err != nil {
			return Frame{}, err
		}
		if size == 0 {
			if err := r.fill(); err != nil {
				return Frame{}, err
			}
			continue
		}
		r.start += size
		return f, nil
	}
}

// fill reads what the source has.
func (r *FrameReader) fill() error {
	r.makeRoom()
	for range emptyReads {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		r.filled = r.end == len(r.buf)
		if r.small++; r.end > len(r.own) {
			r.small = 0
		}
		switch {
		case n > 0:
			return nil // an error that came along will come again
		case err == io.EOF && r.end > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

// makeRoom moves what is left to the front of a buffer that has room for the
// rest of its frame. ParseFrame has checked the size of that.
func (r *FrameReader) makeRoom() {
	rest := r.buf[r.start:r.end]
	need := FrameOverhead
	if len(rest) >= frameHeaderSize {
		need += int(binary.BigEndian.Uint32(rest[3:]))
	}
	switch {
	case need > len(r.buf):
		r.buf = make([]byte, need)
	case r.filled && len(r.buf) < busyBuffer:
		r.buf = make([]byte, busyBuffer)
	case need <= len(r.own) && len(rest) <= len(r.own) && r.small >= smallReads:
		r.buf = r.own
	}
	r.start, r.end = 0, copy(r.buf, rest)
}
