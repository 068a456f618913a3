package ui_test

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren/management/internal/ui"
)

// handler is made once, because it packs all files.
var handler = sync.OnceValue(ui.Handler)

// ask sends a request and returns the response. Headers are names and values.
func ask(method, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = target
	r.RequestURI = "/some/prefix" + target
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler().ServeHTTP(w, r)
	return w.Result()
}

// files are the paths of all files that are served, as they lie in the directory.
func files(t *testing.T) []string {
	var all []string
	require.NoError(t, fs.WalkDir(os.DirFS("static"), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, "/"+name)
		}
		return err
	}))
	require.NotEmpty(t, all)
	return all
}

func read(t *testing.T, name string) string {
	text, err := os.ReadFile("static" + name)
	require.NoError(t, err)
	return string(text)
}

func TestFilesAreServedAsTheyAre(t *testing.T) {
	kinds := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	for _, name := range files(t) {
		resp := ask("GET", name)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode, name)
		require.Equal(t, read(t, name), string(body), name)
		require.Equal(t, kinds[path.Ext(name)], resp.Header.Get("Content-Type"), name)
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", resp.Header.Get("Referrer-Policy"))
		csp := resp.Header.Get("Content-Security-Policy")
		require.Contains(t, csp, "default-src 'none'; script-src 'self'; style-src 'self'; ")
		require.Contains(t, csp, "frame-ancestors 'none'")
		require.NotContains(t, csp, "unsafe")
	}
	index, err := io.ReadAll(ask("GET", "/").Body)
	require.NoError(t, err)
	require.Equal(t, read(t, "/index.html"), string(index))
}

func TestUnchangedFilesAreNotSentAgain(t *testing.T) {
	tag := ask("GET", "/js/main.js").Header.Get("ETag")
	require.Regexp(t, `^"[0-9a-f]{24}"$`, tag)
	require.Equal(t, 304, ask("GET", "/js/main.js", "If-None-Match", tag).StatusCode)
	require.Equal(t, 200, ask("GET", "/js/api.js", "If-None-Match", tag).StatusCode)
}

func TestFilesAreSentByGzipToThoseWhoTakeIt(t *testing.T) {
	resp := ask("GET", "/css/parts.css", "Accept-Encoding", "br, gzip")
	require.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", resp.Header.Get("Vary"))
	packed, err := gzip.NewReader(resp.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(packed)
	require.NoError(t, err)
	require.Equal(t, read(t, "/css/parts.css"), string(body))

	plain := ask("GET", "/css/parts.css", "Accept-Encoding", "gzip;q=0")
	require.Empty(t, plain.Header.Get("Content-Encoding"))
	require.NotEqual(t, resp.Header.Get("ETag"), plain.Header.Get("ETag"))
}

func TestWhatIsNotThere(t *testing.T) {
	for _, name := range []string{"/none", "/js", "/js/", "/../ui.go", "/static/index.html", "/js/../index.html", "//index.html"} {
		require.Equal(t, 404, ask("GET", name).StatusCode, name)
	}
	resp := ask("POST", "/")
	require.Equal(t, 405, resp.StatusCode)
	require.Equal(t, "GET, HEAD", resp.Header.Get("Allow"))
	head := ask("HEAD", "/icon.svg")
	require.Equal(t, 200, head.StatusCode)
	require.Equal(t, "image/svg+xml", head.Header.Get("Content-Type"))
}

func TestPrefixWithoutSlashLeadsToThePages(t *testing.T) {
	resp := ask("GET", "")
	require.Equal(t, 301, resp.StatusCode)
	require.Equal(t, "./prefix/", resp.Header.Get("Location"))
}

// What the pages load, they load from their own files by relative names.
func TestPagesLoadOnlyTheirOwnFiles(t *testing.T) {
	loads := regexp.MustCompile(`(?:from|import) '([^']+)'|(?:src|href)="([^"]+)"`)
	known := files(t)
	loaded := map[string]bool{"/index.html": true}
	for _, name := range known {
		text := read(t, name)
		require.NotRegexp(t, `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`, text, name)
		require.NotRegexp(t, `https?://`, strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), name)
		for _, m := range loads.FindAllStringSubmatch(text, -1) {
			target := m[1] + m[2]
			if strings.HasPrefix(target, "#") {
				continue
			}
			require.False(t, strings.HasPrefix(target, "/"), "%s loads %s", name, target)
			full := path.Join(path.Dir(name), target)
			require.Contains(t, known, full, "%s loads %s", name, target)
			loaded[full] = true
		}
	}
	for _, name := range known {
		require.True(t, loaded[name], "nothing loads %s", name)
	}
}

func TestPagesAreSmall(t *testing.T) {
	var sent int64
	for _, name := range files(t) {
		require.LessOrEqual(t, strings.Count(read(t, name), "\n"), 400, name)
		n, err := io.Copy(io.Discard, ask("GET", name, "Accept-Encoding", "gzip").Body)
		require.NoError(t, err)
		sent += n
	}
	require.Less(t, sent, int64(100<<10), "bytes that a browser gets")
}
