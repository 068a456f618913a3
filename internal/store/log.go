package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/warrenmq/warren/internal/files"
)

// log is a simple log, to be replaced by that of package journal.
type log struct {
	f     files.File
	dir   files.Dir
	clean bool

	mu sync.Mutex
	// Guarded by mu.
	buf     []byte
	next    Seq
	synced  Seq
	waiters []waiting
	running bool
	closed  bool
	idle    chan struct{}
}

type waiting struct {
	seq Seq
	w   Waiter
}

func openLog(dir files.Dir, replay func(rec []byte) error) (*log, error) {
	l := &log{dir: dir, clean: true, next: 1, synced: 1, idle: make(chan struct{}, 1)}
	all, err := readAll(dir, "log")
	if err != nil {
		return nil, err
	}
	whole := 0
	for b := all; len(b) > 0; {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			l.clean = false
			break
		}
		if n > 0 {
			l.clean = false
			if err := replay(b[k : k+int(n)]); err != nil {
				return nil, err
			}
		} else {
			l.clean = true
		}
		b = b[k+int(n):]
		whole = len(all) - len(b)
	}
	if l.f, err = dir.Create("log.new"); err != nil {
		return nil, err
	}
	if _, err = l.f.Write(all[:whole]); err == nil {
		err = errors.Join(l.f.Sync(), dir.Rename("log.new", "log"), dir.Sync())
	}
	return l, err
}

func readAll(dir files.Dir, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := f.Size()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, io.NewSectionReader(f, 0, n))
	return b.Bytes(), err
}

func (l *log) append(kind byte, header, body []byte) Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = binary.AppendUvarint(l.buf, uint64(1+len(header)+len(body)))
	l.buf = append(append(append(l.buf, kind), header...), body...)
	l.next++
	l.start()
	return l.next - 1
}

func (l *log) start() {
	if !l.running {
		l.running = true
		go l.run()
	}
}

func (l *log) run() {
	l.mu.Lock()
	for {
		buf, upTo := l.buf, l.next
		l.buf = nil
		l.mu.Unlock()
		_, err := l.f.Write(buf)
		if err == nil {
			err = l.f.Sync()
		}
		l.mu.Lock()
		l.synced = upTo
		tell := l.waiters
		l.waiters = nil
		var rest []waiting
		l.mu.Unlock()
		for _, w := range tell {
			if w.seq < upTo {
				w.w.Stored(err)
			} else {
				rest = append(rest, w)
			}
		}
		l.mu.Lock()
		l.waiters = append(rest, l.waiters...)
		if len(l.buf) == 0 {
			l.running = false
			if l.closed {
				l.idle <- struct{}{}
			}
			l.mu.Unlock()
			return
		}
	}
}

func (l *log) notify(seq Seq, w Waiter) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq < l.synced {
		return true, nil
	}
	if l.closed {
		return false, ErrClosed
	}
	l.waiters = append(l.waiters, waiting{seq, w})
	return false, nil
}

type await chan error

func (a await) Stored(err error) { a <- err }

func (l *log) wait(ctx context.Context, seq Seq) error {
	a := make(await, 1)
	stored, err := l.notify(seq, a)
	if stored || err != nil {
		return err
	}
	select {
	case err = <-a:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *log) close(ctx context.Context) error {
	l.mu.Lock()
	l.buf = append(l.buf, 0)
	l.closed = true
	l.start()
	l.mu.Unlock()
	select {
	case <-l.idle:
		return l.f.Close()
	case <-ctx.Done():
		return ctx.Err()
	}
}
