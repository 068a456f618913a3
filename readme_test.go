package warren_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// readmeSection is the text under a heading of the README.
func readmeSection(t *testing.T, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(readFile(t, "README.md"), "\n## "+heading+"\n")
	require.True(t, ok, "the README has a section %s", heading)
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// tableRows are the rows of the tables in a text, without their headings.
func tableRows(text string) (rows [][]string) {
	inTable := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case strings.HasPrefix(line, "|---"):
			inTable = true
		case inTable:
			rows = append(rows, strings.Split(strings.Trim(line, "|"), "|"))
		}
	}
	return rows
}

// declaredNames are the names declared at the top level of the Go files that
// match, methods left out.
func declaredNames(t *testing.T, pattern string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	names := make(map[string]bool)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names[spec.Name.Name] = true
					case *ast.ValueSpec:
						for _, id := range spec.Names {
							names[id.Name] = true
						}
					}
				}
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}

func TestReadmeBeginsWithTheHelloExample(t *testing.T) {
	_, rest, ok := strings.Cut(readFile(t, "README.md"), "```go\n")
	require.True(t, ok)
	snippet, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	require.Equal(t, readFile(t, "examples/hello/main.go"), snippet)
}

func TestReadmeCompatibilityRowsNameTestsThatExist(t *testing.T) {
	declared := declaredNames(t, "*_test.go")
	for _, folder := range []string{"amqp", "tests/*"} {
		maps.Copy(declared, declaredNames(t, folder+"/*_test.go"))
	}
	name := regexp.MustCompile("`((?:Test|Fuzz|Example)\\w+)`")
	rows := tableRows(readmeSection(t, "Compatibility"))
	require.NotEmpty(t, rows)
	for _, row := range rows {
		require.Len(t, row, 4, "row %q", row)
		tests := name.FindAllStringSubmatch(row[3], -1)
		require.NotEmpty(t, tests, "the row%sneeds a test", row[0])
		for _, test := range tests {
			require.True(t, declared[test[1]], "%s, named in the row%s, does not exist", test[1], row[0])
		}
	}
}

func TestReadmeListsEveryExample(t *testing.T) {
	mains, err := filepath.Glob("examples/*/main.go")
	require.NoError(t, err)
	var want, have []string
	for _, main := range mains {
		want = append(want, " `go run ./"+filepath.ToSlash(filepath.Dir(main))+"` ")
		require.True(t, strings.HasPrefix(readFile(t, main), "// "), "%s begins with what it shows", main)
	}
	for _, row := range tableRows(readmeSection(t, "Examples")) {
		have = append(have, row[0])
	}
	require.ElementsMatch(t, want, have)
}

func TestReadmeGivesAReasonForEveryDependency(t *testing.T) {
	var want, have []string
	for line := range strings.Lines(readFile(t, "go.mod")) {
		module, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "require "), " v")
		if ok && !strings.Contains(line, "// indirect") {
			want = append(want, strings.TrimPrefix(strings.TrimSpace(module), "github.com/"))
		}
	}
	for _, row := range tableRows(readmeSection(t, "Dependencies")) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(row[0]), "["), "]")
		have = append(have, name)
	}
	require.ElementsMatch(t, want, have)
}

func TestDocumentsUseNamesThatExist(t *testing.T) {
	declared := declaredNames(t, "*.go")
	name := regexp.MustCompile(`\bwarren\.([A-Z]\w*)`)
	for _, file := range []string{"README.md", "doc.go", "CONTRIBUTING.md", "CHANGELOG.md"} {
		for _, use := range name.FindAllStringSubmatch(readFile(t, file), -1) {
			require.True(t, declared[use[1]], "%s uses %s", file, use[0])
		}
	}
}

func TestContributingMapsEveryFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var want, have []string
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			want = append(want, file)
		}
	}
	for _, row := range tableRows(readFile(t, "CONTRIBUTING.md")) {
		have = append(have, strings.Trim(row[0], " `"))
	}
	require.ElementsMatch(t, want, have)
}
