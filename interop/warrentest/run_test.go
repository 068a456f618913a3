//go:build suites

package suites

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// most is the time that a suite may take; what hangs then tells where.
const most = 5 * time.Minute

// suite is a test suite of a module, and what must come of it.
type suite struct {
	module   string // with its version
	packages string
	env      []string
	flags    []string          // of go test
	replaced map[string]string // texts: addresses and waits
	busy     string            // what it says if a machine was too busy for it; then all are run once more
	skips    map[string]string // all tests that it skips, each with the reason
	passes   int               // tests and subtests
}

// run runs the suite of a copy of the module. All tests must pass but those that are
// listed, which must be skipped.
func (s suite) run(t *testing.T) {
	t.Helper()
	dir := s.copy(t)
	started := time.Now()
	r, err := s.test(t, dir)
	if err != nil && s.busy != "" && strings.Contains(r.failures(), s.busy) {
		t.Logf("all are run once more after: %v\n%s", err, r.failures())
		r, err = s.test(t, dir)
	}
	t.Logf("%s: %d tests passed in %v", s.module, r.passed, time.Since(started).Round(time.Second))
	if err != nil {
		t.Fatalf("%s: %v\n%s", s.module, err, r.failures())
	}
	for _, name := range r.skipped {
		t.Logf("left out: %s: %s", name, s.skips[name])
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(s.skips)), r.skipped, "the tests that were skipped")
	require.Equal(t, s.passes, r.passed, "the tests that passed")
}

// test runs go test.
func (s suite) test(t *testing.T, dir string) (*result, error) {
	t.Helper()
	args := []string{"test", "-json", "-count=1", "-timeout", most.String()}
	test := exec.CommandContext(t.Context(), "go", append(append(args, s.flags...), s.packages)...)
	test.Dir = dir
	test.Env = append(os.Environ(), s.env...)
	var stderr strings.Builder
	test.Stderr = &stderr
	stdout, err := test.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, test.Start())
	r, err := read(stdout)
	if err != nil { // it is no longer read, so it must not wait for that
		test.Process.Kill()
	}
	err = errors.Join(err, test.Wait())
	r.lines[""] = append(r.lines[""], stderr.String())
	return r, err
}

// copy copies the module, and replaces the texts, each of which must be there.
func (s suite) copy(t *testing.T) string {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", s.module)
	out, err := download.Output()
	require.NoError(t, err, "%s", out)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	dir := filepath.Join(t.TempDir(), "suite")
	require.NoError(t, os.CopyFS(dir, os.DirFS(module.Dir)))
	for old, text := range s.replaced {
		found := false
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			file, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(file, []byte(old)) {
				return err
			}
			found = true
			return os.WriteFile(path, bytes.ReplaceAll(file, []byte(old), []byte(text)), 0o666)
		}))
		require.True(t, found, "%s has no %s", s.module, old)
	}
	return dir
}

// result is what go test said. Of tests that are not over, or have failed, it has the
// last lines.
type result struct {
	passed  int
	skipped []string
	failed  []string
	lines   map[string][]string // by test; "" are those of none
}

// read reads what go test -json writes.
func read(in io.Reader) (*result, error) {
	r := &result{lines: make(map[string][]string)}
	for d := json.NewDecoder(in); ; {
		var event struct{ Action, Test, Output string }
		if err := d.Decode(&event); errors.Is(err, io.EOF) {
			return r, nil
		} else if err != nil {
			return r, err
		}
		r.add(event.Action, event.Test, event.Output)
	}
}

// add adds an event.
func (r *result) add(action, test, output string) {
	switch {
	case action == "output" || action == "build-output":
		lines := append(r.lines[test], output)
		r.lines[test] = lines[max(0, len(lines)-200):]
		return
	case test == "":
		return // a package
	case action == "pass":
		r.passed++
	case action == "skip":
		r.skipped = append(r.skipped, id.ReplaceAllString(test, ""))
	case action == "fail":
		r.failed = append(r.failed, test)
		return
	default:
		return
	}
	delete(r.lines, test)
}

// id is what makes a subtest's name another each time.
var id = regexp.MustCompile(`/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// failures shows the tests that failed, and those that were not over.
func (r *result) failures() string {
	var b strings.Builder
	for _, test := range r.failed {
		fmt.Fprintf(&b, "-- %s\n%s", test, strings.Join(r.lines[test], ""))
		delete(r.lines, test)
	}
	for _, test := range slices.Sorted(maps.Keys(r.lines)) {
		fmt.Fprintf(&b, "-- not over: %s\n%s", test, strings.Join(r.lines[test], ""))
	}
	return b.String()
}
