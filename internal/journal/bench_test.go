package journal_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/journal"
)

var (
	entry = make([]byte, 24) // what stands before a body
	body  = make([]byte, 128)
)

func openReal(b *testing.B, opt journal.Options) *journal.Journal {
	b.Helper()
	dir, err := files.Open(b.TempDir())
	require.NoError(b, err)
	j, err := journal.Open(dir, opt, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, j.Close(context.Background())) })
	return j
}

// appendOne appends, and waits when a publisher would.
func appendOne(b *testing.B, j *journal.Journal) {
	if j.Full() {
		if err := j.Room(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	j.Append(1, entry, body)
}

// apart lets the writer catch up, untimed, now and then: what is timed is Append and
// not what the writer does meanwhile.
func apart(b *testing.B, j *journal.Journal, i int) {
	if i%2048 == 2047 {
		b.StopTimer()
		require.NoError(b, j.Wait(b.Context(), j.Append(1, nil, nil)))
		b.StartTimer()
	}
}

// nowhere is a directory whose files keep nothing, so that Append alone is measured.
type nowhere struct{ files.Dir }

type nothing struct{ files.File }

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Sync() error                 { return nil }
func (nothing) Close() error                { return nil }

func (nowhere) Create(string) (files.File, error) { return nothing{}, nil }
func (nowhere) List() ([]string, error)           { return nil, nil }
func (nowhere) Rename(_, _ string) error          { return nil }
func (nowhere) Remove(string) error               { return nil }
func (nowhere) Sync() error                       { return nil }

func openNowhere(b *testing.B) *journal.Journal {
	j, err := journal.Open(nowhere{}, journal.Options{}, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, j.Close(context.Background())) })
	return j
}

func BenchmarkAppend(b *testing.B) {
	b.Run("apart from the writer", func(b *testing.B) {
		j := openNowhere(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			j.Append(1, entry, body)
			apart(b, j, i)
		}
	})
	b.Run("memory", func(b *testing.B) {
		j := openNowhere(b)
		b.ReportAllocs()
		for b.Loop() {
			appendOne(b, j)
		}
	})
	b.Run("memory, parallel", func(b *testing.B) {
		j := openNowhere(b)
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				appendOne(b, j)
			}
		})
	})
	b.Run("disk", func(b *testing.B) {
		j := openReal(b, journal.Options{})
		b.ReportAllocs()
		for b.Loop() {
			appendOne(b, j)
		}
	})
	b.Run("void", func(b *testing.B) {
		j := openReal(b, journal.Options{})
		b.ReportAllocs()
		for b.Loop() {
			j.Void(j.Append(1, entry, body))
		}
	})
}

// confirms is a publisher that has a window of unconfirmed records.
type confirms struct{ window chan error }

func (c *confirms) Stored(err error) { c.window <- err }

// BenchmarkConfirmed measures group commit: a publisher has a window of records that
// are not stored yet. The floor is a plain program that writes the same bytes in
// batches of the size that the journal had at this window, and syncs each.
func BenchmarkConfirmed(b *testing.B) {
	for _, window := range []int{1, 64, 1000, 4096} {
		perSync := 1
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			j := openReal(b, journal.Options{})
			c := &confirms{make(chan error, window)}
			before := j.Stats().Syncs
			sent := 0
			b.ReportAllocs()
			for b.Loop() {
				if sent >= window {
					if err := <-c.window; err != nil {
						b.Fatal(err)
					}
				}
				seq := j.Append(1, entry, body)
				sent++
				if stored, _ := j.Notify(seq, c); stored {
					c.window <- nil
				}
			}
			for range min(sent, window) {
				require.NoError(b, <-c.window)
			}
			b.StopTimer()
			perSync = max(1, int(uint64(sent)/max(1, j.Stats().Syncs-before)))
			b.ReportMetric(float64(perSync), "records/sync")
		})
		b.Run(fmt.Sprintf("window=%d/floor", window), func(b *testing.B) { floor(b, perSync) })
	}
}

func floor(b *testing.B, perSync int) {
	const record = 12 + 24 + 128
	dir, err := files.Open(b.TempDir())
	require.NoError(b, err)
	create := func(n int) files.File {
		f, err := dir.Create(fmt.Sprint("floor", n))
		require.NoError(b, err)
		return f
	}
	n := 0
	f := create(n)
	buf := make([]byte, 0, perSync*record)
	rec := make([]byte, record)
	written := 0
	for b.Loop() {
		if buf = append(buf, rec...); len(buf) < cap(buf) {
			continue
		}
		_, err := f.Write(buf)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
		written += len(buf)
		buf = buf[:0]
		if written > 64<<20 {
			written = 0
			n++
			require.NoError(b, f.Close())
			f = create(n)
		}
	}
	require.NoError(b, f.Close())
}

// BenchmarkOpen replays a journal of a hundred thousand records.
func BenchmarkOpen(b *testing.B) {
	path := b.TempDir()
	dir, err := files.Open(path)
	require.NoError(b, err)
	j, err := journal.Open(dir, journal.Options{}, nil)
	require.NoError(b, err)
	for range 100_000 {
		appendOne(b, j)
	}
	require.NoError(b, j.Close(context.Background()))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		j, err := journal.Open(dir, journal.Options{}, func(journal.Seq, byte, []byte) error { n++; return nil })
		require.NoError(b, err)
		require.Equal(b, 100_000, n)
		require.NoError(b, j.Close(context.Background()))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/record")
}
