package wire

// Methods of this class come with every message. Unlike those of the other classes,
// they do not copy their short strings: these alias the payload.

// newBasicMethod makes an empty method of the class, and nil if there is none.
// Those that a Decoder keeps room for are not here.
func newBasicMethod(id MethodID) Method {
	switch id {
	case BasicQosID:
		return new(BasicQos)
	case BasicQosOkID:
		return new(BasicQosOk)
	case BasicConsumeOkID:
		return new(BasicConsumeOk)
	case BasicCancelID:
		return new(BasicCancel)
	case BasicCancelOkID:
		return new(BasicCancelOk)
	case BasicReturnID:
		return new(BasicReturn)
	case BasicGetEmptyID:
		return new(BasicGetEmpty)
	case BasicRecoverAsyncID:
		return new(BasicRecoverAsync)
	case BasicRecoverID:
		return new(BasicRecover)
	case BasicRecoverOkID:
		return new(BasicRecoverOk)
	}
	return nil
}

// BasicQos limits what is delivered before it is settled.
type BasicQos struct {
	PrefetchSize  uint32 // octets
	PrefetchCount uint16 // messages
	Global        bool   // all consumers of the channel together
}

func (*BasicQos) ID() MethodID { return BasicQosID }

func (m *BasicQos) Append(b []byte) []byte {
	b = appendID(b, BasicQosID)
	b = appendUint32(b, m.PrefetchSize)
	b = appendUint16(b, m.PrefetchCount)
	return appendBits(b, m.Global)
}

func (m *BasicQos) Parse(args []byte) error {
	r := reader{b: args}
	m.PrefetchSize = r.uint32()
	m.PrefetchCount = r.uint16()
	r.bits(&m.Global)
	return r.endOf(BasicQosID)
}

// BasicQosOk answers BasicQos.
type BasicQosOk struct{}

func (*BasicQosOk) ID() MethodID            { return BasicQosOkID }
func (*BasicQosOk) Append(b []byte) []byte  { return appendID(b, BasicQosOkID) }
func (*BasicQosOk) Parse(args []byte) error { return parseNone(BasicQosOkID, args) }

// BasicConsume starts a consumer.
type BasicConsume struct {
	Queue       []byte
	ConsumerTag []byte // empty: the server makes one
	NoLocal     bool
	NoAck       bool
	Exclusive   bool
	NoWait      bool // wants no answer
	Arguments   Table
}

func (*BasicConsume) ID() MethodID { return BasicConsumeID }

func (m *BasicConsume) Append(b []byte) []byte {
	b = appendID(b, BasicConsumeID)
	b = appendTicket(b)
	b = appendShort(b, m.Queue)
	b = appendShort(b, m.ConsumerTag)
	b = appendBits(b, m.NoLocal, m.NoAck, m.Exclusive, m.NoWait)
	return AppendTable(b, m.Arguments)
}

func (m *BasicConsume) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Queue = r.short()
	m.ConsumerTag = r.short()
	r.bits(&m.NoLocal, &m.NoAck, &m.Exclusive, &m.NoWait)
	m.Arguments = r.table()
	return r.endOf(BasicConsumeID)
}

// BasicConsumeOk answers BasicConsume.
type BasicConsumeOk struct {
	ConsumerTag []byte
}

func (*BasicConsumeOk) ID() MethodID { return BasicConsumeOkID }

func (m *BasicConsumeOk) Append(b []byte) []byte {
	b = appendID(b, BasicConsumeOkID)
	return appendShort(b, m.ConsumerTag)
}

func (m *BasicConsumeOk) Parse(args []byte) error {
	r := reader{b: args}
	m.ConsumerTag = r.short()
	return r.endOf(BasicConsumeOkID)
}

// BasicCancel ends a consumer, in either direction.
type BasicCancel struct {
	ConsumerTag []byte
	NoWait      bool
}

func (*BasicCancel) ID() MethodID { return BasicCancelID }

func (m *BasicCancel) Append(b []byte) []byte {
	b = appendID(b, BasicCancelID)
	b = appendShort(b, m.ConsumerTag)
	return appendBits(b, m.NoWait)
}

func (m *BasicCancel) Parse(args []byte) error {
	r := reader{b: args}
	m.ConsumerTag = r.short()
	r.bits(&m.NoWait)
	return r.endOf(BasicCancelID)
}

// BasicCancelOk answers BasicCancel.
type BasicCancelOk struct {
	ConsumerTag []byte
}

func (*BasicCancelOk) ID() MethodID { return BasicCancelOkID }

func (m *BasicCancelOk) Append(b []byte) []byte {
	b = appendID(b, BasicCancelOkID)
	return appendShort(b, m.ConsumerTag)
}

func (m *BasicCancelOk) Parse(args []byte) error {
	r := reader{b: args}
	m.ConsumerTag = r.short()
	return r.endOf(BasicCancelOkID)
}

// BasicPublish sends a message. Its content follows.
type BasicPublish struct {
	Exchange   []byte
	RoutingKey []byte
	Mandatory  bool
	Immediate  bool
}

func (*BasicPublish) ID() MethodID { return BasicPublishID }

func (m *BasicPublish) Append(b []byte) []byte {
	b = appendID(b, BasicPublishID)
	b = appendTicket(b)
	b = appendShort(b, m.Exchange)
	b = appendShort(b, m.RoutingKey)
	return appendBits(b, m.Mandatory, m.Immediate)
}

func (m *BasicPublish) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Exchange = r.short()
	m.RoutingKey = r.short()
	r.bits(&m.Mandatory, &m.Immediate)
	return r.endOf(BasicPublishID)
}

// BasicReturn gives a message back to its publisher. Its content follows.
type BasicReturn struct {
	ReplyCode  uint16
	ReplyText  []byte
	Exchange   []byte
	RoutingKey []byte
}

func (*BasicReturn) ID() MethodID { return BasicReturnID }

func (m *BasicReturn) Append(b []byte) []byte {
	b = appendID(b, BasicReturnID)
	b = appendUint16(b, m.ReplyCode)
	b = appendShort(b, m.ReplyText)
	b = appendShort(b, m.Exchange)
	return appendShort(b, m.RoutingKey)
}

func (m *BasicReturn) Parse(args []byte) error {
	r := reader{b: args}
	m.ReplyCode = r.uint16()
	m.ReplyText = r.short()
	m.Exchange = r.short()
	m.RoutingKey = r.short()
	return r.endOf(BasicReturnID)
}

// BasicDeliver brings a message to a consumer. Its content follows.
type BasicDeliver struct {
	ConsumerTag []byte
	DeliveryTag uint64
	Redelivered bool
	Exchange    []byte
	RoutingKey  []byte
}

func (*BasicDeliver) ID() MethodID { return BasicDeliverID }

func (m *BasicDeliver) Append(b []byte) []byte {
	b = appendID(b, BasicDeliverID)
	b = appendShort(b, m.ConsumerTag)
	b = appendUint64(b, m.DeliveryTag)
	b = appendBits(b, m.Redelivered)
	b = appendShort(b, m.Exchange)
	return appendShort(b, m.RoutingKey)
}

func (m *BasicDeliver) Parse(args []byte) error {
	r := reader{b: args}
	m.ConsumerTag = r.short()
	m.DeliveryTag = r.uint64()
	r.bits(&m.Redelivered)
	m.Exchange = r.short()
	m.RoutingKey = r.short()
	return r.endOf(BasicDeliverID)
}

// BasicGet asks for one message of a queue.
type BasicGet struct {
	Queue []byte
	NoAck bool
}

func (*BasicGet) ID() MethodID { return BasicGetID }

func (m *BasicGet) Append(b []byte) []byte {
	b = appendID(b, BasicGetID)
	b = appendTicket(b)
	b = appendShort(b, m.Queue)
	return appendBits(b, m.NoAck)
}

func (m *BasicGet) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Queue = r.short()
	r.bits(&m.NoAck)
	return r.endOf(BasicGetID)
}

// BasicGetOk answers BasicGet. The content of the message follows.
type BasicGetOk struct {
	DeliveryTag  uint64
	Redelivered  bool
	Exchange     []byte
	RoutingKey   []byte
	MessageCount uint32 // ready messages left
}

func (*BasicGetOk) ID() MethodID { return BasicGetOkID }

func (m *BasicGetOk) Append(b []byte) []byte {
	b = appendID(b, BasicGetOkID)
	b = appendUint64(b, m.DeliveryTag)
	b = appendBits(b, m.Redelivered)
	b = appendShort(b, m.Exchange)
	b = appendShort(b, m.RoutingKey)
	return appendUint32(b, m.MessageCount)
}

func (m *BasicGetOk) Parse(args []byte) error {
	r := reader{b: args}
	m.DeliveryTag = r.uint64()
	r.bits(&m.Redelivered)
	m.Exchange = r.short()
	m.RoutingKey = r.short()
	m.MessageCount = r.uint32()
	return r.endOf(BasicGetOkID)
}

// BasicGetEmpty answers BasicGet if there is no message.
type BasicGetEmpty struct{}

func (*BasicGetEmpty) ID() MethodID { return BasicGetEmptyID }

func (*BasicGetEmpty) Append(b []byte) []byte {
	b = appendID(b, BasicGetEmptyID)
	return appendShort(b, "") // reserved
}

func (*BasicGetEmpty) Parse(args []byte) error {
	r := reader{b: args}
	r.short() // reserved
	return r.endOf(BasicGetEmptyID)
}

// BasicAck settles deliveries, or confirms publishes.
type BasicAck struct {
	DeliveryTag uint64
	Multiple    bool // all up to this one
}

func (*BasicAck) ID() MethodID { return BasicAckID }

func (m *BasicAck) Append(b []byte) []byte {
	b = appendID(b, BasicAckID)
	b = appendUint64(b, m.DeliveryTag)
	return appendBits(b, m.Multiple)
}

func (m *BasicAck) Parse(args []byte) error {
	r := reader{b: args}
	m.DeliveryTag = r.uint64()
	r.bits(&m.Multiple)
	return r.endOf(BasicAckID)
}

// BasicReject gives a delivery back.
type BasicReject struct {
	DeliveryTag uint64
	Requeue     bool // else drop it
}

func (*BasicReject) ID() MethodID { return BasicRejectID }

func (m *BasicReject) Append(b []byte) []byte {
	b = appendID(b, BasicRejectID)
	b = appendUint64(b, m.DeliveryTag)
	return appendBits(b, m.Requeue)
}

func (m *BasicReject) Parse(args []byte) error {
	r := reader{b: args}
	m.DeliveryTag = r.uint64()
	r.bits(&m.Requeue)
	return r.endOf(BasicRejectID)
}

// BasicRecoverAsync is BasicRecover without an answer.
type BasicRecoverAsync struct {
	Requeue bool
}

func (*BasicRecoverAsync) ID() MethodID { return BasicRecoverAsyncID }

func (m *BasicRecoverAsync) Append(b []byte) []byte {
	b = appendID(b, BasicRecoverAsyncID)
	return appendBits(b, m.Requeue)
}

func (m *BasicRecoverAsync) Parse(args []byte) error {
	r := reader{b: args}
	r.bits(&m.Requeue)
	return r.endOf(BasicRecoverAsyncID)
}

// BasicRecover gives back what a channel has not settled.
type BasicRecover struct {
	Requeue bool // else deliver it to the same consumer again
}

func (*BasicRecover) ID() MethodID { return BasicRecoverID }

func (m *BasicRecover) Append(b []byte) []byte {
	b = appendID(b, BasicRecoverID)
	return appendBits(b, m.Requeue)
}

func (m *BasicRecover) Parse(args []byte) error {
	r := reader{b: args}
	r.bits(&m.Requeue)
	return r.endOf(BasicRecoverID)
}

// BasicRecoverOk answers BasicRecover.
type BasicRecoverOk struct{}

func (*BasicRecoverOk) ID() MethodID            { return BasicRecoverOkID }
func (*BasicRecoverOk) Append(b []byte) []byte  { return appendID(b, BasicRecoverOkID) }
func (*BasicRecoverOk) Parse(args []byte) error { return parseNone(BasicRecoverOkID, args) }

// BasicNack gives deliveries back, or refuses publishes.
type BasicNack struct {
	DeliveryTag uint64
	Multiple    bool // all up to this one
	Requeue     bool // else drop them
}

func (*BasicNack) ID() MethodID { return BasicNackID }

func (m *BasicNack) Append(b []byte) []byte {
	b = appendID(b, BasicNackID)
	b = appendUint64(b, m.DeliveryTag)
	return appendBits(b, m.Multiple, m.Requeue)
}

func (m *BasicNack) Parse(args []byte) error {
	r := reader{b: args}
	m.DeliveryTag = r.uint64()
	r.bits(&m.Multiple, &m.Requeue)
	return r.endOf(BasicNackID)
}
