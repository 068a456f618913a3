package warren_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPythonProgramsInDocumentsAreTried: a whole program, which begins with what it
// does, is one of interop, where it runs against a broker.
func TestPythonProgramsInDocumentsAreTried(t *testing.T) {
	names, err := filepath.Glob("interop/pika/*.py")
	require.NoError(t, err)
	programs := make([]string, 0, len(names))
	for _, name := range names {
		programs = append(programs, readFile(t, name))
	}
	found := 0
	for name, text := range readDocuments(t) {
		blocks, _ := codeBlocks(text)
		for _, b := range blocks {
			if b.language == "python" && strings.HasPrefix(b.code, `"""`) {
				found++
				require.True(t, slices.Contains(programs, b.code), "%s, line %d: no such program in interop/pika", name, b.line)
			}
		}
	}
	require.Positive(t, found)
}
