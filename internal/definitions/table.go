package definitions

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Table is a field table as in a definitions file. JSON has fewer types than AMQP, so
// other values are written as RabbitMQ does: octets as a text, a timestamp as its
// seconds, and void as the text undefined, because RabbitMQ accepts no null. A decimal
// is written as a float. Integers stay integers, and floats stay floats.
type Table map[string]any

const (
	Void    = "undefined"              // the text for void
	notText = "Not UTF-8, base64 is: " // prefix of the base64 of octets that are no UTF-8
)

// ExportTable converts a table for a file. The result is never nil.
func ExportTable(t table.Table) Table {
	d := make(Table, len(t))
	for k, v := range t {
		d[k] = exportedValue(v)
	}
	return d
}

// exportedValue converts a value of a table for a file.
func exportedValue(v any) any {
	switch v := v.(type) {
	case nil:
		return Void
	case string:
		if !utf8.ValidString(v) {
			return notText + base64.StdEncoding.EncodeToString([]byte(v))
		}
	case []byte:
		return exportedValue(string(v))
	case time.Time:
		return v.Unix()
	case wire.Decimal:
		return exportedFloat(float64(v.Value)/math.Pow10(int(v.Scale)), 64)
	case float32:
		return exportedFloat(float64(v), 32)
	case float64:
		return exportedFloat(v, 64)
	case table.Table:
		return ExportTable(v)
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = exportedValue(e)
		}
		return list
	}
	return v
}

// exportedFloat returns a number of JSON that is not read as an integer. NaN and
// infinities become texts.
func exportedFloat(f float64, bits int) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.FormatFloat(f, 'f', -1, bits)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	digits, exponent, large := strings.Cut(strconv.FormatFloat(f, format, -1, bits), "e")
	if !strings.Contains(digits, ".") {
		digits += ".0"
	}
	if large {
		digits += "e" + exponent
	}
	return json.Number(digits)
}

// UnmarshalJSON reads an object, or a list of pairs, which is RabbitMQ's other form of
// a table. An empty list is common.
func (t *Table) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	v, err := importedValue(v)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		*t = nil
		return nil
	case table.Table:
		*t = Table(v)
		return nil
	case []any:
		*t = make(Table, len(v))
		for _, e := range v {
			pair, _ := e.([]any)
			if len(pair) != 2 {
				return fmt.Errorf("a table is a list, but not of pairs")
			}
			k, ok := pair[0].(string)
			if !ok {
				return fmt.Errorf("a pair of a table has a %s for its name", table.TypeName(pair[0]))
			}
			(*t)[k] = pair[1]
		}
		return nil
	}
	return fmt.Errorf("a table is a %s", table.TypeName(v))
}

// importedValue converts a value of JSON to one of a table.
func importedValue(v any) (any, error) {
	switch v := v.(type) {
	case string:
		if code, ok := strings.CutPrefix(v, notText); ok {
			if octets, err := base64.StdEncoding.DecodeString(code); err == nil {
				return string(octets), nil
			}
		}
	case json.Number:
		return importedNumber(v)
	case map[string]any:
		for k, e := range v {
			e, err := importedValue(e)
			if err != nil {
				return nil, err
			}
			v[k] = e
		}
		return table.Table(v), nil
	case []any:
		for i, e := range v {
			e, err := importedValue(e)
			if err != nil {
				return nil, err
			}
			v[i] = e
		}
	}
	return v, nil
}

// importedNumber converts a number to an int64 or a float64.
func importedNumber(n json.Number) (v any, err error) {
	if strings.ContainsAny(string(n), ".eE") {
		v, err = n.Float64()
	} else {
		v, err = n.Int64()
	}
	if err != nil {
		return nil, fmt.Errorf("the number %s is out of range", names.Shorten(string(n)))
	}
	return v, nil
}
