package wire

// Method is a method with its arguments. There is one type for each, such as
// [*BasicPublish], in the file of its class.
type Method interface {
	// ID says which method it is.
	ID() MethodID
	// Append appends the payload of a method frame: ids and arguments.
	Append(b []byte) []byte
	// Parse reads the arguments, the payload without the ids, and sets every
	// field. An error is a *MethodError.
	Parse(args []byte) error
}

// Decoder reads methods. The zero value is ready for use. It keeps room for
// the methods that come with every message, so that these cost no allocation.
type Decoder struct {
	publish BasicPublish
	deliver BasicDeliver
	ack     BasicAck
	nack    BasicNack
	reject  BasicReject
	get     BasicGet
	getOk   BasicGetOk
	consume BasicConsume
}

// Parse reads the payload of a method frame. The method is valid until the
// next call; its octets alias the payload. An error is a [*MethodError].
func (d *Decoder) Parse(payload []byte) (Method, error) {
	r := reader{b: payload}
	id := MethodID(r.uint32())
	if r.err != nil {
		return nil, &MethodError{Err: r.err}
	}
	m := d.method(id)
	if m == nil {
		return nil, &MethodError{ID: id, Err: ErrUnknownMethod}
	}
	if err := m.Parse(r.b); err != nil {
		return nil, err
	}
	return m, nil
}

// method gives the room for a method, and nil if there is no such method.
func (d *Decoder) method(id MethodID) Method {
	switch id {
	case BasicPublishID:
		return &d.publish
	case BasicDeliverID:
		return &d.deliver
	case BasicAckID:
		return &d.ack
	case BasicNackID:
		return &d.nack
	case BasicRejectID:
		return &d.reject
	case BasicGetID:
		return &d.get
	case BasicGetOkID:
		return &d.getOk
	case BasicConsumeID:
		return &d.consume
	}
	return newMethod(id)
}

// newMethod makes an empty method, and nil if there is none.
func newMethod(id MethodID) Method {
	switch id.Class() {
	case ClassConnection:
		return newConnectionMethod(id)
	case ClassChannel:
		return newChannelMethod(id)
	case ClassAccess:
		return newAccessMethod(id)
	case ClassExchange:
		return newExchangeMethod(id)
	case ClassQueue:
		return newQueueMethod(id)
	case ClassBasic:
		return newBasicMethod(id)
	case ClassConfirm:
		return newConfirmMethod(id)
	case ClassTx:
		return newTxMethod(id)
	}
	return nil
}

// parseNone is Parse of the methods without arguments.
func parseNone(id MethodID, args []byte) error {
	r := reader{b: args}
	return r.endOf(id)
}
