package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const guide = "../../docs/testing.md"

// notHere is code of a library that this module does not have.
const notHere = "rabbitmq.NewConn("

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// plain is code without indentation and alignment, a line for each.
func plain(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return b.String()
}

// after is what a diff leaves.
func after(diff string) string {
	var b strings.Builder
	for line := range strings.Lines(diff) {
		if !strings.HasPrefix(line, "-") {
			b.WriteString(line[1:])
		}
	}
	return b.String()
}

// The guide's code is taken from the programs of this module, line by line.
func TestGuideShowsTheExamples(t *testing.T) {
	var programs []string
	require.NoError(t, filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".go") {
			programs = append(programs, "\n"+plain(read(t, name)))
		}
		return err
	}))
	blocks := regexp.MustCompile("(?ms)^```(go|diff)\n(.*?)^```$").FindAllStringSubmatch(read(t, guide), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		code := block[2]
		if block[1] == "diff" {
			code = after(code)
		}
		if strings.Contains(code, notHere) {
			continue
		}
		found := false
		for _, p := range programs {
			found = found || strings.Contains(p, "\n"+plain(code))
		}
		require.True(t, found, "%s shows code that no example has:\n%s", guide, code)
	}
}

// The guide's table has all actions, and the guide names all methods of Broker.
func TestGuideNamesEveryFault(t *testing.T) {
	text := read(t, guide)
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	action := regexp.MustCompile(`(?m)^func ([A-Z]\w*)\(.*\) Action \{`)
	method := regexp.MustCompile(`(?m)^func \(b \*Broker\) ([A-Z]\w*)\(`)
	actions := 0
	for _, file := range files {
		program := read(t, file)
		for _, m := range action.FindAllStringSubmatch(program, -1) {
			require.True(t, regexp.MustCompile("(?m)^\\|.*`"+m[1]+`\(`).MatchString(text), "the table has no %s", m[1])
			actions++
		}
		for _, m := range method.FindAllStringSubmatch(program, -1) {
			require.True(t, regexp.MustCompile(`\b`+m[1]+`\b`).MatchString(text), "the guide does not name %s", m[1])
		}
	}
	require.NotZero(t, actions)
}
