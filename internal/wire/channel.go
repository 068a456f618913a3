package wire

// newChannelMethod makes an empty method of the class, and nil if there is none.
func newChannelMethod(id MethodID) Method {
	switch id {
	case ChannelOpenID:
		return new(ChannelOpen)
	case ChannelOpenOkID:
		return new(ChannelOpenOk)
	case ChannelFlowID:
		return new(ChannelFlow)
	case ChannelFlowOkID:
		return new(ChannelFlowOk)
	case ChannelCloseID:
		return new(ChannelClose)
	case ChannelCloseOkID:
		return new(ChannelCloseOk)
	}
	return nil
}

// ChannelOpen opens the channel that its frame is on.
type ChannelOpen struct{}

func (*ChannelOpen) ID() MethodID { return ChannelOpenID }

func (*ChannelOpen) Append(b []byte) []byte {
	b = appendID(b, ChannelOpenID)
	return appendShort(b, "") // reserved
}

func (*ChannelOpen) Parse(args []byte) error {
	r := reader{b: args}
	r.short() // reserved
	return r.endOf(ChannelOpenID)
}

// ChannelOpenOk answers ChannelOpen.
type ChannelOpenOk struct{}

func (*ChannelOpenOk) ID() MethodID { return ChannelOpenOkID }

func (*ChannelOpenOk) Append(b []byte) []byte {
	b = appendID(b, ChannelOpenOkID)
	return appendLong(b, "") // reserved
}

func (*ChannelOpenOk) Parse(args []byte) error {
	r := reader{b: args}
	r.long() // reserved
	return r.endOf(ChannelOpenOkID)
}

// ChannelFlow stops or restarts deliveries.
type ChannelFlow struct {
	Active bool
}

func (*ChannelFlow) ID() MethodID { return ChannelFlowID }

func (m *ChannelFlow) Append(b []byte) []byte {
	b = appendID(b, ChannelFlowID)
	return appendBits(b, m.Active)
}

func (m *ChannelFlow) Parse(args []byte) error {
	r := reader{b: args}
	r.bits(&m.Active)
	return r.endOf(ChannelFlowID)
}

// ChannelFlowOk answers ChannelFlow.
type ChannelFlowOk struct {
	Active bool
}

func (*ChannelFlowOk) ID() MethodID { return ChannelFlowOkID }

func (m *ChannelFlowOk) Append(b []byte) []byte {
	b = appendID(b, ChannelFlowOkID)
	return appendBits(b, m.Active)
}

func (m *ChannelFlowOk) Parse(args []byte) error {
	r := reader{b: args}
	r.bits(&m.Active)
	return r.endOf(ChannelFlowOkID)
}

// ChannelClose ends a channel, in either direction.
type ChannelClose struct {
	ReplyCode uint16
	ReplyText string
	Cause     MethodID // the method that failed, or zero
}

func (*ChannelClose) ID() MethodID { return ChannelCloseID }

func (m *ChannelClose) Append(b []byte) []byte {
	b = appendID(b, ChannelCloseID)
	b = appendUint16(b, m.ReplyCode)
	b = appendShort(b, m.ReplyText)
	return appendID(b, m.Cause)
}

func (m *ChannelClose) Parse(args []byte) error {
	r := reader{b: args}
	m.ReplyCode = r.uint16()
	m.ReplyText = r.shortString()
	m.Cause = MethodID(r.uint32())
	return r.endOf(ChannelCloseID)
}

// ChannelCloseOk answers ChannelClose.
type ChannelCloseOk struct{}

func (*ChannelCloseOk) ID() MethodID            { return ChannelCloseOkID }
func (*ChannelCloseOk) Append(b []byte) []byte  { return appendID(b, ChannelCloseOkID) }
func (*ChannelCloseOk) Parse(args []byte) error { return parseNone(ChannelCloseOkID, args) }
