package metrics_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/metrics"
)

var write = flag.Bool("write", false, "write the list of metrics into the document")

const document = "../../docs/observability.md"

// metricsTable is the list of all metrics, in Markdown.
func metricsTable(t *testing.T) string {
	t.Helper()
	b, err := warren.Open(t.TempDir(), nil) // which has what a broker without a directory has, and more
	require.NoError(t, err)
	defer b.Close()
	s := metrics.NewSource(b, metrics.Options{ID: "id"})
	rows := make(map[string]string)
	add := func(where string, families []metrics.Family) {
		for _, f := range families {
			key := f.Name + strings.Join(f.Labels, ",")
			if rows[key] != "" {
				continue
			}
			labels := strings.Join(f.Labels, ", ")
			if f.Name == "rabbitmq_identity_info" {
				where = "all"
			}
			rows[key] = fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", f.Name, f.Kind, labels, where, f.Help)
		}
	}
	overall, perObject := s.Overall(), s.PerObject()
	objects := make(map[string]bool)
	for _, f := range perObject {
		objects[f.Name+strings.Join(f.Labels, ",")] = true
	}
	for _, f := range overall {
		if objects[f.Name+strings.Join(f.Labels, ",")] {
			add("both", []metrics.Family{f})
		} else {
			add("whole", []metrics.Family{f})
		}
	}
	add("objects", perObject)
	var onRequest []metrics.Family
	for _, f := range s.Detailed(metrics.Groups(), nil) {
		if strings.HasPrefix(f.Name, "rabbitmq_cluster_") {
			onRequest = append(onRequest, f)
		}
	}
	add("detailed", onRequest)
	list := make([]string, 0, len(rows))
	for _, row := range rows {
		list = append(list, row)
	}
	slices.SortFunc(list, func(x, y string) int { return cmp.Compare(strings.ToLower(x), strings.ToLower(y)) })
	return "| metric | kind | labels | where | what it is |\n|---|---|---|---|---|\n" + strings.Join(list, "")
}

func TestDocumentListsAllMetrics(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), "<!-- metrics -->\n")
	require.True(t, ok)
	have, after, ok := strings.Cut(rest, "<!-- end -->")
	require.True(t, ok)
	want := metricsTable(t)
	if *write {
		require.NoError(t, os.WriteFile(document, []byte(before+"<!-- metrics -->\n"+want+"<!-- end -->"+after), 0o644))
		return
	}
	require.Equal(t, want, have, "go test ./internal/metrics -run Document -write writes it")
}

func TestDocumentNamesMetricsAndGroupsThatExist(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	before, table, _ := strings.Cut(string(text), "<!-- metrics -->\n")
	for _, part := range strings.FieldsFunc(before, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if (strings.HasPrefix(part, "rabbitmq_") || strings.HasPrefix(part, "warren_")) && !strings.HasSuffix(part, "_") {
			require.Contains(t, table, "| `"+part+"` |")
		}
	}
	for _, group := range metrics.Groups() {
		require.Contains(t, before, "`"+group+"`")
	}
}
