package wire

// RawProperties are the properties of a message as they travel: two octets of
// flags, then the values of those that are set. A broker passes them on as
// they are. Nil has no property set.
//
// The methods never panic, but what they say of malformed properties means
// little: [ParseContentHeader] and [RawProperties.Check] let none through.
type RawProperties []byte

// Check tells what is wrong with the properties. Like everything in this file
// it decodes and allocates nothing.
func (p RawProperties) Check() error {
	_, rest, err := CutProperties(p)
	if err == nil && len(rest) > 0 {
		return ErrTrailing
	}
	return err
}

// CutProperties checks the properties that b begins with, and cuts them off.
func CutProperties(b []byte) (p RawProperties, rest []byte, err error) {
	var r propertyReader
	r.start(b)
	r.skipTo(Headers)
	r.fail(CheckTable(r.next(Headers)))
	r.skipTo(ClusterId)
	r.next(ClusterId)
	if r.err != nil {
		return nil, nil, r.err
	}
	n := len(b) - len(r.b)
	return b[:n:n], r.b, nil
}

// Has reports whether a property is set.
func (p RawProperties) Has(property Property) bool {
	var r propertyReader
	r.start(p)
	return r.flags&property != 0
}

// Get gives the octets of a property, without the length that those of
// variable size have in front: the bytes of a short string, the entries of the
// headers (see [ParseTable]), one octet, or eight of a timestamp.
func (p RawProperties) Get(property Property) (value []byte, ok bool) {
	var r propertyReader
	r.start(p)
	if r.flags&property == 0 {
		return nil, false
	}
	r.skipTo(property)
	value = r.next(property)
	return value, r.err == nil
}

// DeliveryMode is 2 for persistent messages, and 0 if it is not set.
func (p RawProperties) DeliveryMode() uint8 {
	var r propertyReader
	r.start(p)
	r.skipTo(DeliveryMode)
	return r.octet(DeliveryMode)
}

// AppendWith appends the properties with one of them set to value, whose form
// is that of Get: octets of a fixed number must be that many.
func (p RawProperties) AppendWith(b []byte, property Property, value []byte) []byte {
	var r propertyReader
	r.start(p)
	flags := r.flags | property
	r.skipTo(property)
	head := p[min(2, len(p)) : len(p)-len(r.b)]
	r.next(property)

	b = append(b, byte(flags>>8), byte(flags))
	b = append(b, head...)
	switch property {
	case Headers:
		b = appendLong(b, value)
	case DeliveryMode, Priority, Timestamp:
		b = append(b, value...)
	default:
		b = appendShort(b, value)
	}
	return append(b, r.b...)
}
