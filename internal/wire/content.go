package wire

import "slices"

// headerFixed is the size of what stands before the properties in a content
// header: class, weight, size of the body.
const headerFixed = 12

// ContentHeader is the payload of a header frame of class basic.
type ContentHeader struct {
	BodySize   uint64
	Properties RawProperties // aliases the payload
}

// ParseContentHeader reads the payload of a header frame, and checks its
// properties. A header of another class is a [ClassError].
func ParseContentHeader(payload []byte) (ContentHeader, error) {
	r := reader{b: payload}
	class, weight, size := r.uint16(), r.uint16(), r.uint64()
	switch {
	case r.err != nil:
		return ContentHeader{}, r.err
	case class != ClassBasic:
		return ContentHeader{}, ClassError(class)
	case weight != 0:
		return ContentHeader{}, ErrWeight
	}
	h := ContentHeader{BodySize: size, Properties: r.b}
	if err := h.Properties.Check(); err != nil {
		return ContentHeader{}, err
	}
	return h, nil
}

// Append appends the payload of a header frame.
func (h ContentHeader) Append(b []byte) []byte {
	b = appendUint16(b, ClassBasic)
	b = appendUint16(b, 0) // weight
	b = appendUint64(b, h.BodySize)
	if len(h.Properties) == 0 {
		return append(b, 0, 0)
	}
	return append(b, h.Properties...)
}

// AppendContent appends the header frame and the body frames of a message,
// none larger than frameMax: as many as the body needs, so none for an empty
// one. AMQP has no way to split the header, whatever its size is.
func AppendContent(b []byte, channel uint16, props RawProperties, body []byte, frameMax uint32) []byte {
	most := int(min(max(frameMax, FrameMinMax), frameMaxMax)) - FrameOverhead
	frames := 1 + (len(body)+most-1)/most
	b = slices.Grow(b, headerFixed+max(len(props), 2)+len(body)+frames*FrameOverhead)

	b, at := OpenFrame(b, FrameHeader, channel)
	b = CloseFrame(ContentHeader{BodySize: uint64(len(body)), Properties: props}.Append(b), at)
	for part := range slices.Chunk(body, most) {
		b = AppendFrame(b, Frame{Type: FrameBody, Channel: channel, Payload: part})
	}
	return b
}

// There is a function for each method with content, and not one that takes a
// Method, because a method that is called through an interface is allocated.

// AppendPublish appends a basic.publish with its content, as all its frames.
func AppendPublish(b []byte, channel uint16, m *BasicPublish, props RawProperties, body []byte, frameMax uint32) []byte {
	b, at := OpenFrame(b, FrameMethod, channel)
	b = CloseFrame(m.Append(b), at)
	return AppendContent(b, channel, props, body, frameMax)
}

// AppendDeliver appends a basic.deliver with its content, as all its frames.
func AppendDeliver(b []byte, channel uint16, m *BasicDeliver, props RawProperties, body []byte, frameMax uint32) []byte {
	b, at := OpenFrame(b, FrameMethod, channel)
	b = CloseFrame(m.Append(b), at)
	return AppendContent(b, channel, props, body, frameMax)
}

// AppendGetOk appends a basic.get-ok with its content, as all its frames.
func AppendGetOk(b []byte, channel uint16, m *BasicGetOk, props RawProperties, body []byte, frameMax uint32) []byte {
	b, at := OpenFrame(b, FrameMethod, channel)
	b = CloseFrame(m.Append(b), at)
	return AppendContent(b, channel, props, body, frameMax)
}

// AppendReturn appends a basic.return with its content, as all its frames.
func AppendReturn(b []byte, channel uint16, m *BasicReturn, props RawProperties, body []byte, frameMax uint32) []byte {
	b, at := OpenFrame(b, FrameMethod, channel)
	b = CloseFrame(m.Append(b), at)
	return AppendContent(b, channel, props, body, frameMax)
}
