// Package ui has the pages of the management interface: plain files that a browser
// shows, without a build step, and a handler that serves them.
package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed static
var static embed.FS

// policy lets the pages load their own files and ask their own host, and nothing else.
// Scripts and styles within the HTML do not run, so a name that a client chose cannot
// become code.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// types has the content types of all files. The host's own table of types is not asked,
// because it differs from machine to machine.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

type file struct {
	body   []byte
	packed []byte // the body by gzip
	kind   string
	sum    string // of the body
}

// Handler returns a handler that serves the pages. They use relative URLs only, so it
// works under any prefix that was stripped from the request; the path "" is sent on to
// the one with a slash. It answers 404 for files that it does not have, and 405 for
// methods other than GET and HEAD.
func Handler() http.Handler {
	files := sync.OnceValue(load) // packing takes some milliseconds that only those pay who look
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(files(), w, r) })
}

// load reads the embedded files by their paths.
func load() map[string]file {
	files := make(map[string]file)
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		files[strings.TrimPrefix(name, "static")] = file{body, pack(body), types[path.Ext(name)], hex.EncodeToString(sum[:12])}
		return nil
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	files["/"] = files["/index.html"]
	return files
}

func pack(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(body) // a buffer takes all
	w.Close()
	return b.Bytes()
}

func serve(files map[string]file, w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "" {
		redirect(w, r)
		return
	}
	f, ok := files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache") // a browser asks whether its copy is still right
	h.Set("Vary", "Accept-Encoding")
	body, tag := f.body, f.sum
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body, tag = f.packed, tag+"-gzip"
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// takesGzip reports whether the client says that it takes gzip. A client that names a
// quality gets the plain body, which everyone takes.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(part) == "gzip" {
			return true
		}
	}
	return false
}

// redirect sends a browser from the prefix to the prefix with a slash: without it the
// pages' relative URLs would miss the last part of the prefix.
func redirect(w http.ResponseWriter, r *http.Request) {
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	w.Header().Set("Location", "./"+path.Base(asked)+"/")
	w.WriteHeader(http.StatusMovedPermanently)
}
