package wire_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// bodyFrame is a body frame with a payload of n octets, which are the channel's
// number.
func bodyFrame(channel uint16, n int) wire.Frame {
	return wire.Frame{Type: wire.FrameBody, Channel: channel, Payload: bytes.Repeat([]byte{byte(channel)}, n)}
}

func frameOctets(frames ...wire.Frame) []byte {
	var b []byte
	for _, f := range frames {
		b = wire.AppendFrame(b, f)
	}
	return b
}

func TestFrameReaderFindsFramesHoweverTheyArrive(t *testing.T) {
	frames := []wire.Frame{bodyFrame(1, 0), bodyFrame(2, 1), bodyFrame(3, 55), bodyFrame(4, 56), bodyFrame(5, 57), bodyFrame(6, 4000), bodyFrame(7, 3), bodyFrame(8, 8192)}
	for name, shape := range map[string]func(io.Reader) io.Reader{
		"at once":        func(r io.Reader) io.Reader { return r },
		"by the octet":   iotest.OneByteReader,
		"in halves":      iotest.HalfReader,
		"with the error": iotest.DataErrReader,
	} {
		for _, size := range []int{0, 1, 8, 64, 100, 20000} {
			r := wire.NewFrameReader(shape(bytes.NewReader(frameOctets(frames...))), make([]byte, size))
			for i, want := range frames {
				f, err := r.Next()
				require.NoError(t, err, "%s, buffer %d, frame %d", name, size, i)
				require.Equal(t, want, f, "%s, buffer %d, frame %d", name, size, i)
			}
			_, err := r.Next()
			require.Equal(t, io.EOF, err, name)
		}
	}
}

func TestFrameReaderTellsAnEndWithinAFrame(t *testing.T) {
	octets := frameOctets(bodyFrame(1, 10))
	for n := 1; n < len(octets); n++ {
		r := wire.NewFrameReader(bytes.NewReader(octets[:n]), make([]byte, 64))
		_, err := r.Next()
		require.Equal(t, io.ErrUnexpectedEOF, err, "%d octets", n)
	}
}

func TestFrameReaderGoesOnAfterAnErrorOfTheSource(t *testing.T) {
	octets := frameOctets(bodyFrame(1, 100))
	src := iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(octets))) // fails once, at the second octet
	r := wire.NewFrameReader(src, make([]byte, 64))
	_, err := r.Next()
	require.Equal(t, iotest.ErrTimeout, err)
	f, err := r.Next()
	require.NoError(t, err)
	require.Equal(t, bodyFrame(1, 100), f)
}

func TestFrameReaderRefusesWhatParseFrameRefuses(t *testing.T) {
	r := wire.NewFrameReader(bytes.NewReader(append(frameOctets(bodyFrame(1, 1)), parseOctets("04 0001 00000000 ce")...)), make([]byte, 64))
	_, err := r.Next()
	require.NoError(t, err)
	for range 2 {
		_, err = r.Next()
		var bad *wire.FrameError
		require.ErrorAs(t, err, &bad)
		require.Equal(t, wire.FrameTypeUnknown, bad.Problem)
	}
}

func TestFrameReaderLimits(t *testing.T) {
	next := func(payload int, set ...uint32) error {
		r := wire.NewFrameReader(bytes.NewReader(frameOctets(bodyFrame(1, payload))), nil)
		for _, n := range set {
			r.SetFrameMax(n)
		}
		_, err := r.Next()
		return err
	}
	require.NoError(t, next(8192), "before tuning")
	require.Error(t, next(8193), "before tuning")
	require.NoError(t, next(131072, 131072))
	require.Error(t, next(131073, 131072))
	require.NoError(t, next(4096, 1), "less than the smallest frame_max counts as that")
	require.Error(t, next(4097, 1))
	require.Error(t, next(4097, 0), "zero is no way around the limit")
}

// emptyReader is a reader that never has anything.
type emptyReader struct{ reads int }

func (r *emptyReader) Read([]byte) (int, error) { r.reads++; return 0, nil }

func TestFrameReaderGivesUpOnASourceThatReturnsNothing(t *testing.T) {
	_, err := wire.NewFrameReader(new(emptyReader), make([]byte, 64)).Next()
	require.Equal(t, io.ErrNoProgress, err)
}

// countingReader counts calls of Read.
type countingReader struct {
	io.Reader
	reads int
	sizes []int // of the buffers
}

func (r *countingReader) Read(b []byte) (int, error) {
	r.reads++
	r.sizes = append(r.sizes, len(b))
	return r.Reader.Read(b)
}

func TestReadySaysWhetherNextWillRead(t *testing.T) {
	src := &countingReader{Reader: bytes.NewReader(append(frameOctets(bodyFrame(1, 1), bodyFrame(2, 1)), "half"...))}
	r := wire.NewFrameReader(src, make([]byte, 64))
	require.False(t, r.Ready())
	require.Zero(t, src.reads)
	_, err := r.Next()
	require.NoError(t, err)
	require.True(t, r.Ready())
	_, err = r.Next()
	require.NoError(t, err)
	require.Equal(t, 1, src.reads)
	require.False(t, r.Ready())
	_, err = r.Next()
	require.Error(t, err)
	require.Equal(t, 2, src.reads)

	r = wire.NewFrameReader(bytes.NewReader(parseOctets("08 0000 00000000 cecece")), make([]byte, 64))
	_, err = r.Next()
	require.NoError(t, err)
	require.False(t, r.Ready())
	r = wire.NewFrameReader(bytes.NewReader(parseOctets("08 0000 00000000 ce 08 0000 00000000 00")), make([]byte, 64))
	_, err = r.Next()
	require.NoError(t, err)
	require.True(t, r.Ready(), "an error needs no reading either")
}

func TestFrameReaderAllocatesNothingForAFrame(t *testing.T) {
	own := make([]byte, 64)
	var stream []byte
	for i := range 1000 {
		stream = append(stream, frameOctets(bodyFrame(uint16(i), i%56))...)
	}
	r := wire.NewFrameReader(bytes.NewReader(stream), own)
	allocs := testing.AllocsPerRun(900, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	})
	require.Zero(t, allocs)
	require.NotEqual(t, make([]byte, 64), own)
}

func TestABusySourceHasALargerBufferUntilItIsSlowAgain(t *testing.T) {
	large, small := frameOctets(bodyFrame(1, 1000)), frameOctets(bodyFrame(2, 1))
	readers := []io.Reader{bytes.NewReader(bytes.Repeat(large, 200))}
	for range 70 {
		readers = append(readers, bytes.NewReader(small)) // one Read each
	}
	readers = append(readers, bytes.NewReader(bytes.Repeat(large, 2)))
	src := &countingReader{Reader: io.MultiReader(readers...)}
	r := wire.NewFrameReader(src, make([]byte, 64))
	for range 200 + 70 + 2 {
		_, err := r.Next()
		require.NoError(t, err)
	}
	require.Equal(t, []int{64, len(large) - 64}, src.sizes[:2], "as much as the frame needs")
	require.Equal(t, 64<<10, src.sizes[2], "there is more")
	slow := src.sizes[len(src.sizes)-75:]
	require.Contains(t, slow[:10], 64<<10, "kept for a while")
	require.Equal(t, []int{64, 64, 64, 64, 64, len(large) - 64}, slow[len(slow)-7:len(slow)-1], "given up, and a frame is too large for what is left")
}

func TestFrameReaderAllocatesNoMoreThanTheLargestFrame(t *testing.T) {
	src := &countingReader{Reader: io.MultiReader(bytes.NewReader(parseOctets("03 0001 00002000")), iotest.ErrReader(io.ErrClosedPipe))}
	r := wire.NewFrameReader(src, make([]byte, 64))
	_, err := r.Next()
	require.Equal(t, io.ErrClosedPipe, err)
	require.Equal(t, 8192+8-7, src.sizes[1])
}
