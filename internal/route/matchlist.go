package route

// matchList has what an exchange compares a message with, binding by binding. It can
// be lent to a match that takes long.
type matchList[T ofBinding] struct {
	lendable[T]
	bytes int // of keys and arguments
}

// ofBinding is made for a binding.
type ofBinding interface{ binding() *Binding }

func (b *Binding) binding() *Binding { return b }

// size returns how much there is to compare a message with, in bytes.
func (b *Binding) size() int { return len(b.Key) + len(b.BindingKey.Args) }

// add adds what was made for a binding.
func (l *matchList[T]) add(t T) {
	b := t.binding()
	b.place = len(l.list)
	l.lendable.add(t)
	l.bytes += b.size()
}

// remove removes what was made for b.
func (l *matchList[T]) remove(b *Binding) {
	moved := l.lendable.remove(b.place)
	moved.binding().place = b.place
	l.bytes -= b.size()
}
