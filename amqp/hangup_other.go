//go:build !linux

package amqp

import "net"

// tcpHungUp is not known here without reading.
func tcpHungUp(*net.TCPConn) bool { return false }
