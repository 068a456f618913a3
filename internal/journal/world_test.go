package journal_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/journal"
)

// world is a journal and what a user knows of it.
type world struct {
	t   testing.TB
	rnd *rand.Rand
	dir files.Dir
	opt journal.Options
	j   *journal.Journal

	mu      sync.Mutex // held while the knowledge changes
	records []*record  // in the order of Append
	made    int        // records so far
}

type record struct {
	text   string
	kind   byte
	seq    journal.Seq // since the last Open; 0 if not replayed
	stored bool        // the user was told
	void   bool        // Void was in time
	gone   bool        // its file may be removed
	late   bool        // and is
}

func newWorld(t testing.TB, dir files.Dir, opt journal.Options) *world {
	return &world{t: t, rnd: rand.New(rand.NewPCG(1, 2)), dir: dir, opt: opt}
}

// open opens the journal and compares what is replayed with what is known. What is not
// there any more is forgotten.
func (w *world) open() error {
	got := make(map[string]journal.Seq)
	var order []string
	j, err := journal.Open(w.dir, w.opt, func(seq journal.Seq, kind byte, rec []byte) error {
		text := string(rec)
		require.Zero(w.t, got[text], "once")
		require.NotZero(w.t, seq)
		got[text] = seq
		order = append(order, text)
		if len(order) > 1 {
			require.Greater(w.t, seq, got[order[len(order)-2]])
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.j = j
	w.check(got, order)
	return nil
}

func (w *world) check(got map[string]journal.Seq, order []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rest []*record
	missing := ""
	for _, r := range w.records {
		seq, there := got[r.text]
		name, _, _ := strings.Cut(r.text, ":")
		switch {
		case there:
			require.False(w.t, r.void, "%s was dropped before it was written", name)
			require.False(w.t, r.late, "the file of %s was removed", name)
			require.Equal(w.t, r.text, order[0], "in order")
			require.Empty(w.t, missing, "%s is there, and one before it is not", name)
			order = order[1:]
			r.seq = seq
			rest = append(rest, r)
		case !r.void && !r.gone:
			require.False(w.t, r.stored, "%s was stored", name)
			missing = name
		}
	}
	require.Empty(w.t, order, "records that nobody wrote")
	w.records = rest
}

func (w *world) append(size int) *record {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	text := fmt.Sprintf("%05d:", w.made) + strings.Repeat(string(rune('a'+w.rnd.IntN(26))), size)
	r := &record{text: text, kind: byte(1 + w.rnd.IntN(journal.MaxKind))}
	cut := w.rnd.IntN(len(text))
	r.seq = w.j.Append(r.kind, []byte(text[:cut]), []byte(text[cut:]))
	require.NotZero(w.t, r.seq)
	w.records = append(w.records, r)
	return r
}

func (w *world) void(r *record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.void = w.j.Void(r.seq)
}

// wait waits for a record, and so for those before it.
func (w *world) wait(r *record) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := w.j.Wait(ctx, r.seq)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		for _, o := range w.records {
			o.stored = o.stored || o.seq <= r.seq
		}
	}
	return err
}

func (w *world) remove(number uint32) error {
	var of []*record
	w.mu.Lock()
	for _, r := range w.records {
		if w.j.File(r.seq) == number {
			r.gone = true
			of = append(of, r)
		}
	}
	w.mu.Unlock()
	err := w.j.Remove(number)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range of {
		r.late = err == nil
	}
	return err
}

func (w *world) close(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	err := w.j.Close(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		for _, r := range w.records {
			r.stored = true
		}
	}
	return err
}

// fork is the same knowledge about another directory.
func (w *world) fork(t testing.TB, dir files.Dir, seed uint64) *world {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.forked(t, dir, seed)
}

// kill is fork about the directory as it is now, while others may be at work: what they
// do after the copy of the directory is not in the knowledge.
func (w *world) kill(t testing.TB, dir *filestest.Dir, seed uint64) *world {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.forked(t, dir.Clone(), seed)
}

// forked is fork with mu held.
func (w *world) forked(t testing.TB, dir files.Dir, seed uint64) *world {
	o := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 3)), dir: dir, opt: w.opt, made: w.made}
	for _, r := range w.records {
		c := *r
		o.records = append(o.records, &c)
	}
	return o
}

// script does a bit of everything. Errors are not its business: they come of what the
// directory was told.
func (w *world) script() {
	defer func() {
		if w.j != nil {
			_ = w.close(3 * time.Second)
			w.j = nil
		}
	}()
	if w.open() != nil {
		return
	}
	for i := range 6 {
		r := w.append(10 * i)
		if i%3 == 1 {
			w.void(r)
		}
	}
	_ = w.wait(w.append(700))
	time.Sleep(20 * time.Millisecond) // it ends, and tells that all is synced
	for i := range 8 {
		w.append(200 + i)
		if i == 4 {
			time.Sleep(15 * time.Millisecond) // written, and not synced
		}
	}
	time.Sleep(2 * time.Second)
	_ = w.wait(w.append(1500)) // the file is full
	_ = w.wait(w.append(30))
	w.append(80 << 10) // a chunk of its own
	w.void(w.append(50))
	_ = w.wait(w.append(60))
	for _, f := range w.j.Files() {
		if f.Sealed {
			_ = w.remove(f.Number)
			break
		}
	}
	w.append(100)
	w.j.Roll()
	_ = w.wait(w.append(100))
	if w.close(3*time.Second) != nil {
		w.j = nil
		return
	}
	w.j = nil
	if w.open() != nil {
		return
	}
	for _, f := range w.j.Files()[:1] {
		_ = w.remove(f.Number)
	}
	w.append(120)
	_ = w.wait(w.append(40))
	w.append(300)
	time.Sleep(15 * time.Millisecond)
}

// ignore is for who wants no records.
func ignore(journal.Seq, byte, []byte) error { return nil }
