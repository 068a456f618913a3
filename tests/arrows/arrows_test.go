// Package arrows_test watches which package imports which: downwards only.
package arrows_test

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/warrenmq/warren"

// house says what each package may import of this module. What is not here, such
// as examples and helpers of tests, may import everything.
var house = map[string]string{
	"amqp": ". internal/flow internal/like internal/link internal/memconn internal/wire",
	".": "internal/argument internal/clock internal/confirm internal/definitions internal/delay internal/duplicates internal/files internal/flow internal/histogram internal/identity internal/journal " +
		"internal/like internal/link internal/mailbox internal/memory internal/message internal/names internal/password internal/pattern internal/queue " +
		"internal/route internal/store internal/table internal/tasks internal/topology internal/unacked internal/wire",

	"intercept": ".",
	"remote":    ". internal/link internal/message internal/names internal/table internal/wire",

	"internal/route":    "internal/delay internal/duplicates internal/memory internal/message internal/queue internal/table",
	"internal/argument": "internal/duplicates internal/like internal/message internal/names internal/queue internal/table",
	"internal/queue":    "internal/clock internal/duplicates internal/flow internal/mailbox internal/memory internal/message internal/store internal/unacked",

	"internal/delay":      "internal/clock internal/memory internal/message internal/store internal/table internal/tasks",
	"internal/duplicates": "internal/clock internal/memory internal/message internal/table",
	"internal/mailbox":    "internal/message",
	"internal/message":    "internal/names internal/table internal/wire",

	"internal/store": "internal/clock internal/files internal/journal internal/message internal/wire",

	"internal/topology": "internal/files internal/journal internal/table internal/wire",
	"internal/identity": "internal/files",

	"management":             ". amqp internal/metrics management/internal/ui",
	"management/internal/ui": "",
	"internal/metrics":       ". amqp",

	"internal/definitions": "internal/names internal/table internal/wire",
	"internal/password":    "internal/names",
	"internal/link":        "internal/flow internal/like internal/memory internal/message internal/wire",
	"internal/table":       "internal/wire",
	"internal/names":       "internal/wire",
	"internal/wire":        "",

	"internal/files/filestest": "internal/files",
	"internal/journal":         "internal/files",

	"internal/clock": "", "internal/confirm": "", "internal/files": "", "internal/flow": "", "internal/histogram": "", "internal/like": "", "internal/memory": "", "internal/memconn": "", "internal/pattern": "", "internal/tasks": "", "internal/unacked": "",
}

// list runs go list for packages of the module and gives its lines. It looks at
// the module's folders, so that the result of a test is not taken from the cache
// when a file has changed: what go list reads, the cache does not know.
func list(t *testing.T, args ...string) []string {
	t.Helper()
	require.NoError(t, filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		return err
	}))
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// inModule is a package's folder in the module; ok is false for other packages.
func inModule(pkg string) (folder string, ok bool) {
	if pkg == module {
		return ".", true
	}
	return strings.CutPrefix(pkg, module+"/")
}

func TestPackagesImportDownwardsOnly(t *testing.T) {
	seen := 0
	for _, line := range list(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		pkg, imports, _ := strings.Cut(line, " ")
		folder, _ := inModule(pkg)
		allowed, ok := house[folder]
		if !ok {
			require.False(t, strings.HasPrefix(folder, "internal/") && folder != "internal/brokertest", "%s has no place in the house", folder)
			continue
		}
		seen++
		for _, i := range strings.Fields(imports) {
			if other, ok := inModule(i); ok {
				require.Contains(t, strings.Fields(allowed), other, "what %s imports", folder)
			}
		}
	}
	require.Equal(t, len(house), seen, "each package of the house is there")
}

// TestArrowsNeverLeadBack looks at all that a package needs, at any distance.
func TestArrowsNeverLeadBack(t *testing.T) {
	layers := []string{"internal/wire", "internal/message", "internal/queue", "internal/route internal/argument", ".", "amqp"}
	for i, layer := range layers {
		above := strings.Fields(strings.Join(layers[i:], " "))
		for _, folder := range strings.Fields(layer) {
			for _, pkg := range list(t, "-deps", "./"+folder) {
				other, ok := inModule(pkg)
				require.False(t, ok && other != folder && slices.Contains(above, other), "%s needs %s", folder, other)
			}
		}
	}
}

// TestOneNeedsAClientOfAMQP: who does not import package remote does not link amqp091-go.
func TestOneNeedsAClientOfAMQP(t *testing.T) {
	const client = "github.com/rabbitmq/amqp091-go"
	others := []string{"-deps"}
	for folder := range house {
		if folder != "remote" {
			others = append(others, "./"+folder)
		}
	}
	require.NotContains(t, list(t, others...), client)
	require.Contains(t, list(t, "-deps", "./remote"), client)
	require.Equal(t, []string{"github.com/google/uuid"}, slices.DeleteFunc(
		list(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "."),
		func(pkg string) bool { _, ok := inModule(pkg); return ok },
	))
}

func TestTheCodecNeedsTheStandardLibraryAlone(t *testing.T) {
	require.Equal(t, []string{module + "/internal/wire"}, list(t, "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, "./internal/wire"))
}
