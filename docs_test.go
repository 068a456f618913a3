package warren_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

const (
	modulePath  = "github.com/warrenmq/warren"
	readmeLines = 200 // lines
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// readDocuments are what people read, by name.
func readDocuments(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	texts := make(map[string]string)
	for _, name := range append(names, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		texts[filepath.ToSlash(name)] = readFile(t, name)
	}
	return texts
}

// documentSection is the text under a heading.
func documentSection(t *testing.T, document, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(readFile(t, document), "\n## "+heading+"\n")
	require.True(t, ok, "%s has a section %s", document, heading)
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

// codeBlock is a block of code in a document.
type codeBlock struct {
	language string
	line     int // of its first line of code
	code     string
}

// codeBlocks splits a document into its blocks of code and the prose between.
func codeBlocks(text string) (fences []codeBlock, prose string) {
	var b strings.Builder
	var open *codeBlock
	number := 0
	for line := range strings.Lines(text) {
		number++
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &codeBlock{language: language, line: number + 1}
		case fence:
			fences = append(fences, *open)
			open = nil
		case open != nil:
			open.code += line
		default:
			b.WriteString(line)
		}
	}
	return fences, b.String()
}

// walkGoFiles calls f for the module's Go files.
func walkGoFiles(t *testing.T, f func(name string)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			f(filepath.ToSlash(name))
		}
		return nil
	}))
}

// exportedPackages imports packages from what the compiler has left of them.
var exportedPackages = sync.OnceValues(func() (types.Importer, error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}",
		".", "./amqp", "./management", "./warrentest", "./intercept", "./remote", "github.com/rabbitmq/amqp091-go").Output()
	if err != nil {
		return nil, err
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[name] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(name string) (io.ReadCloser, error) {
		if files[name] == "" {
			return nil, fmt.Errorf("the documents need no package %s", name)
		}
		return os.Open(files[name])
	}), nil
})

func importPackage(t *testing.T, name string) *types.Package {
	t.Helper()
	imports, err := exportedPackages()
	require.NoError(t, err)
	p, err := imports.Import(name)
	require.NoError(t, err)
	return p
}

// fragmentPreamble declares what the fragments in the documents take for granted.
const fragmentPreamble = `package fragment

import (
	"context"
	"crypto/tls"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/intercept"
	"github.com/warrenmq/warren/management"
	"github.com/warrenmq/warren/remote"
	"github.com/warrenmq/warren/warrentest"
)

type (
	Quote struct{ Article int }
	Price struct{ Cents int }
)

var (
	_ amqp091.Config
	_ http.Handler
	_ management.Options
	_ warrentest.Options
	_ intercept.RetryOptions
	_ remote.Options
	_ tls.Config
	_ = errors.Is
	_ = slog.Default
	_ time.Time
	_ iter.Seq[int]

	b           *warren.Broker
	v           *warren.VirtualHost
	ch          *warren.Channel
	requests    *warren.Consumer
	d           warren.Delivery
	msg         warren.Message
	srv         *amqp.Server
	ctx         context.Context
	file        *os.File
	err         error
	t           *testing.T
	certificate tls.Certificate
	urls        []string
	l           *remote.Linked

	work    func(body []byte)
	store   func(ctx context.Context, body []byte) error
	price   func(body []byte) []byte
	priceOf func(Quote) (Price, error)
)

`

// checkCode reports what is wrong with Go code of a document: a program, or a
// fragment of a function. What a fragment declares it need not use.
func checkCode(document string, f codeBlock, imports types.Importer) error {
	line := fmt.Sprintf("//line %s:%d\n", document, f.line)
	text := line + f.code
	program := regexp.MustCompile(`(?m)^package `).MatchString(f.code)
	if !program {
		text = fragmentPreamble + "func _() error {\n" + line + f.code + "\nreturn nil\n}\n"
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "fragment.go", text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var problems []error
	check := types.Config{Importer: imports, Error: func(err error) {
		var e types.Error
		if errors.As(err, &e) && !program && strings.HasPrefix(e.Msg, "declared and not used") {
			return
		}
		problems = append(problems, err)
	}}
	check.Check(file.Name.Name, set, []*ast.File{file}, nil)
	return errors.Join(problems...)
}

func TestGoCodeInDocumentsCompiles(t *testing.T) {
	imports, err := exportedPackages()
	require.NoError(t, err)
	checked := 0
	for name, text := range readDocuments(t) {
		if name == "docs/testing.md" {
			continue // a test in warrentest/examples compares its code with programs there
		}
		fences, _ := codeBlocks(text)
		for _, f := range fences {
			if f.language == "go" {
				require.NoError(t, checkCode(name, f, imports))
				checked++
			}
		}
	}
	require.NotZero(t, checked)
	require.ErrorContains(t, checkCode("X.md", codeBlock{line: 7, code: "err = nil\nb.Nonsense()\n"}, imports), "X.md:8")
}

// headingAnchors are the anchors of a document's headings, as GitHub makes them.
func headingAnchors(text string) map[string]bool {
	_, prose := codeBlocks(text)
	anchors := make(map[string]bool)
	for line := range strings.Lines(prose) {
		heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading))
		anchors[anchor] = true
	}
	return anchors
}

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]*)\)`)
	documents := readDocuments(t)
	linked := make(map[string]bool)
	for name, text := range documents {
		_, prose := codeBlocks(text)
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			require.FileExists(t, target, "%s links to %s", name, m[1])
			if anchor != "" {
				require.Contains(t, headingAnchors(readFile(t, target)), anchor, "%s links to %s", name, m[1])
			}
			if name == "README.md" {
				linked[target] = true
			}
		}
	}
	for name := range documents {
		require.True(t, name == "README.md" || linked[name], "the README links to %s", name)
	}
}

func TestDocumentsNameTestsThatExist(t *testing.T) {
	declared := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	walkGoFiles(t, func(name string) {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range function.FindAllStringSubmatch(readFile(t, name), -1) {
				declared[m[1]] = true
			}
		}
	})
	named := regexp.MustCompile("`((?:Test|Fuzz|Example)\\w+)`")
	for name, text := range readDocuments(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			require.True(t, declared[m[1]], "%s names %s, which does not exist", name, m[1])
		}
	}
	rows := tableRows(readFile(t, "docs/compatibility.md"))
	require.NotEmpty(t, rows)
	for _, row := range rows {
		require.Len(t, row, 4, "row %q", row)
		require.Regexp(t, named, row[3], "the row%sneeds a test", row[0])
	}
}

func TestDocumentsSayWhomTheyAreFor(t *testing.T) {
	for name, text := range readDocuments(t) {
		if strings.HasPrefix(name, "docs/") {
			require.Regexp(t, `^# .+\n\nFor those who `, text, name)
		}
	}
}

func TestReadmeIsShort(t *testing.T) {
	require.LessOrEqual(t, strings.Count(readFile(t, "README.md"), "\n"), readmeLines)
}

func TestReadmeBeginsWithTheHelloExample(t *testing.T) {
	fences, _ := codeBlocks(readFile(t, "README.md"))
	require.Equal(t, readFile(t, "examples/hello/main.go"), fences[0].code)
}

func TestReadmeListsEveryExample(t *testing.T) {
	mains, err := filepath.Glob("examples/*/main.go")
	require.NoError(t, err)
	var want, have []string
	for _, main := range mains {
		want = append(want, " `go run ./"+filepath.ToSlash(filepath.Dir(main))+"` ")
		require.True(t, strings.HasPrefix(readFile(t, main), "// "), "%s begins with what it shows", main)
	}
	for _, row := range tableRows(documentSection(t, "README.md", "Examples")) {
		have = append(have, row[0])
	}
	require.ElementsMatch(t, want, have)
}

func TestContributingGivesAReasonForEveryDependency(t *testing.T) {
	var want, have []string
	for line := range strings.Lines(readFile(t, "go.mod")) {
		module, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "require "), " v")
		if ok && !strings.Contains(line, "// indirect") {
			want = append(want, strings.TrimPrefix(strings.TrimSpace(module), "github.com/"))
		}
	}
	for _, row := range tableRows(documentSection(t, "CONTRIBUTING.md", "Dependencies")) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(row[0]), "["), "]")
		have = append(have, name)
	}
	require.ElementsMatch(t, want, have)
}

// Names are warren.Name, amqp.Name and management.Name anywhere, and `Type.Member`,
// whose type is in one of the three packages.
func TestDocumentsUseNamesThatExist(t *testing.T) {
	packages := map[string]*types.Scope{
		"warren": importPackage(t, modulePath).Scope(),
		"amqp":   importPackage(t, modulePath+"/amqp").Scope(),

		"management": importPackage(t, modulePath+"/management").Scope(),
	}
	qualified := regexp.MustCompile(`\b(warren|amqp|management)\.([A-Z]\w*)`)
	member := regexp.MustCompile("`\\*?([A-Z]\\w*)\\.([A-Z]\\w*)`")
	has := func(name, field string) bool {
		for _, scope := range packages {
			if object, ok := scope.Lookup(name).(*types.TypeName); ok {
				if f, _, _ := types.LookupFieldOrMethod(types.NewPointer(object.Type()), true, nil, field); f != nil {
					return true
				}
			}
		}
		return false
	}
	texts := readDocuments(t)
	texts["doc.go"], texts["amqp/doc.go"] = readFile(t, "doc.go"), readFile(t, "amqp/doc.go")
	for file, text := range texts {
		for _, use := range qualified.FindAllStringSubmatch(text, -1) {
			require.NotNil(t, packages[use[1]].Lookup(use[2]), "%s uses %s", file, use[0])
		}
		for _, use := range member.FindAllStringSubmatch(text, -1) {
			require.True(t, has(use[1], use[2]), "%s uses %s", file, use[0])
		}
	}
}

// Scripts, and folders of packages, that commands in the documents name.
func TestDocumentsNameFilesThatExist(t *testing.T) {
	named := regexp.MustCompile(`\bbash ([\w./-]+)|go \w+ [^\n]*?(\./[\w/-]*\w)`)
	for name, text := range readDocuments(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(m[1] + m[2])
			require.NoError(t, err, "%s says %s", name, m[0])
		}
	}
}

// goFolders are the folders with Go code, where those of examples, of clients
// and of tests' data count as one.
func goFolders(t *testing.T) []string {
	t.Helper()
	folders := make(map[string]bool)
	walkGoFiles(t, func(name string) {
		dir := path.Dir(name)
		if first, _, _ := strings.Cut(dir, "/"); first == "examples" || first == "interop" {
			dir = first
		}
		if strings.HasPrefix(dir, "warrentest/examples/") {
			dir = "warrentest/examples"
		}
		folders[dir] = true
	})
	delete(folders, ".")
	return slices.Collect(maps.Keys(folders))
}

func TestContributingMapsEveryFolder(t *testing.T) {
	house := documentSection(t, "CONTRIBUTING.md", "The rooms of the house")
	var mapped []string
	for _, row := range tableRows(house) {
		folder := strings.TrimSuffix(strings.Trim(row[0], " `"), "/")
		require.DirExists(t, folder)
		mapped = append(mapped, folder)
	}
	for _, folder := range goFolders(t) {
		require.Contains(t, mapped, folder)
	}
}
