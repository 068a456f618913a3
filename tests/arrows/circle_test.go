package arrows_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mostInCircle is how many files of the root package may use each other in a circle: the
// types that know each other, and what cannot be told apart from them. The others use
// these, or are used by them, but not both.
const mostInCircle = 25

func TestFewFilesOfTheRootPackageUseEachOther(t *testing.T) {
	circle := largestCircle(filesUsed(t))
	require.LessOrEqual(t, len(circle), mostInCircle, "the circle has %v", circle)
	require.Contains(t, circle, "broker.go")
	require.NotContains(t, circle, "open.go", "who opens no broker is linked without a store")
}

func TestTheLargestCircleIsFound(t *testing.T) {
	require.Equal(t, []string{"b", "c", "d"}, largestCircle(map[string]map[string]bool{
		"a": {"b": true}, "b": {"c": true}, "c": {"d": true, "e": true}, "d": {"b": true}, "e": {"f": true}, "f": {"e": true},
	}))
}

// filesUsed returns for each file of the root package those in which something is declared
// that it uses.
func filesUsed(t *testing.T) map[string]map[string]bool {
	t.Helper()
	compiled := make(map[string]string)
	for _, line := range list(t, "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", module) {
		path, file, _ := strings.Cut(line, " ")
		compiled[path] = file
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, line := range list(t, "-f", "{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}", module) {
		if line != "" {
			f, err := parser.ParseFile(fset, line, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, f)
		}
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if compiled[path] == "" {
			return nil, fmt.Errorf("the package does not import %s", path)
		}
		return os.Open(compiled[path])
	})}
	info := types.Info{Uses: make(map[*ast.Ident]types.Object)}
	root, err := config.Check(module, fset, files, &info)
	require.NoError(t, err)
	fileOf := func(at token.Pos) string { return filepath.Base(fset.Position(at).Filename) }
	used := make(map[string]map[string]bool)
	for _, f := range files {
		used[fileOf(f.Pos())] = make(map[string]bool)
	}
	for id, o := range info.Uses {
		if o.Pkg() == root && fileOf(o.Pos()) != fileOf(id.Pos()) {
			used[fileOf(id.Pos())][fileOf(o.Pos())] = true
		}
	}
	return used
}

// largestCircle returns the largest set of names that all lead to each other, by Tarjan's
// algorithm.
func largestCircle(edges map[string]map[string]bool) (largest []string) {
	number, low := make(map[string]int), make(map[string]int)
	var stack []string
	var visit func(from string)
	visit = func(from string) {
		number[from] = len(number) + 1
		low[from] = number[from]
		stack = append(stack, from)
		for _, to := range slices.Sorted(maps.Keys(edges[from])) {
			if number[to] == 0 {
				visit(to)
			}
			if slices.Contains(stack, to) {
				low[from] = min(low[from], low[to])
			}
		}
		if low[from] == number[from] {
			i := slices.Index(stack, from)
			if circle := slices.Clone(stack[i:]); len(circle) > len(largest) {
				largest = circle
			}
			stack = stack[:i]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(edges)) {
		if number[name] == 0 {
			visit(name)
		}
	}
	slices.Sort(largest)
	return largest
}
