package warren_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/identity"
)

// smallStore is a directory of a closed broker with a few objects, and what the broker
// exports.
func smallStore(t testing.TB) (dir *filestest.Dir, export string) {
	t.Helper()
	dir = filestest.New()
	b := openFiles(t, dir, nil)
	_, err := b.VirtualHostDeclare("v")
	require.NoError(t, err)
	ch := channelOf(t, b, "v")
	_, err = ch.QueueDeclare("q", warren.QueueOptions{Durable: true, MaxLength: 5})
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind("q", "key", "amq.direct", nil))
	export = exportText(t, b)
	require.NoError(t, b.Close())
	return dir, export
}

func TestOpenMakesADirectoryOnTheRealDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	b, err := warren.Open(path, nil)
	require.NoError(t, err)
	ch := channelOf(t, b, "/")
	_, err = ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
	require.NoError(t, err)
	before := exportText(t, b)
	require.NoError(t, b.Close())
	b, err = warren.Open(path, nil)
	require.NoError(t, err)
	require.Equal(t, before, exportText(t, b))
	require.NoError(t, b.Close())
}

func TestADirectoryBelongsToOneBroker(t *testing.T) {
	path := t.TempDir()
	b, err := warren.Open(path, nil)
	require.NoError(t, err)
	_, err = warren.Open(path, nil)
	var locked *warren.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, os.Getpid(), locked.PID)
	require.Equal(t, path, locked.Dir)
	require.ErrorContains(t, err, fmt.Sprintf("directory %s is in use by this process since", path))
	require.NoError(t, b.Close())
	b, err = warren.Open(path, nil)
	require.NoError(t, err, "it is given up")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close(), "a second Close only waits")
}

func TestOpenRefusesWhatIsNoStore(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "notes.txt"), []byte("mine"), 0o600))
	_, err := warren.Open(path, nil)
	require.ErrorIs(t, err, warren.ErrNotStore)
	require.ErrorContains(t, err, "notes.txt")
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was made in it")

	_, err = warren.Open(filepath.Join(path, "notes.txt"), nil)
	require.ErrorContains(t, err, "is a file, not a directory")

	dir := filestest.New()
	dir.Put("notes.txt", nil)
	_, err = warren.OpenFiles(dir, &warren.Options{Salvage: true})
	require.ErrorIs(t, err, warren.ErrNotStore, "Salvage makes no store of it")
	require.Zero(t, dir.Ops())
}

func TestOpenRefusesANewerFormat(t *testing.T) {
	dir, _ := smallStore(t)
	dir.Put(identity.Name, []byte("Warren store\nformat 2\nsomething new\n"))
	_, err := warren.OpenFiles(dir, &warren.Options{Salvage: true})
	var newer *warren.FormatError
	require.ErrorAs(t, err, &newer)
	require.Equal(t, warren.FormatError{Dir: "a test's directory", Format: 2, Known: 1}, *newer)
	lock, err := dir.Lock()
	require.NoError(t, err, "the directory is given up")
	require.NoError(t, lock.Close())
}

func TestOpenRefusesUnknownOptions(t *testing.T) {
	dir := filestest.New()
	_, err := warren.OpenFiles(dir, &warren.Options{Sync: 3})
	require.ErrorContains(t, err, "Options.Sync is 3")
	require.Zero(t, dir.Ops())
}

func TestOpenNeedsADirectoryThatCanBeWritten(t *testing.T) {
	dir := filestest.New()
	dir.Before(func(filestest.Op) error { return fs.ErrPermission })
	_, err := warren.OpenFiles(dir, nil)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "open a test's directory")
}

// TestOpenOutlivesAnyFailure lets each operation of Open and Close fail, once: then
// nothing is lost, and the next Open finds all.
func TestOpenOutlivesAnyFailure(t *testing.T) {
	full, export := smallStore(t)
	for _, c := range []struct {
		dir  *filestest.Dir
		want string
	}{{filestest.New(), ""}, {full, export}} {
		for n := 1; ; n++ {
			dir := c.dir.Clone()
			dir.FailAt(n, errors.New("bad luck"))
			b, err := warren.OpenFiles(dir, nil)
			if err != nil {
				require.ErrorContains(t, err, "bad luck")
			} else {
				b.Close()
			}
			if dir.Ops() < n {
				break
			}
			dir.Heal()
			if b, err = warren.OpenFiles(dir, nil); err == nil {
				require.Equal(t, c.want == "", c.want != exportText(t, b))
				err = b.Close()
			}
			require.NoError(t, err, "operation %d had failed", n)
		}
	}
}

// TestEachFlippedBitIsDetected flips the bits of a small store, one at a time: Open says
// which file is damaged, and with Salvage it opens all the same.
func TestEachFlippedBitIsDetected(t *testing.T) {
	dir, _ := smallStore(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, name := range dir.Names() {
		bits := 8 * len(dir.Bytes(name))
		for bit := 0; bit < bits; bit += 1 + rnd.IntN(5) {
			bad := dir.Clone()
			require.NoError(t, bad.Flip(name, int64(bit)))
			_, err := warren.OpenFiles(bad, nil)
			var damaged *warren.DamagedError
			var newer *warren.FormatError
			if errors.As(err, &newer) {
				continue // the number of the format was hit
			}
			require.ErrorAs(t, err, &damaged, "bit %d of %s", bit, name)
			require.Equal(t, name, damaged.File)
			if rnd.IntN(20) == 0 {
				b, err := warren.OpenFiles(bad, &warren.Options{Salvage: true})
				if err == nil {
					require.NoError(t, b.Close())
				} else {
					require.ErrorAs(t, err, &damaged, "bit %d of %s", bit, name)
				}
			}
		}
	}
}

func TestADamagedIdentityIsSetAside(t *testing.T) {
	dir, export := smallStore(t)
	require.NoError(t, dir.Flip(identity.Name, 8*25+1))
	_, err := warren.OpenFiles(dir, nil)
	var damaged *warren.DamagedError
	require.ErrorAs(t, err, &damaged)
	require.Equal(t, int64(25), damaged.Offset)
	require.ErrorContains(t, err, "Options.Salvage")
	b := openFiles(t, dir, &warren.Options{Salvage: true})
	require.Equal(t, export, exportText(t, b))
	b = reopened(t, b, dir)
	require.Equal(t, export, exportText(t, b))
	require.Contains(t, strings.Join(dir.Names(), " "), identity.Name+".bad")
}

// TestAPowerCutAtAnyOperationLosesNothing cuts the power before each operation of a
// session: what was answered before is there, whatever the disk has kept of the rest.
func TestAPowerCutAtAnyOperationLosesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for n := 1; ; n++ {
		dir := filestest.New()
		dir.CutAt(n)
		answered, asked := session(t, dir)
		if dir.Ops() < n {
			return
		}
		for range 6 {
			b := openFiles(t, dir.Image(rnd), nil)
			ch := channelOf(t, b, "/")
			for i := range asked {
				_, err := ch.QueueDeclarePassive(fmt.Sprint(i))
				if there := isThere(t, err); i < answered {
					require.True(t, there, "cut before operation %d, queue %d", n, i)
				}
			}
			require.NoError(t, b.Close())
		}
	}
}

// session opens a directory twice and declares queues, until the power is cut. It
// returns how many were answered and asked for.
func session(t testing.TB, dir *filestest.Dir) (answered, asked int) {
	for range 2 {
		b, err := warren.OpenFiles(dir, &warren.Options{CloseTimeout: 1})
		if err != nil {
			return answered, asked
		}
		ch := channelOf(t, b, "/")
		for range 4 {
			_, err := ch.QueueDeclare(fmt.Sprint(asked), warren.QueueOptions{Durable: true})
			asked++
			if err != nil {
				require.ErrorIs(t, err, warren.ErrStorage)
				b.Close()
				return answered, asked
			}
			answered++
		}
		if b.Close() != nil {
			return answered, asked
		}
	}
	return answered, asked
}
