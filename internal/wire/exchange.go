package wire

// newExchangeMethod makes an empty method of the class, and nil if there is none.
func newExchangeMethod(id MethodID) Method {
	switch id {
	case ExchangeDeclareID:
		return new(ExchangeDeclare)
	case ExchangeDeclareOkID:
		return new(ExchangeDeclareOk)
	case ExchangeDeleteID:
		return new(ExchangeDelete)
	case ExchangeDeleteOkID:
		return new(ExchangeDeleteOk)
	case ExchangeBindID:
		return new(ExchangeBind)
	case ExchangeBindOkID:
		return new(ExchangeBindOk)
	case ExchangeUnbindID:
		return new(ExchangeUnbind)
	case ExchangeUnbindOkID:
		return new(ExchangeUnbindOk)
	}
	return nil
}

// ExchangeDeclare creates an exchange, or asks whether there is one.
type ExchangeDeclare struct {
	Exchange   string
	Type       string
	Passive    bool // only ask
	Durable    bool
	AutoDelete bool
	Internal   bool
	NoWait     bool // wants no answer
	Arguments  Table
}

func (*ExchangeDeclare) ID() MethodID { return ExchangeDeclareID }

func (m *ExchangeDeclare) Append(b []byte) []byte {
	b = appendID(b, ExchangeDeclareID)
	b = appendTicket(b)
	b = appendShort(b, m.Exchange)
	b = appendShort(b, m.Type)
	b = appendBits(b, m.Passive, m.Durable, m.AutoDelete, m.Internal, m.NoWait)
	return AppendTable(b, m.Arguments)
}

func (m *ExchangeDeclare) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Exchange = r.shortString()
	m.Type = r.shortString()
	r.bits(&m.Passive, &m.Durable, &m.AutoDelete, &m.Internal, &m.NoWait)
	m.Arguments = r.table()
	return r.endOf(ExchangeDeclareID)
}

// ExchangeDeclareOk answers ExchangeDeclare.
type ExchangeDeclareOk struct{}

func (*ExchangeDeclareOk) ID() MethodID            { return ExchangeDeclareOkID }
func (*ExchangeDeclareOk) Append(b []byte) []byte  { return appendID(b, ExchangeDeclareOkID) }
func (*ExchangeDeclareOk) Parse(args []byte) error { return parseNone(ExchangeDeclareOkID, args) }

// ExchangeDelete deletes an exchange.
type ExchangeDelete struct {
	Exchange string
	IfUnused bool
	NoWait   bool
}

func (*ExchangeDelete) ID() MethodID { return ExchangeDeleteID }

func (m *ExchangeDelete) Append(b []byte) []byte {
	b = appendID(b, ExchangeDeleteID)
	b = appendTicket(b)
	b = appendShort(b, m.Exchange)
	return appendBits(b, m.IfUnused, m.NoWait)
}

func (m *ExchangeDelete) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Exchange = r.shortString()
	r.bits(&m.IfUnused, &m.NoWait)
	return r.endOf(ExchangeDeleteID)
}

// ExchangeDeleteOk answers ExchangeDelete.
type ExchangeDeleteOk struct{}

func (*ExchangeDeleteOk) ID() MethodID            { return ExchangeDeleteOkID }
func (*ExchangeDeleteOk) Append(b []byte) []byte  { return appendID(b, ExchangeDeleteOkID) }
func (*ExchangeDeleteOk) Parse(args []byte) error { return parseNone(ExchangeDeleteOkID, args) }

// ExchangeBind binds an exchange to an exchange.
type ExchangeBind struct {
	Destination string
	Source      string
	RoutingKey  string
	NoWait      bool
	Arguments   Table
}

func (*ExchangeBind) ID() MethodID { return ExchangeBindID }

func (m *ExchangeBind) Append(b []byte) []byte {
	b = appendID(b, ExchangeBindID)
	b = appendTicket(b)
	b = appendShort(b, m.Destination)
	b = appendShort(b, m.Source)
	b = appendShort(b, m.RoutingKey)
	b = appendBits(b, m.NoWait)
	return AppendTable(b, m.Arguments)
}

func (m *ExchangeBind) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Destination = r.shortString()
	m.Source = r.shortString()
	m.RoutingKey = r.shortString()
	r.bits(&m.NoWait)
	m.Arguments = r.table()
	return r.endOf(ExchangeBindID)
}

// ExchangeBindOk answers ExchangeBind.
type ExchangeBindOk struct{}

func (*ExchangeBindOk) ID() MethodID            { return ExchangeBindOkID }
func (*ExchangeBindOk) Append(b []byte) []byte  { return appendID(b, ExchangeBindOkID) }
func (*ExchangeBindOk) Parse(args []byte) error { return parseNone(ExchangeBindOkID, args) }

// ExchangeUnbind takes ExchangeBind back.
type ExchangeUnbind struct {
	Destination string
	Source      string
	RoutingKey  string
	NoWait      bool
	Arguments   Table
}

func (*ExchangeUnbind) ID() MethodID { return ExchangeUnbindID }

func (m *ExchangeUnbind) Append(b []byte) []byte {
	b = appendID(b, ExchangeUnbindID)
	b = appendTicket(b)
	b = appendShort(b, m.Destination)
	b = appendShort(b, m.Source)
	b = appendShort(b, m.RoutingKey)
	b = appendBits(b, m.NoWait)
	return AppendTable(b, m.Arguments)
}

func (m *ExchangeUnbind) Parse(args []byte) error {
	r := reader{b: args}
	r.skipTicket()
	m.Destination = r.shortString()
	m.Source = r.shortString()
	m.RoutingKey = r.shortString()
	r.bits(&m.NoWait)
	m.Arguments = r.table()
	return r.endOf(ExchangeUnbindID)
}

// ExchangeUnbindOk answers ExchangeUnbind.
type ExchangeUnbindOk struct{}

func (*ExchangeUnbindOk) ID() MethodID            { return ExchangeUnbindOkID }
func (*ExchangeUnbindOk) Append(b []byte) []byte  { return appendID(b, ExchangeUnbindOkID) }
func (*ExchangeUnbindOk) Parse(args []byte) error { return parseNone(ExchangeUnbindOkID, args) }
