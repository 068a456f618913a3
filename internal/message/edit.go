package message

import (
	"maps"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Edit says how a message differs from the one that it is made of. All else stays as
// it came, octet by octet if it came over the wire.
type Edit struct {
	wire.Edit
	Narrow bool  // the headers to set have integers of another type than int64
	First  int64 // table.SizeOf the first value of Set; zero: not known
}

// Reset makes the edit one that changes nothing. It keeps the room of its lists.
func (e *Edit) Reset() {
	clear(e.Set)
	clear(e.Remove)
	e.Edit = wire.Edit{Set: e.Set[:0], Remove: e.Remove[:0]}
	e.Narrow, e.First = false, 0
}

// SetHeader returns an edit that sets a header.
func SetHeader(name string, v any) (e Edit) {
	e.Set = []wire.Header{{Name: name, Value: v}}
	return e
}

// size is table.Size of the headers of a message that had none.
func (e *Edit) size() int64 {
	n := table.SizeOfMap(len(e.Set))
	for i, h := range e.Set {
		n += int64(len(h.Name))
		if i == 0 && e.First > 0 {
			n += e.First
		} else {
			n += table.SizeOf(h.Value)
		}
	}
	return n
}

// Apply returns the edited properties. It does not change the headers of p.
func (e *Edit) Apply(p Properties) Properties {
	headers := make(table.Table, len(p.Headers)+len(e.Set))
	maps.Copy(headers, p.Headers)
	for _, name := range e.Remove {
		delete(headers, name)
	}
	for _, h := range e.Set {
		headers[h.Name] = h.Value
	}
	p.Headers = headers
	if e.WithoutExpiration {
		p.Expiration = ""
	}
	return p
}
