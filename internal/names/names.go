// Package names checks names of exchanges, queues, consumers and users, and
// makes new ones.
package names

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/warrenmq/warren/internal/wire"
)

// MaxLen is the length of the longest name, in bytes: that of AMQP's short
// string.
const MaxLen = 255

// ReservedPrefix is the prefix of names that a client may not declare.
const ReservedPrefix = "amq."

// GeneratedPrefix is the prefix of names that the broker makes for queues without
// one.
const GeneratedPrefix = ReservedPrefix + "gen-"

// Check returns why AMQP cannot carry a name, and the reply code for that. If
// AMQP can carry it, the problem is empty and the code zero. What says
// in the problem which name it is, such as "queue name".
func Check(what, name string) (code uint16, problem string) {
	if len(name) > MaxLen {
		return wire.CodeSyntaxError, fmt.Sprintf("%s of %d bytes exceeds %d", what, len(name), MaxLen)
	}
	if !utf8.ValidString(name) {
		return wire.CodeFrameError, fmt.Sprintf("Malformed UTF-8 in shortstr: %s %q", what, name)
	}
	return 0, ""
}

// Clean removes carriage returns and line feeds from a name. RabbitMQ does so
// with names that are declared, also passively, and deleted.
func Clean(name string) string {
	if !strings.ContainsAny(name, "\r\n") {
		return name
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(name)
}

// IsReserved reports whether an exchange or queue of this name cannot be
// declared.
func IsReserved(name string) bool { return name == "" || strings.HasPrefix(name, ReservedPrefix) }

// New returns a new, unique name that begins with prefix.
func New(prefix string) string {
	id := uuid.New()
	return prefix + base64.RawURLEncoding.EncodeToString(id[:])
}

// Shorten returns a name for use in a text. A name of more than MaxLen bytes is
// cut, between two characters, and ends with "…".
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
