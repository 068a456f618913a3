package message

// What is counted for values in memory, in bytes. Nobody can know that exactly; these
// are about what Go's allocator takes.
const (
	// overhead is what an entry counts beside what it refers to.
	overhead = 100
	// maxRounding is the most by which the allocator rounds a large body up.
	maxRounding = 8 << 10

	encodedSize    = 32  // an Encoded without its octets
	propertiesSize = 288 // a Published without what it refers to
	textSize       = 16  // the header of a string in a list
)

// Cost returns what the entry counts for the memory limit, in bytes: its body, key
// and properties, and the bookkeeping around them.
func (e *Entry) Cost() int64 {
	if e.Content == nil {
		return e.BareCost()
	}
	return e.BareCost() + e.Content.Size()
}

// BareCost is Cost of an entry without properties. It is inlined, which Cost is
// not.
func (e *Entry) BareCost() int64 {
	return int64(len(e.Body) + min(len(e.Body)>>3, maxRounding) + len(e.Key) + overhead)
}

// CostOf returns what a message that is received counts: one with a body of so many
// octets, and others for the key and encoded properties.
func CostOf(body, others int) int64 {
	return int64(body) + int64(min(body/8, maxRounding)+others+overhead+encodedSize)
}

// SizeWith returns how many bytes the properties hold, without the body. The headers hold
// so many.
func (p *Properties) SizeWith(headers int64) int64 {
	n := propertiesSize + len(p.ContentType) + len(p.ContentEncoding) + len(p.CorrelationId) + len(p.ReplyTo) +
		len(p.Expiration) + len(p.MessageId) + len(p.Type) + len(p.UserId) + len(p.AppId)
	return int64(n) + headers
}

// Size returns what the publishing counts, beyond what its entry does.
func (p *Publishing) Size() int64 { return sizeOfTexts(p.Extra) }

// sizeOfTexts returns how many bytes a list of texts holds.
func sizeOfTexts(list []string) (n int64) {
	for _, s := range list {
		n += textSize + int64(len(s))
	}
	return n
}
