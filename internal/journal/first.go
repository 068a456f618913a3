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

// AppendInstead is Append for a short record that replaces another, which the writer has
// not taken yet: that one will not be on the disk. Who waits for a record between the two
// waits for the new one, too, because the writer takes all that there is. It returns 0, and
// appends nothing, if it is too late.
func (j *Journal) AppendInstead(of Seq, kind byte, record []byte) Seq {
	n := recordHeader + len(record)
	if n > chunkSize || kind == kindVoid || kind > MaxKind {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.void(of) {
		return 0
	}
	c := j.tail
	if c == nil || !c.fits(n) {
		if c = j.grow(n); c == nil {
			return 0
		}
	}
	seq, at := j.next, len(c.buf)
	j.next += Seq(n)
	c.buf = c.buf[:at+n]
	put(c.buf[at:], kind, record, nil)
	return seq
}
