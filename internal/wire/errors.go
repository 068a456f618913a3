package wire

import (
	"errors"
	"strconv"
	"strings"
)

// What can be wrong with octets.
var (
	ErrTruncated     = errors.New("wire: octets are missing")
	ErrTrailing      = errors.New("wire: octets are left over")
	ErrNesting       = errors.New("wire: tables and arrays nest too deep")
	ErrPropertyFlags = errors.New("wire: unknown property flags")
	ErrWeight        = errors.New("wire: weight of a content header is not zero")
	ErrUnknownMethod = errors.New("wire: unknown method")
)

// TagError is the tag of a field value of unknown type.
type TagError byte

func (e TagError) Error() string {
	return "wire: unknown field type " + strconv.QuoteRune(rune(e))
}

// ClassError is the class of a content header that is not basic.
type ClassError uint16

func (e ClassError) Error() string {
	return "wire: content header of class " + strconv.Itoa(int(e))
}

// MethodError is a method that cannot be read: it is unknown
// ([ErrUnknownMethod]) or its arguments are malformed.
type MethodError struct {
	ID  MethodID
	Err error
}

// Error says what is wrong and with which method.
func (e *MethodError) Error() string {
	return "wire: " + e.ID.String() + ": " + strings.TrimPrefix(e.Err.Error(), "wire: ")
}

// Unwrap returns e.Err.
func (e *MethodError) Unwrap() error { return e.Err }
