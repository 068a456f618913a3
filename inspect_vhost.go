package warren

// Stats returns the figures of the virtual host alone. Those that belong to the whole
// broker, such as Memory, Waiting and DiskError, are zero.
func (v *VirtualHost) Stats() Stats { panic("TODO") }
