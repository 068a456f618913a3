package metrics

import "runtime/metrics"

// process is what the system knows of this process.
type process struct {
	resident  uint64 // bytes
	openFiles int    // zero: not known
	maxFiles  uint64 // zero: not known, or no limit
}

// obtained returns how many bytes the Go runtime has from the system and uses. It is
// about the resident memory where the system does not tell that.
func obtained() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
