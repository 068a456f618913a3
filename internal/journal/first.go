package journal

// AppendFirst is Append for a short record with which a new file begins: what was
// appended before is in older files, and what is appended later is not.
func (j *Journal) AppendFirst(kind byte, record []byte) Seq {
	n := recordHeader + len(record)
	if n > chunkSize || kind == kindVoid || kind > MaxKind {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.roll = true
	c := j.grow(n)
	if c == nil {
		return 0
	}
	seq, at := j.next, len(c.buf)
	j.next += Seq(n)
	c.buf = c.buf[:at+n]
	put(c.buf[at:], kind, record, nil)
	return seq
}
