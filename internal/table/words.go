package table

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// TypeName returns RabbitMQ's word for the wire type of a value.
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "void"
	case bool:
		return "bool"
	case string:
		return "longstr"
	case []byte:
		return "binary"
	case time.Time:
		return "timestamp"
	case wire.Decimal:
		return "decimal"
	case Table:
		return "table"
	case []any:
		return "array"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64, int:
		return "long"
	case float32:
		return "float"
	}
	return "double"
}

// Term formats a value of a table as Erlang does. RabbitMQ's reply texts show
// values in this form.
func Term(v any) string {
	switch v := v.(type) {
	case nil:
		return "undefined"
	case string:
		if v == "" {
			return "<<>>"
		}
		return "<<" + strconv.Quote(v) + ">>"
	case []byte:
		return Term(string(v))
	case time.Time:
		return strconv.FormatInt(v.Unix(), 10)
	case float32:
		return Term(float64(v))
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case wire.Decimal:
		return fmt.Sprintf("{%d,%d}", v.Scale, v.Value)
	case Table:
		var list []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, "{"+Term(k)+","+TypeName(v[k])+","+Term(v[k])+"}")
		}
		return "[" + strings.Join(list, ",") + "]"
	case []any:
		var list []string
		for _, e := range v {
			list = append(list, "{"+TypeName(e)+","+Term(e)+"}")
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	return fmt.Sprint(v)
}
