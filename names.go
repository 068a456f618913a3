package warren

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/warrenmq/warren/internal/wire"
)

// checkName refuses a name that does not fit AMQP's short string. what tells
// the user which one.
func checkName(m wire.MethodID, what, name string) error {
	if len(name) > maxShortString {
		return failure(m, wire.CodeSyntaxError, "%s of %d bytes exceeds %d", what, len(name), maxShortString)
	}
	if !utf8.ValidString(name) {
		return failure(m, wire.CodeFrameError, "Malformed UTF-8 in shortstr: %s %q", what, name)
	}
	return nil
}

// cleanName takes out line ends, as RabbitMQ does with the names that are
// declared, also passively, and deleted.
func cleanName(name string) string {
	if !strings.ContainsAny(name, "\r\n") {
		return name
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(name)
}

// generateName makes a name that is in nobody's use.
func generateName(prefix string) string {
	id := uuid.New()
	return prefix + base64.RawURLEncoding.EncodeToString(id[:])
}

const reservedPrefix = "amq."
