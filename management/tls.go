package management

import (
	"crypto/tls"
	"strings"
)

// tlsVersion returns the name of a version of TLS, as RabbitMQ writes it: tlsv1.3.
func tlsVersion(v uint16) string {
	return strings.ToLower(strings.Replace(tls.VersionName(v), "TLS ", "tlsv", 1))
}

func cipherName(suite uint16) string { return tls.CipherSuiteName(suite) }
