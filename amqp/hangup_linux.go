package amqp

import (
	"net"
	"syscall"
)

// tcpEstablished is the state of a TCP connection whose two directions are open.
const tcpEstablished = 1

// tcpHungUp asks the kernel for the state of the connection: it is another one after
// the client's FIN or RST, and when keep-alive has found that the client is dead.
func tcpHungUp(c *net.TCPConn) (gone bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		// The first octet of struct tcp_info is the state.
		info, err := syscall.GetsockoptInet4Addr(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		gone = err == nil && info[0] != tcpEstablished
	})
	return gone || err != nil // closed
}
