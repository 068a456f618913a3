package wire

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// FrameProblem is what is wrong with a frame.
type FrameProblem uint8

// The problems of frames.
const (
	FrameTooLarge    FrameProblem = iota + 1 // Size of the payload exceeds Max
	FrameEndWrong                            // End is not the end octet
	FrameTypeUnknown                         // Type is not one of AMQP's
)

// FrameError is a frame that cannot be read. What follows it on the connection
// cannot be read either: AMQP closes with 501 FRAME_ERROR.
type FrameError struct {
	Problem FrameProblem
	Type    FrameType
	Channel uint16
	Size    uint32 // of the payload, with FrameTooLarge
	Max     uint32 // what Size may be: frame_max without the overhead
	End     byte   // found in the place of the end octet
	Start   []byte // a copy of at most 16 octets of the payload; none with FrameTooLarge
	Partial bool   // the payload has more octets than Start shows
}

// snippet is how much of a payload is shown.
const snippet = 16

func (f Frame) fail(p FrameProblem, end byte) *FrameError {
	n := min(len(f.Payload), snippet)
	return &FrameError{
		Problem: p, Type: f.Type, Channel: f.Channel, End: end,
		Start: bytes.Clone(f.Payload[:n]), Partial: n < len(f.Payload),
	}
}

// Text is what RabbitMQ says of the frame behind "FRAME_ERROR - ".
func (e *FrameError) Text() string {
	return shown(e.Type, e.Start, e.Partial) + ": " + e.problem()
}

// Shown is how RabbitMQ shows a frame that it did not expect.
func (f Frame) Shown() string {
	n := min(len(f.Payload), snippet)
	return shown(f.Type, f.Payload[:n], n < len(f.Payload))
}

func shown(t FrameType, start []byte, partial bool) string {
	part := "all"
	if partial {
		part = fmt.Sprintf("first %d", snippet)
	}
	return fmt.Sprintf("type %d, %s octets = %s", t, part, erlangBinary(start))
}

func (e *FrameError) problem() string {
	switch e.Problem {
	case FrameTooLarge:
		return fmt.Sprintf("{frame_too_large,%d,%d}", e.Size, e.Max)
	case FrameEndWrong:
		return fmt.Sprintf("{invalid_frame_end_marker,%d}", e.End)
	}
	return "unknown_frame"
}

// Error says what is wrong, and on which channel.
func (e *FrameError) Error() string {
	return fmt.Sprintf("wire: bad frame on channel %d: %s", e.Channel, e.Text())
}

// erlangBinary writes b the way Erlang shows binaries: as text if it is
// printable ASCII, else octet by octet.
func erlangBinary(b []byte) string {
	unprintable := func(r rune) bool { return r < ' ' || r > '~' }
	if len(b) > 0 && !bytes.ContainsFunc(b, unprintable) {
		return fmt.Sprintf("<<%q>>", b)
	}
	octets := make([]string, len(b))
	for i, v := range b {
		octets[i] = strconv.Itoa(int(v))
	}
	return "<<" + strings.Join(octets, ",") + ">>"
}
