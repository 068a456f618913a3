package management

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/warrenmq/warren"
)

func definitionRoutes() []route {
	return []route{
		{path: "definitions", access: administrators, get: (*call).exportDefinitions, post: (*call).importDefinitions},
		{path: "definitions/upload", access: administrators, post: (*call).importDefinitions},
		{path: "definitions/{vhost}", access: administrators, get: (*call).exportVHost, post: (*call).importVHost},
		{path: "definitions/{vhost}/upload", access: administrators, post: (*call).importVHost},
	}
}

// maxDefinitions is what DefinitionsImport takes.
const maxDefinitions = 64 << 20

func (c *call) exportDefinitions() error {
	return c.export(c.broker.DefinitionsExport, func(f *fields) {
		if f.beginList("global_parameters") {
			for _, g := range c.notes.all() {
				if g.name != clusterIDParameter { // which is of this broker alone
					f.open()
					writeGlobal(f, &g)
					f.close()
				}
			}
			f.endList()
		}
	})
}

func (c *call) exportVHost() error {
	v, err := c.vhost(c.names[0])
	if errors.Is(err, errNotFound) {
		return badRequest("vhost_not_found")
	}
	if err != nil {
		return err
	}
	return c.export(v.DefinitionsExport, func(*fields) {})
}

// export answers with a file of definitions. Before what the broker writes come members
// that other brokers and tools look for.
func (c *call) export(write func(io.Writer) error, more func(*fields)) error {
	f := &fields{}
	f.open()
	f.str("rabbit_version", apiVersion)
	f.str("rabbitmq_version", apiVersion)
	f.str("product_version", productVersion())
	f.str("rabbitmq_definition_format", "cluster")
	more(f)
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	_, rest, ok := bytes.Cut(text.Bytes(), []byte("{"))
	if !ok {
		return errors.New("the definitions are no object")
	}
	if name := c.query.Get("download"); name != "" {
		c.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}
	header := c.w.Header()
	header.Set("Content-Type", "application/json")
	if c.r.Method == http.MethodHead {
		return nil
	}
	out := bufio.NewWriter(c.w)
	_, _ = out.Write(append(f.out, ','))
	_, _ = out.Write(rest)
	_ = out.Flush() // the client may have gone
	return nil
}

func (c *call) importDefinitions() error { return c.importFrom(c.broker.DefinitionsImport) }

func (c *call) importVHost() error {
	v, err := c.vhostToChange(c.names[0])
	if err != nil {
		return err
	}
	return c.importFrom(v.DefinitionsImport)
}

// importFrom imports the body, or the file in a form.
func (c *call) importFrom(read func(io.Reader) error) error {
	text, redirect, err := c.upload()
	if err != nil {
		return err
	}
	if depthOf(text) > maxDepth {
		return badRequest("the JSON is nested more than %d deep", maxDepth)
	}
	if !json.Valid(text) || bytes.TrimSpace(text)[0] != '{' {
		return badRequest("failed_to_parse_json")
	}
	err = read(bytes.NewReader(text))
	if err == nil && len(c.names) == 0 {
		err = c.importGlobals(text)
	}
	if err != nil {
		return importError(err)
	}
	if redirect != "" {
		c.w.Header().Set("Location", redirect)
		return c.status(http.StatusSeeOther)
	}
	return c.status(http.StatusNoContent)
}

// importGlobals sets the global parameters of a file, which the broker has no use for.
func (c *call) importGlobals(text []byte) error {
	var file struct {
		Globals []struct {
			Name  string `json:"name"`
			Value any    `json:"value"`
		} `json:"global_parameters"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return badRequest("failed_to_parse_json: %s", err)
	}
	for _, g := range file.Globals {
		if g.Name == clusterIDParameter {
			continue
		}
		if _, err := c.notes.set(g.Name, g.Value); err != nil {
			return err
		}
	}
	return nil
}

// maxProblems is how many problems of an import are told.
const maxProblems = 20

// importError tells what of the definitions could not be made. The rest was.
func importError(err error) error {
	if _, ok := errors.AsType[*warren.DefinitionError](err); !ok {
		if _, ok := errors.AsType[*apiError](err); ok || errors.Is(err, warren.ErrStorage) || errors.Is(err, warren.ErrClosed) {
			return err
		}
		return newError(http.StatusBadRequest, "bad_request", "failed_to_parse_json: "+strings.TrimPrefix(err.Error(), "warren: "))
	}
	lines := strings.Split(strings.ReplaceAll(err.Error(), "warren: ", ""), "\n")
	if n := len(lines) - maxProblems; n > 0 {
		lines = append(lines[:maxProblems], "and others")
	}
	return badRequest("not everything was imported: %s", strings.Join(lines, "; "))
}

// upload returns the definitions that were sent: as the body, or as the part "file" of a
// form, which may name where to go after.
func (c *call) upload() (text []byte, redirect string, err error) {
	kind, params, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		text, err = c.body(maxDefinitions)
		return text, "", err
	}
	form := multipart.NewReader(http.MaxBytesReader(c.w, c.r.Body, maxDefinitions+1<<20), params["boundary"])
	for parts := 0; ; parts++ {
		part, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil || parts > 100 {
			return nil, "", tooLargeOr(err, "the form is malformed")
		}
		switch part.FormName() {
		case "file":
			if text, err = io.ReadAll(part); err != nil {
				return nil, "", tooLargeOr(err, "the form ended early")
			}
		case "redirect":
			to, err := io.ReadAll(io.LimitReader(part, 2048))
			if err != nil {
				return nil, "", tooLargeOr(err, "the form ended early")
			}
			if redirect = string(to); !isOwnPath(redirect) {
				return nil, "", badRequest("the redirect leaves this site")
			}
		}
	}
	return text, redirect, nil
}

// isOwnPath reports whether a redirect stays on this site.
func isOwnPath(to string) bool {
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && !strings.HasPrefix(to, "//") && !strings.Contains(to, `\`)
}

// tooLargeOr is 413 for a body that is too large, and else a bad request.
func tooLargeOr(err error, text string) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newError(http.StatusRequestEntityTooLarge, "payload_too_large", "the body is too large")
	}
	return badRequest("%s", text)
}
