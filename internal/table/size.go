package table

// What is counted for a table in memory, in bytes: about what Go takes for a map of
// its length.
const (
	mapSize   = 360 // a map with room for eight entries
	entrySize = 80  // an entry of a larger map, with the rest of its room
	fewKeys   = 8
	valueSize = 32 // a value behind an interface
)

// Size returns how many bytes a table holds, nearly. It counts the texts in it, too,
// although other tables may share them.
func Size(t Table) int64 {
	if t == nil {
		return 0
	}
	n := SizeOfMap(len(t))
	for k, v := range t {
		n += int64(len(k)) + SizeOf(v)
	}
	return n
}

// SizeOf is Size for a value of a table.
func SizeOf(v any) int64 {
	switch v := v.(type) {
	case nil, bool:
		return 0
	case string:
		return valueSize + int64(len(v))
	case []byte:
		return valueSize + int64(len(v))
	case Table:
		return Size(v)
	case []any:
		n := SizeOfList(len(v))
		for _, e := range v {
			n += SizeOf(e)
		}
		return n
	}
	return valueSize
}

// SizeOfMap returns the Size of a table with so many keys, without these and the values.
func SizeOfMap(keys int) int64 {
	if keys > fewKeys {
		return mapSize + int64(keys)*entrySize
	}
	return mapSize
}

// SizeOfList returns the SizeOf an array without its values.
func SizeOfList(values int) int64 { return valueSize + int64(values)*valueSize/2 }
