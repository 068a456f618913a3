//go:build !paged

package warren

// pagedOut is nothing but in tests.
type pagedOut struct{}

func (pagedOut) out(*messages) {}
