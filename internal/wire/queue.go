package wire

// newQueueMethod makes an empty method of the class, and nil if there is none.
func newQueueMethod(id MethodID) Method {
	switch id {
	case QueueDeclareID:
		return new(QueueDeclare)
	case QueueDeclareOkID:
		return new(QueueDeclareOk)
	case QueueBindID:
		return new(QueueBind)
	case QueueBindOkID:
		return new(QueueBindOk)
	case QueuePurgeID:
		return new(QueuePurge)
	case QueuePurgeOkID:
		return new(QueuePurgeOk)
	case QueueDeleteID:
		return new(QueueDelete)
	case QueueDeleteOkID:
		return new(QueueDeleteOk)
	case QueueUnbindID:
		return new(QueueUnbind)
	case QueueUnbindOkID:
		return new(QueueUnbindOk)
	}
	return nil
}

// QueueDeclare creates a queue, or asks about one.
type QueueDeclare struct {
	Queue      string // empty: the server makes a name
	Passive    bool   // only ask
	Durable    bool
	Exclusive  bool
	AutoDelete bool
	NoWait     bool // wants no answer
	Arguments  Table
}

func (*QueueDeclare) ID() MethodID { return QueueDeclareID }

func (m *QueueDeclare) Append(b []byte) []byte {
	b = appendID(b, QueueDeclareID)
	b = appendTicket(b)
	b = appendShort(b, m.Queue)
	b = appendBits(b, m.Passive, m.Durable, m.Exclusive, m.AutoDelete, m.NoWait)
	return AppendTable(b, m.Arguments)
}

func (m *QueueDeclare) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Queue = r.shortString()
	r.bits(&m.Passive, &m.Durable, &m.Exclusive, &m.AutoDelete, &m.NoWait)
	m.Arguments = r.table()
	return r.endOf(QueueDeclareID)
}

// QueueDeclareOk answers QueueDeclare.
type QueueDeclareOk struct {
	Queue         string
	MessageCount  uint32 // ready messages
	ConsumerCount uint32
}

func (*QueueDeclareOk) ID() MethodID { return QueueDeclareOkID }

func (m *QueueDeclareOk) Append(b []byte) []byte {
	b = appendID(b, QueueDeclareOkID)
	b = appendShort(b, m.Queue)
	b = appendUint32(b, m.MessageCount)
	return appendUint32(b, m.ConsumerCount)
}

func (m *QueueDeclareOk) Parse(args []byte) error {
	r := reader{b: args}
	m.Queue = r.shortString()
	m.MessageCount = r.uint32()
	m.ConsumerCount = r.uint32()
	return r.endOf(QueueDeclareOkID)
}

// QueueBind binds a queue to an exchange.
type QueueBind struct {
	Queue      string
	Exchange   string
	RoutingKey string
	NoWait     bool
	Arguments  Table
}

func (*QueueBind) ID() MethodID { return QueueBindID }

func (m *QueueBind) Append(b []byte) []byte {
	b = appendID(b, QueueBindID)
	b = appendTicket(b)
	b = appendShort(b, m.Queue)
	b = appendShort(b, m.Exchange)
	b = appendShort(b, m.RoutingKey)
	b = appendBits(b, m.NoWait)
	return AppendTable(b, m.Arguments)
}

func (m *QueueBind) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Queue = r.shortString()
	m.Exchange = r.shortString()
	m.RoutingKey = r.shortString()
	r.bits(&m.NoWait)
	m.Arguments = r.table()
	return r.endOf(QueueBindID)
}

// QueueBindOk answers QueueBind.
type QueueBindOk struct{}

func (*QueueBindOk) ID() MethodID            { return QueueBindOkID }
func (*QueueBindOk) Append(b []byte) []byte  { return appendID(b, QueueBindOkID) }
func (*QueueBindOk) Parse(args []byte) error { return parseNone(QueueBindOkID, args) }

// QueuePurge drops the ready messages of a queue.
type QueuePurge struct {
	Queue  string
	NoWait bool
}

func (*QueuePurge) ID() MethodID { return QueuePurgeID }

func (m *QueuePurge) Append(b []byte) []byte {
	b = appendID(b, QueuePurgeID)
	b = appendTicket(b)
	b = appendShort(b, m.Queue)
	return appendBits(b, m.NoWait)
}

func (m *QueuePurge) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Queue = r.shortString()
	r.bits(&m.NoWait)
	return r.endOf(QueuePurgeID)
}

// QueuePurgeOk answers QueuePurge.
type QueuePurgeOk struct {
	MessageCount uint32 // dropped
}

func (*QueuePurgeOk) ID() MethodID { return QueuePurgeOkID }

func (m *QueuePurgeOk) Append(b []byte) []byte {
	b = appendID(b, QueuePurgeOkID)
	return appendUint32(b, m.MessageCount)
}

func (m *QueuePurgeOk) Parse(args []byte) error {
	r := reader{b: args}
	m.MessageCount = r.uint32()
	return r.endOf(QueuePurgeOkID)
}

// QueueDelete deletes a queue.
type QueueDelete struct {
	Queue    string
	IfUnused bool
	IfEmpty  bool
	NoWait   bool
}

func (*QueueDelete) ID() MethodID { return QueueDeleteID }

func (m *QueueDelete) Append(b []byte) []byte {
	b = appendID(b, QueueDeleteID)
	b = appendTicket(b)
	b = appendShort(b, m.Queue)
	return appendBits(b, m.IfUnused, m.IfEmpty, m.NoWait)
}

func (m *QueueDelete) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Queue = r.shortString()
	r.bits(&m.IfUnused, &m.IfEmpty, &m.NoWait)
	return r.endOf(QueueDeleteID)
}

// QueueDeleteOk answers QueueDelete.
type QueueDeleteOk struct {
	MessageCount uint32 // dropped
}

func (*QueueDeleteOk) ID() MethodID { return QueueDeleteOkID }

func (m *QueueDeleteOk) Append(b []byte) []byte {
	b = appendID(b, QueueDeleteOkID)
	return appendUint32(b, m.MessageCount)
}

func (m *QueueDeleteOk) Parse(args []byte) error {
	r := reader{b: args}
	m.MessageCount = r.uint32()
	return r.endOf(QueueDeleteOkID)
}

// QueueUnbind takes QueueBind back. It is always answered.
type QueueUnbind struct {
	Queue      string
	Exchange   string
	RoutingKey string
	Arguments  Table
}

func (*QueueUnbind) ID() MethodID { return QueueUnbindID }

func (m *QueueUnbind) Append(b []byte) []byte {
	b = appendID(b, QueueUnbindID)
	b = appendTicket(b)
	b = appendShort(b, m.Queue)
	b = appendShort(b, m.Exchange)
	b = appendShort(b, m.RoutingKey)
	return AppendTable(b, m.Arguments)
}

func (m *QueueUnbind) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Queue = r.shortString()
	m.Exchange = r.shortString()
	m.RoutingKey = r.shortString()
	m.Arguments = r.table()
	return r.endOf(QueueUnbindID)
}

// QueueUnbindOk answers QueueUnbind.
type QueueUnbindOk struct{}

func (*QueueUnbindOk) ID() MethodID            { return QueueUnbindOkID }
func (*QueueUnbindOk) Append(b []byte) []byte  { return appendID(b, QueueUnbindOkID) }
func (*QueueUnbindOk) Parse(args []byte) error { return parseNone(QueueUnbindOkID, args) }
