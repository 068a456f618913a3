package files_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// each runs a test with the real directory and with the one in memory.
func each(t *testing.T, test func(t *testing.T, d files.Dir)) {
	t.Run("disk", func(t *testing.T) {
		d, err := files.Open(filepath.Join(t.TempDir(), "store"))
		require.NoError(t, err)
		test(t, d)
	})
	t.Run("memory", func(t *testing.T) { test(t, filestest.New()) })
}

func write(t *testing.T, d files.Dir, name, text string) {
	t.Helper()
	f, err := d.Create(name)
	require.NoError(t, err)
	n, err := f.Write([]byte(text))
	require.NoError(t, err)
	require.Equal(t, len(text), n)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

func read(t *testing.T, d files.Dir, name string) string {
	t.Helper()
	f, err := d.Open(name)
	require.NoError(t, err)
	defer f.Close()
	size, err := f.Size()
	require.NoError(t, err)
	text := make([]byte, size)
	_, err = f.ReadAt(text, 0)
	require.NoError(t, err)
	return string(text)
}

func TestAFileIsWrittenAtItsEndAndReadAnywhere(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		f, err := d.Create("a.log")
		require.NoError(t, err)
		for _, text := range []string{"one ", "two ", "", "three"} {
			n, err := f.Write([]byte(text))
			require.NoError(t, err)
			require.Equal(t, len(text), n)
		}
		size, err := f.Size()
		require.NoError(t, err)
		require.EqualValues(t, 13, size)
		p := make([]byte, 3)
		n, err := f.ReadAt(p, 4)
		require.NoError(t, err)
		require.Equal(t, "two", string(p[:n]))
		n, err = f.ReadAt(p, 11)
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, "ee", string(p[:n]))
		n, err = f.ReadAt(p, 100)
		require.ErrorIs(t, err, io.EOF)
		require.Zero(t, n)
		_, err = f.ReadAt(p, -1)
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF)

		require.NoError(t, f.Sync())
		require.NoError(t, d.Sync())
		require.Equal(t, "one two three", read(t, d, "a.log"))
		require.NoError(t, f.Close())
	})
}

func TestAnOpenedFileIsForReadingAndCanBeSynced(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		write(t, d, "a", "text")
		f, err := d.Open("a")
		require.NoError(t, err)
		_, err = f.Write([]byte("more"))
		require.ErrorIs(t, err, files.ErrReadOnly)
		require.NoError(t, f.Sync())
		require.NoError(t, f.Close())
		require.Equal(t, "text", read(t, d, "a"))
	})
}

func TestAClosedFileCannotBeUsed(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		f, err := d.Create("a")
		require.NoError(t, err)
		require.NoError(t, f.Close())
		_, err = f.Write([]byte("x"))
		require.ErrorIs(t, err, fs.ErrClosed)
		_, err = f.ReadAt(make([]byte, 1), 0)
		require.ErrorIs(t, err, fs.ErrClosed)
		_, err = f.Size()
		require.ErrorIs(t, err, fs.ErrClosed)
		require.ErrorIs(t, f.Sync(), fs.ErrClosed)
		require.ErrorIs(t, f.Close(), fs.ErrClosed)
	})
}

func TestNamesAreThereOnceAndListedInOrder(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		names, err := d.List()
		require.NoError(t, err)
		require.Empty(t, names)
		for _, name := range []string{"b", "a", "c-2.log"} {
			write(t, d, name, name)
		}
		_, err = d.Create("a")
		require.ErrorIs(t, err, fs.ErrExist)
		_, err = d.Open("d")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, d.Remove("d"), fs.ErrNotExist)
		require.ErrorIs(t, d.Rename("d", "e"), fs.ErrNotExist)
		names, err = d.List()
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b", "c-2.log"}, names)
	})
}

func TestAFileThatIsRenamedReplacesTheOneOfThatName(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		write(t, d, "a", "first")
		write(t, d, "b", "second")
		old, err := d.Open("b")
		require.NoError(t, err)
		require.NoError(t, d.Rename("a", "b"))
		require.NoError(t, d.Rename("b", "b"))
		require.NoError(t, d.Sync())
		names, err := d.List()
		require.NoError(t, err)
		require.Equal(t, []string{"b"}, names)
		require.Equal(t, "first", read(t, d, "b"))
		p := make([]byte, 6)
		_, err = old.ReadAt(p, 0)
		require.NoError(t, err)
		require.Equal(t, "second", string(p), "who had it open still reads it")
		require.NoError(t, old.Close())
	})
}

func TestARemovedFileIsReadByWhoHasItOpen(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		write(t, d, "a", "text")
		f, err := d.Open("a")
		require.NoError(t, err)
		require.NoError(t, d.Remove("a"))
		_, err = d.Open("a")
		require.ErrorIs(t, err, fs.ErrNotExist)
		write(t, d, "a", "other")
		p := make([]byte, 4)
		_, err = f.ReadAt(p, 0)
		require.NoError(t, err)
		require.Equal(t, "text", string(p))
		require.NoError(t, f.Close())
	})
}

func TestNamesLeadNowhereElse(t *testing.T) {
	bad := []string{"", ".", "..", "../a", "a/b", `a\b`, "/a", ".hidden", "a:b", "a b", "ä", "a\x00", files.LockName, strings.Repeat("a", 201)}
	each(t, func(t *testing.T, d files.Dir) {
		write(t, d, "good", "")
		for _, name := range bad {
			_, err := d.Create(name)
			require.ErrorIs(t, err, files.ErrName, name)
			_, err = d.Open(name)
			require.ErrorIs(t, err, files.ErrName, name)
			require.ErrorIs(t, d.Remove(name), files.ErrName, name)
			require.ErrorIs(t, d.Rename(name, "x"), files.ErrName, name)
			require.ErrorIs(t, d.Rename("good", name), files.ErrName, name)
		}
		names, err := d.List()
		require.NoError(t, err)
		require.Equal(t, []string{"good"}, names)
	})
	require.NoError(t, files.CheckName(strings.Repeat("a", 200)))
	require.NoError(t, files.CheckName("Topology-00_1.log"))
}

func TestFilesAreReadWhileTheyAreWritten(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		f, err := d.Create("a")
		require.NoError(t, err)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				p := make([]byte, 8)
				for off := int64(0); off < 800; {
					n, err := f.ReadAt(p, off)
					if err != nil && !errors.Is(err, io.EOF) || n != 0 && string(p[:n]) != "12345678"[:n] {
						t.Errorf("read %q at %d: %v", p[:n], off, err)
						return
					}
					if n == len(p) {
						off += 8
					}
					if err := f.Sync(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 100 {
			_, err := f.Write([]byte("12345678"))
			require.NoError(t, err)
		}
		all.Wait()
		require.NoError(t, f.Close())
	})
}

func TestThereIsSpace(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		n, err := d.Free()
		require.NoError(t, err)
		require.Positive(t, n)
	})
}

func TestADirectoryIsMadeForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "c")
	d, err := files.Open(path)
	require.NoError(t, err)
	write(t, d, "file", "text")
	l, err := d.Lock()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for p, mode := range map[string]fs.FileMode{path: 0o700, filepath.Dir(path): 0o700, filepath.Join(path, "file"): 0o600, filepath.Join(path, files.LockName): 0o600} {
		info, err := os.Stat(p)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), p)
	}
	again, err := files.Open(path)
	require.NoError(t, err)
	require.Equal(t, "text", read(t, again, "file"))
}

func TestADirectoryStaysTheSameWhenTheHostGoesElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	d, err := files.Open("store")
	require.NoError(t, err)
	write(t, d, "a", "text")
	t.Chdir(t.TempDir())
	require.Equal(t, "text", read(t, d, "a"))
}

func TestAFileIsNoDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := files.Open(path)
	require.ErrorContains(t, err, path+": is a file, not a directory")
	_, err = files.Open(filepath.Join(path, "below"))
	require.Error(t, err)
}

func TestTheListHasWhatIsNotOurs(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "my thesis.txt"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(path, "folder"), 0o700))
	d, err := files.Open(path)
	require.NoError(t, err)
	names, err := d.List()
	require.NoError(t, err)
	require.Equal(t, []string{"folder", "my thesis.txt"}, names)
}

func TestADirectoryThatHasGoneIsAnErrorOfEachCall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	d, err := files.Open(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	_, err = d.Create("a")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = d.List()
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = d.Lock()
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = d.Free()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, d.Sync(), fs.ErrNotExist)
	require.ErrorIs(t, d.Rename("a", "b"), fs.ErrNotExist)
}
