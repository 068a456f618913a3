package warrentest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeT stands in for the testing.TB of a test that is to fail. It writes down what the
// test kit tells it, and Fatalf ends its goroutine. Run by run.
type fakeT struct {
	testing.TB // for what is not overridden
	ctx        context.Context

	mu sync.Mutex
	// Guarded by mu.
	fatal    string // the text of Fatal or Fatalf
	failed   bool
	errors   []string
	logs     []string
	cleanups []func()
}

// run runs f in a goroutine of its own, as a test runs, with its cleanups.
func run(t testing.TB, f func(t testing.TB)) *fakeT {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	fake := &fakeT{TB: t, ctx: ctx}
	fake.inside(func() { f(fake) })
	cancel()
	for {
		fake.mu.Lock()
		n := len(fake.cleanups)
		if n == 0 {
			fake.mu.Unlock()
			return fake
		}
		last := fake.cleanups[n-1]
		fake.cleanups = fake.cleanups[:n-1]
		fake.mu.Unlock()
		fake.inside(last)
	}
}

// failure runs f, which must end with Fatalf and report nothing else. It returns the text.
func failure(t testing.TB, f func(t testing.TB)) string {
	t.Helper()
	fake := run(t, f)
	require.Empty(t, fake.errors)
	require.NotEmpty(t, fake.fatal, "it does not fail")
	return fake.fatal
}

// inside runs f in a goroutine that may end before f does.
func (f *fakeT) inside(what func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		what()
	}()
	<-done
}

func (f *fakeT) Helper() {}

func (f *fakeT) Context() context.Context { return f.ctx }

func (f *fakeT) Cleanup(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleanups = append(f.cleanups, what)
}

func (f *fakeT) Fatalf(format string, args ...any) {
	f.mu.Lock()
	f.fatal, f.failed = fmt.Sprintf(format, args...), true
	f.mu.Unlock()
	runtime.Goexit()
}

func (f *fakeT) Fatal(args ...any) { f.Fatalf("%s", sprint(args)) }

func (f *fakeT) FailNow() { f.Fatalf("FailNow") }

func (f *fakeT) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors, f.failed = append(f.errors, fmt.Sprintf(format, args...)), true
}

func (f *fakeT) Error(args ...any) { f.Errorf("%s", sprint(args)) }

func (f *fakeT) Fail() { f.Errorf("Fail") }

func (f *fakeT) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *fakeT) Logf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logs = append(f.logs, fmt.Sprintf(format, args...))
}

func (f *fakeT) Log(args ...any) { f.Logf("%s", sprint(args)) }

func sprint(args []any) string { return strings.TrimSuffix(fmt.Sprintln(args...), "\n") }

// exampleT is the testing.TB of an example, which has none. It prints why a test fails,
// and then ends the example.
type exampleT struct {
	fakeT
}

// exampleFailed is what ends an example whose test has failed.
type exampleFailed struct{}

// example begins an example. A test has a t of its own in place of it.
func example() *exampleT { return &exampleT{fakeT{ctx: context.Background()}} }

// end ends the example, as a test's end does: it is deferred.
func (e *exampleT) end() {
	if r := recover(); r != nil && r != any(exampleFailed{}) {
		panic(r)
	}
	for len(e.cleanups) > 0 {
		n := len(e.cleanups)
		last := e.cleanups[n-1]
		e.cleanups = e.cleanups[:n-1]
		last()
	}
}

func (e *exampleT) Fatalf(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	e.failed = true
	panic(exampleFailed{})
}

func (e *exampleT) Fatal(args ...any) { e.Fatalf("%s", sprint(args)) }

func (e *exampleT) Errorf(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	e.failed = true
}
