package wire

// newAccessMethod makes an empty method of the class, and nil if there is none.
func newAccessMethod(id MethodID) Method {
	switch id {
	case AccessRequestID:
		return new(AccessRequest)
	case AccessRequestOkID:
		return new(AccessRequestOk)
	}
	return nil
}

// AccessRequest asks for an access ticket. The class is gone from AMQP 0-9-1, but old
// clients still use it.
type AccessRequest struct {
	Realm     string
	Exclusive bool
	Passive   bool
	Active    bool
	Write     bool
	Read      bool
}

func (*AccessRequest) ID() MethodID { return AccessRequestID }

func (m *AccessRequest) Append(b []byte) []byte {
	b = appendID(b, AccessRequestID)
	b = appendShort(b, m.Realm)
	return appendBits(b, m.Exclusive, m.Passive, m.Active, m.Write, m.Read)
}

func (m *AccessRequest) Parse(args []byte) error {
	r := reader{b: args}
	m.Realm = r.shortString()
	r.bits(&m.Exclusive, &m.Passive, &m.Active, &m.Write, &m.Read)
	return r.endOf(AccessRequestID)
}

// AccessRequestOk grants a ticket, which nobody looks at again.
type AccessRequestOk struct {
	Ticket uint16
}

func (*AccessRequestOk) ID() MethodID { return AccessRequestOkID }

func (m *AccessRequestOk) Append(b []byte) []byte {
	b = appendID(b, AccessRequestOkID)
	return appendUint16(b, m.Ticket)
}

func (m *AccessRequestOk) Parse(args []byte) error {
	r := reader{b: args}
	m.Ticket = r.uint16()
	return r.endOf(AccessRequestOkID)
}
