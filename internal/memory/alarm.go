package memory

// Alarm reports whether publishers are held back: some wait, or the last one that came
// was refused.
func (b *Budget) Alarm() bool { return b.alarm.Load() }
