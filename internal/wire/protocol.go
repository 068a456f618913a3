package wire

// ProtocolHeader is what a client sends before its first frame. A server that
// does not understand a client's header answers with its own and hangs up.
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// header09 is that of AMQP 0-9, which brokers take for 0-9-1.
const header09 = "AMQP\x01\x01\x00\x09"

// AcceptProtocol reports whether h is the header of a client that speaks AMQP
// 0-9-1.
func AcceptProtocol(h []byte) bool {
	return string(h) == ProtocolHeader || string(h) == header09
}
