package wire

// newConfirmMethod makes an empty method of the class, and nil if there is none.
func newConfirmMethod(id MethodID) Method {
	switch id {
	case ConfirmSelectID:
		return new(ConfirmSelect)
	case ConfirmSelectOkID:
		return new(ConfirmSelectOk)
	}
	return nil
}

// ConfirmSelect has the server confirm every publish on the channel.
type ConfirmSelect struct {
	NoWait bool
}

func (*ConfirmSelect) ID() MethodID { return ConfirmSelectID }

func (m *ConfirmSelect) Append(b []byte) []byte {
	b = appendID(b, ConfirmSelectID)
	return appendBits(b, m.NoWait)
}

func (m *ConfirmSelect) Parse(args []byte) error {
	r := reader{b: args}
	r.bits(&m.NoWait)
	return r.endOf(ConfirmSelectID)
}

// ConfirmSelectOk answers ConfirmSelect.
type ConfirmSelectOk struct{}

func (*ConfirmSelectOk) ID() MethodID            { return ConfirmSelectOkID }
func (*ConfirmSelectOk) Append(b []byte) []byte  { return appendID(b, ConfirmSelectOkID) }
func (*ConfirmSelectOk) Parse(args []byte) error { return parseNone(ConfirmSelectOkID, args) }
