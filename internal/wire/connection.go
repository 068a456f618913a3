package wire

// newConnectionMethod makes an empty method of the class, and nil if there is none.
func newConnectionMethod(id MethodID) Method {
	switch id {
	case ConnectionStartID:
		return new(ConnectionStart)
	case ConnectionStartOkID:
		return new(ConnectionStartOk)
	case ConnectionSecureID:
		return new(ConnectionSecure)
	case ConnectionSecureOkID:
		return new(ConnectionSecureOk)
	case ConnectionTuneID:
		return new(ConnectionTune)
	case ConnectionTuneOkID:
		return new(ConnectionTuneOk)
	case ConnectionOpenID:
		return new(ConnectionOpen)
	case ConnectionOpenOkID:
		return new(ConnectionOpenOk)
	case ConnectionCloseID:
		return new(ConnectionClose)
	case ConnectionCloseOkID:
		return new(ConnectionCloseOk)
	case ConnectionBlockedID:
		return new(ConnectionBlocked)
	case ConnectionUnblockedID:
		return new(ConnectionUnblocked)
	case ConnectionUpdateSecretID:
		return new(ConnectionUpdateSecret)
	case ConnectionUpdateSecretOkID:
		return new(ConnectionUpdateSecretOk)
	}
	return nil
}

// ConnectionStart is the server's first method.
type ConnectionStart struct {
	VersionMajor     uint8 // 0
	VersionMinor     uint8 // 9
	ServerProperties Table
	Mechanisms       string // SASL mechanisms, separated by spaces
	Locales          string // separated by spaces
}

func (*ConnectionStart) ID() MethodID { return ConnectionStartID }

func (m *ConnectionStart) Append(b []byte) []byte {
	b = appendID(b, ConnectionStartID)
	b = append(b, m.VersionMajor)
	b = append(b, m.VersionMinor)
	b = AppendTable(b, m.ServerProperties)
	b = appendLong(b, m.Mechanisms)
	return appendLong(b, m.Locales)
}

func (m *ConnectionStart) Parse(args []byte) error {
	r := reader{b: args}
	m.VersionMajor = r.uint8()
	m.VersionMinor = r.uint8()
	m.ServerProperties = r.table()
	m.Mechanisms = r.longString()
	m.Locales = r.longString()
	return r.endOf(ConnectionStartID)
}

// ConnectionStartOk chooses a mechanism and answers its first challenge.
type ConnectionStartOk struct {
	ClientProperties Table
	Mechanism        string
	Response         string // of the mechanism; see ParseTable for that of AMQPLAIN
	Locale           string
}

func (*ConnectionStartOk) ID() MethodID { return ConnectionStartOkID }

func (m *ConnectionStartOk) Append(b []byte) []byte {
	b = appendID(b, ConnectionStartOkID)
	b = AppendTable(b, m.ClientProperties)
	b = appendShort(b, m.Mechanism)
	b = appendLong(b, m.Response)
	return appendShort(b, m.Locale)
}

func (m *ConnectionStartOk) Parse(args []byte) error {
	r := reader{b: args}
	m.ClientProperties = r.table()
	m.Mechanism = r.shortString()
	m.Response = r.longString()
	m.Locale = r.shortString()
	return r.endOf(ConnectionStartOkID)
}

// ConnectionSecure is a further challenge of the mechanism.
type ConnectionSecure struct {
	Challenge string
}

func (*ConnectionSecure) ID() MethodID { return ConnectionSecureID }

func (m *ConnectionSecure) Append(b []byte) []byte {
	b = appendID(b, ConnectionSecureID)
	return appendLong(b, m.Challenge)
}

func (m *ConnectionSecure) Parse(args []byte) error {
	r := reader{b: args}
	m.Challenge = r.longString()
	return r.endOf(ConnectionSecureID)
}

// ConnectionSecureOk answers a challenge.
type ConnectionSecureOk struct {
	Response string
}

func (*ConnectionSecureOk) ID() MethodID { return ConnectionSecureOkID }

func (m *ConnectionSecureOk) Append(b []byte) []byte {
	b = appendID(b, ConnectionSecureOkID)
	return appendLong(b, m.Response)
}

func (m *ConnectionSecureOk) Parse(args []byte) error {
	r := reader{b: args}
	m.Response = r.longString()
	return r.endOf(ConnectionSecureOkID)
}

// ConnectionTune proposes limits; zero means none.
type ConnectionTune struct {
	ChannelMax uint16 // highest channel number
	FrameMax   uint32 // octets
	Heartbeat  uint16 // seconds
}

func (*ConnectionTune) ID() MethodID { return ConnectionTuneID }

func (m *ConnectionTune) Append(b []byte) []byte {
	b = appendID(b, ConnectionTuneID)
	b = appendUint16(b, m.ChannelMax)
	b = appendUint32(b, m.FrameMax)
	return appendUint16(b, m.Heartbeat)
}

func (m *ConnectionTune) Parse(args []byte) error {
	r := reader{b: args}
	m.ChannelMax = r.uint16()
	m.FrameMax = r.uint32()
	m.Heartbeat = r.uint16()
	return r.endOf(ConnectionTuneID)
}

// ConnectionTuneOk sets the limits.
type ConnectionTuneOk struct {
	ChannelMax uint16
	FrameMax   uint32
	Heartbeat  uint16
}

func (*ConnectionTuneOk) ID() MethodID { return ConnectionTuneOkID }

func (m *ConnectionTuneOk) Append(b []byte) []byte {
	b = appendID(b, ConnectionTuneOkID)
	b = appendUint16(b, m.ChannelMax)
	b = appendUint32(b, m.FrameMax)
	return appendUint16(b, m.Heartbeat)
}

func (m *ConnectionTuneOk) Parse(args []byte) error {
	r := reader{b: args}
	m.ChannelMax = r.uint16()
	m.FrameMax = r.uint32()
	m.Heartbeat = r.uint16()
	return r.endOf(ConnectionTuneOkID)
}

// ConnectionOpen enters a virtual host.
type ConnectionOpen struct {
	VirtualHost string
}

func (*ConnectionOpen) ID() MethodID { return ConnectionOpenID }

func (m *ConnectionOpen) Append(b []byte) []byte {
	b = appendID(b, ConnectionOpenID)
	b = appendShort(b, m.VirtualHost)
	b = appendShort(b, "") // reserved
	return appendBits(b)
}

func (m *ConnectionOpen) Parse(args []byte) error {
	r := reader{b: args}
	m.VirtualHost = r.shortString()
	r.short() // reserved
	r.bits()
	return r.endOf(ConnectionOpenID)
}

// ConnectionOpenOk says that the connection can be used.
type ConnectionOpenOk struct{}

func (*ConnectionOpenOk) ID() MethodID { return ConnectionOpenOkID }

func (*ConnectionOpenOk) Append(b []byte) []byte {
	b = appendID(b, ConnectionOpenOkID)
	return appendShort(b, "") // reserved
}

func (*ConnectionOpenOk) Parse(args []byte) error {
	r := reader{b: args}
	r.short() // reserved
	return r.endOf(ConnectionOpenOkID)
}

// ConnectionClose ends the connection, in either direction.
type ConnectionClose struct {
	ReplyCode uint16
	ReplyText string
	Cause     MethodID // the method that failed, or zero
}

func (*ConnectionClose) ID() MethodID { return ConnectionCloseID }

func (m *ConnectionClose) Append(b []byte) []byte {
	b = appendID(b, ConnectionCloseID)
	b = appendUint16(b, m.ReplyCode)
	b = appendShort(b, m.ReplyText)
	return appendID(b, m.Cause)
}

func (m *ConnectionClose) Parse(args []byte) error {
	r := reader{b: args}
	m.ReplyCode = r.uint16()
	m.ReplyText = r.shortString()
	m.Cause = MethodID(r.uint32())
	return r.endOf(ConnectionCloseID)
}

// ConnectionCloseOk answers ConnectionClose. It is the last method on a connection.
type ConnectionCloseOk struct{}

func (*ConnectionCloseOk) ID() MethodID            { return ConnectionCloseOkID }
func (*ConnectionCloseOk) Append(b []byte) []byte  { return appendID(b, ConnectionCloseOkID) }
func (*ConnectionCloseOk) Parse(args []byte) error { return parseNone(ConnectionCloseOkID, args) }

// ConnectionBlocked tells a publisher that the server has stopped reading.
type ConnectionBlocked struct {
	Reason string
}

func (*ConnectionBlocked) ID() MethodID { return ConnectionBlockedID }

func (m *ConnectionBlocked) Append(b []byte) []byte {
	b = appendID(b, ConnectionBlockedID)
	return appendShort(b, m.Reason)
}

func (m *ConnectionBlocked) Parse(args []byte) error {
	r := reader{b: args}
	m.Reason = r.shortString()
	return r.endOf(ConnectionBlockedID)
}

// ConnectionUnblocked takes ConnectionBlocked back.
type ConnectionUnblocked struct{}

func (*ConnectionUnblocked) ID() MethodID            { return ConnectionUnblockedID }
func (*ConnectionUnblocked) Append(b []byte) []byte  { return appendID(b, ConnectionUnblockedID) }
func (*ConnectionUnblocked) Parse(args []byte) error { return parseNone(ConnectionUnblockedID, args) }

// ConnectionUpdateSecret renews a credential that expires.
type ConnectionUpdateSecret struct {
	NewSecret string
	Reason    string
}

func (*ConnectionUpdateSecret) ID() MethodID { return ConnectionUpdateSecretID }

func (m *ConnectionUpdateSecret) Append(b []byte) []byte {
	b = appendID(b, ConnectionUpdateSecretID)
	b = appendLong(b, m.NewSecret)
	return appendShort(b, m.Reason)
}

func (m *ConnectionUpdateSecret) Parse(args []byte) error {
	r := reader{b: args}
	m.NewSecret = r.longString()
	m.Reason = r.shortString()
	return r.endOf(ConnectionUpdateSecretID)
}

// ConnectionUpdateSecretOk answers ConnectionUpdateSecret.
type ConnectionUpdateSecretOk struct{}

func (*ConnectionUpdateSecretOk) ID() MethodID { return ConnectionUpdateSecretOkID }

func (*ConnectionUpdateSecretOk) Append(b []byte) []byte {
	return appendID(b, ConnectionUpdateSecretOkID)
}

func (*ConnectionUpdateSecretOk) Parse(args []byte) error {
	return parseNone(ConnectionUpdateSecretOkID, args)
}
