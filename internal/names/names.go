// Package names is about names of exchanges, queues, consumers and users: what
// may be one, and how a new one is made.
package names

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/warrenmq/warren/internal/wire"
)

// MaxLen is how long a name can be, in bytes: AMQP's short string.
const MaxLen = 255

// ReservedPrefix begins the names that nobody may declare.
const ReservedPrefix = "amq."

// Check tells why AMQP cannot carry a name, with the reply code for it; an
// empty problem: it can. What says which name it is.
func Check(what, name string) (code uint16, problem string) {
	if len(name) > MaxLen {
		return wire.CodeSyntaxError, fmt.Sprintf("%s of %d bytes exceeds %d", what, len(name), MaxLen)
	}
	if !utf8.ValidString(name) {
		return wire.CodeFrameError, fmt.Sprintf("Malformed UTF-8 in shortstr: %s %q", what, name)
	}
	return 0, ""
}

// Clean takes out line ends, as RabbitMQ does with the names that are declared,
// also passively, and deleted.
func Clean(name string) string {
	if !strings.ContainsAny(name, "\r\n") {
		return name
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(name)
}

// IsReserved reports whether an exchange or queue of this name cannot be
// declared.
func IsReserved(name string) bool { return name == "" || strings.HasPrefix(name, ReservedPrefix) }

// New makes a name that is in nobody's use.
func New(prefix string) string {
	id := uuid.New()
	return prefix + base64.RawURLEncoding.EncodeToString(id[:])
}

// Shorten cuts a name that is too long to be one, to show it.
func Shorten(name string) string {
	if len(name) <= MaxLen {
		return name
	}
	end := MaxLen
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}

// IsValid reports whether AMQP can carry a name.
func IsValid(name string) bool { return len(name) <= MaxLen && utf8.ValidString(name) }
