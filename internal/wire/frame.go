package wire

import "encoding/binary"

// FrameType is the first octet of a frame.
type FrameType uint8

// The types of frames.
const (
	FrameMethod    FrameType = 1
	FrameHeader    FrameType = 2 // content header
	FrameBody      FrameType = 3 // a part of a content's body
	FrameHeartbeat FrameType = 8
)

// Sizes of frames. frame_max counts whole frames, overhead included.
const (
	FrameMinMax   = 4096 // the smallest frame_max that peers may agree on
	FrameFirstMax = 8192 // frame_max until they have agreed
	FrameOverhead = 8    // octets around the payload

	frameHeaderSize = 7    // type, channel, size of the payload
	frameTolerance  = 8    // clients that forget the overhead are forgiven
	frameEnd        = 0xCE // the last octet
)

// Frame is a frame of a known type.
type Frame struct {
	Type    FrameType
	Channel uint16
	Payload []byte
}

// ParseFrame reads the frame that b begins with. Its payload aliases b. The
// size is that of the whole frame; it is 0 if b ends before the frame does.
//
// An error is a [*FrameError]. A frame that is too large is known by its first
// seven octets; like RabbitMQ, ParseFrame allows eight octets more than
// frameMax, which must be at least [FrameMinMax].
func ParseFrame(b []byte, frameMax uint32) (f Frame, size int, err error) {
	if len(b) < frameHeaderSize {
		return Frame{}, 0, nil
	}
	f.Type, f.Channel = FrameType(b[0]), binary.BigEndian.Uint16(b[1:])
	n := binary.BigEndian.Uint32(b[3:])
	if n > frameMax-FrameOverhead+frameTolerance {
		return Frame{}, 0, &FrameError{Problem: FrameTooLarge, Type: f.Type, Channel: f.Channel,
			Size: n, Max: frameMax - FrameOverhead}
	}
	if uint64(len(b)) < uint64(n)+FrameOverhead {
		return Frame{}, 0, nil
	}
	end := frameHeaderSize + int(n)
	f.Payload = b[frameHeaderSize:end:end]
	if b[end] != frameEnd {
		return Frame{}, 0, f.fail(FrameEndWrong, b[end])
	}
	switch f.Type {
	case FrameMethod, FrameHeader, FrameBody, FrameHeartbeat:
		return f, end + 1, nil
	}
	return Frame{}, 0, f.fail(FrameTypeUnknown, frameEnd)
}

// OpenFrame appends the beginning of a frame. Append its payload next, then
// call [CloseFrame] with the returned position.
func OpenFrame(b []byte, t FrameType, channel uint16) (_ []byte, at int) {
	at = len(b)
	return append(b, byte(t), byte(channel>>8), byte(channel), 0, 0, 0, 0), at
}

// CloseFrame ends the frame that [OpenFrame] began at the given position: it
// fills in the size and appends the end octet.
func CloseFrame(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at+3:], uint32(len(b)-at-frameHeaderSize))
	return append(b, frameEnd)
}

// AppendFrame appends a whole frame.
func AppendFrame(b []byte, f Frame) []byte {
	b, at := OpenFrame(b, f.Type, f.Channel)
	return CloseFrame(append(b, f.Payload...), at)
}

// AppendMethod appends a method in a frame of its own.
func AppendMethod(b []byte, channel uint16, m Method) []byte {
	b, at := OpenFrame(b, FrameMethod, channel)
	return CloseFrame(m.Append(b), at)
}

// AppendHeartbeat appends a heartbeat, which belongs to channel 0.
func AppendHeartbeat(b []byte) []byte {
	return AppendFrame(b, Frame{Type: FrameHeartbeat})
}
