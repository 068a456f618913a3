//go:build !paged

package warren

// pagedOut is nothing but in tests.
type pagedOut struct{}

// Full implements storage.
func (m *messages) Full() bool { return m.store.Full() }
