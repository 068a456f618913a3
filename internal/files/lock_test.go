package files_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files"
)

// lockVariable names the directory that a child process is to lock.
const lockVariable = "FILES_TEST_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(lockVariable); path != "" {
		lockInChild(path)
		return
	}
	m.Run()
}

// lockInChild locks a directory, says how that went in a line and keeps the lock
// until its input ends.
func lockInChild(path string) {
	d, err := files.Open(path)
	if err == nil {
		_, err = d.Lock()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// child is another process that locks a directory, or tries to.
type child struct {
	*exec.Cmd
	input io.Closer
	line  string // that it said
}

func startChild(t *testing.T, path string) *child {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	c := &child{Cmd: exec.CommandContext(t.Context(), exe)}
	c.Env = append(os.Environ(), lockVariable+"="+path)
	c.input, err = c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	c.line, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return c
}

func TestALockKeepsOthersOutUntilItIsClosed(t *testing.T) {
	each(t, func(t *testing.T, d files.Dir) {
		before := time.Now().Add(-time.Second)
		first, err := d.Lock()
		require.NoError(t, err)
		_, err = d.Lock()
		var locked *files.LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, os.Getpid(), locked.PID)
		require.WithinRange(t, locked.Since, before, time.Now())
		require.ErrorContains(t, err, "in use by this process since ")
		names, err := d.List()
		require.NoError(t, err)
		require.Empty(t, names)

		require.NoError(t, first.Close())
		second, err := d.Lock()
		require.NoError(t, err)
		require.NoError(t, first.Close(), "again")
		_, err = d.Lock()
		require.ErrorAs(t, err, &locked, "the first one's second Close leaves the second one's lock alone")
		require.NoError(t, second.Close())
	})
}

func TestTwoPathsOfADirectoryHaveOneLock(t *testing.T) {
	path := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(path, link))
	d, err := files.Open(path)
	require.NoError(t, err)
	other, err := files.Open(link)
	require.NoError(t, err)
	l, err := d.Lock()
	require.NoError(t, err)
	_, err = other.Lock()
	var locked *files.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, link, locked.Path)
	require.NoError(t, l.Close())
}

func TestALockIsBetweenProcessesAndGoesWithItsProcess(t *testing.T) {
	path := t.TempDir()
	d, err := files.Open(path)
	require.NoError(t, err)
	before := time.Now().Add(-time.Second)
	c := startChild(t, path)
	require.Equal(t, "locked\n", c.line)

	_, err = d.Lock()
	var locked *files.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, path, locked.Path)
	require.Equal(t, c.Process.Pid, locked.PID)
	require.WithinRange(t, locked.Since, before, time.Now())
	require.EqualError(t, err, fmt.Sprintf("directory %s is in use by process %d since %s: close it there first, or open another directory",
		path, locked.PID, locked.Since.Format(time.RFC3339)))

	require.NoError(t, c.Process.Kill())
	require.Error(t, c.Wait())
	l, err := d.Lock()
	require.NoError(t, err)

	c = startChild(t, path)
	require.Contains(t, c.line, fmt.Sprintf("in use by process %d since ", os.Getpid()))
	require.NoError(t, c.Wait())

	require.NoError(t, l.Close())
	c = startChild(t, path)
	require.Equal(t, "locked\n", c.line)
	require.NoError(t, c.input.Close())
	require.NoError(t, c.Wait())
}

func TestALockIsTakenWhateverIsInItsFile(t *testing.T) {
	path := t.TempDir()
	d, err := files.Open(path)
	require.NoError(t, err)
	file := filepath.Join(path, files.LockName)
	for _, text := range []string{"", "nonsense", "-1 yesterday", "99999999999999999999 2026-01-01T00:00:00Z of much more than there is in it", string(make([]byte, 10_000))} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		l, err := d.Lock()
		require.NoError(t, err, text)
		var locked *files.LockedError
		_, err = d.Lock()
		require.ErrorAs(t, err, &locked, text)
		require.Equal(t, os.Getpid(), locked.PID, text)
		require.NotZero(t, locked.Since, text)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err = d.Lock()
		require.ErrorAs(t, err, &locked, text)
		require.Equal(t, files.LockedError{Path: path}, *locked, text)
		require.ErrorContains(t, err, "in use by another process: close it")
		require.NoError(t, l.Close())
	}
}

func TestAFolderInPlaceOfTheLockIsAnError(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(path, files.LockName), 0o700))
	d, err := files.Open(path)
	require.NoError(t, err)
	_, err = d.Lock()
	require.ErrorContains(t, err, "lock directory: ")
}
