package management

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

// call is a request to the API that has found its route.
type call struct {
	*Handler
	w     http.ResponseWriter
	r     *http.Request
	user  user
	names []string // in the path
	query url.Values
}

func (h *Handler) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	secure(w.Header())
	if !h.origins.admit(w, r) {
		return
	}
	route, names := h.routes.find(path)
	if route == nil {
		h.fail(w, r, errNotFound)
		return
	}
	do, access := route.method(r.Method)
	if r.Method == http.MethodOptions || do == nil {
		w.Header().Set("Allow", route.allow())
		if r.Method != http.MethodOptions {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
		return
	}
	c := &call{Handler: h, w: w, r: r, names: names}
	err := c.admit(access)
	if err == nil {
		if c.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			err = badRequest("the query is malformed")
		} else {
			err = do(c)
		}
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// admit checks that the sender of the request may make it.
func (c *call) admit(a access) error {
	if a == openToAll {
		return nil
	}
	var err error
	if c.user, err = c.login(c.r); err != nil {
		return err
	}
	return c.user.may(a)
}

// secure sets headers that keep answers of the API out of pages.
func secure(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Origin")
}

// fail answers with an error.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := fromBroker(err)
	if e.asks && r.Header.Get("X-Warren-Ui") == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
	}
	if e.kind == "" {
		w.WriteHeader(e.status)
		return
	}
	f := &fields{}
	f.open()
	f.str("error", e.kind)
	f.str("reason", e.reason)
	f.close()
	send(w, r, e.status, f.out)
}

// A client has answerTime to read an answer of largeAnswer bytes or more, so that it does
// not hold them for ever.
const (
	largeAnswer = 1 << 20
	answerTime  = time.Minute
)

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if len(body) < largeAnswer {
		_, _ = w.Write(body) // the client may have gone
		return
	}
	deadline := http.NewResponseController(w) // its errors say that there are no deadlines here
	_ = deadline.SetWriteDeadline(time.Now().Add(answerTime))
	_, _ = w.Write(body)
	_ = deadline.SetWriteDeadline(time.Time{})
}

// json answers with a JSON text.
func (c *call) json(body []byte) error {
	send(c.w, c.r, http.StatusOK, body)
	return nil
}

// status answers without a body.
func (c *call) status(code int) error {
	c.w.WriteHeader(code)
	return nil
}

// made answers a PUT: 201 for what is new, 204 for what was there.
func (c *call) made(isNew bool) error {
	if isNew {
		return c.status(http.StatusCreated)
	}
	return c.status(http.StatusNoContent)
}

// buffer returns room for the JSON of n objects. More room is made when it is needed.
func (c *call) buffer(n int) []byte { return make([]byte, 0, min(1536*(n+1), 16<<20)) }

// maxDepth is how deep objects and lists may be nested in a body. Tables of AMQP may be
// 32 deep.
const maxDepth = 40

// body reads the body of the request, up to limit bytes.
func (c *call) body(limit int64) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, newError(http.StatusRequestEntityTooLarge, "payload_too_large", "the body has more than "+strconv.FormatInt(limit, 10)+" bytes")
	}
	if err != nil {
		return nil, badRequest("the body ended early")
	}
	return text, nil
}

// decode reads the body as a JSON object. An empty body is an empty object.
func (c *call) decode() (warren.Table, error) {
	text, err := c.body(c.options.MaxBody)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return warren.Table{}, nil
	}
	v, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return warren.Table{}, nil
	case warren.Table:
		return v, nil
	}
	return nil, errNotJSON
}

// needs fails unless the body has members of these names.
func needs(body warren.Table, names ...string) error {
	var missing []string
	for _, n := range names {
		if _, ok := body[n]; !ok {
			missing = append(missing, "{key_missing,"+n+"}")
		}
	}
	if missing == nil {
		return nil
	}
	text := strings.Join(missing, ",")
	if len(text) > 76 { // RabbitMQ breaks long lines
		text = strings.Join(missing, ",\n ")
	}
	return badRequest("[%s]", text)
}

// text reads a member that must be a text.
func text(body warren.Table, name string) (string, error) {
	s, ok := body[name].(string)
	if !ok {
		return "", badRequest("The property %s is not a text", name)
	}
	return s, nil
}

// texts reads members that must be texts.
func texts(body warren.Table, into map[string]*string) error {
	names := slices.Sorted(maps.Keys(into))
	if err := needs(body, names...); err != nil {
		return err
	}
	for _, n := range names {
		var err error
		if *into[n], err = text(body, n); err != nil {
			return err
		}
	}
	return nil
}

// whole reads a member that must be a whole number.
func whole(body warren.Table, name string, absent int) (int, error) {
	switch v := body[name].(type) {
	case nil:
		return absent, nil
	case int64:
		if v >= math.MinInt32 && v <= math.MaxInt32 {
			return int(v), nil
		}
	case string: // rabbitmqadmin sends numbers so
		if n, err := strconv.ParseInt(v, 10, 32); err == nil {
			return int(n), nil
		}
	}
	return 0, badRequest("The property %s is not a whole number", name)
}

// decodeJSON decodes a JSON text whose nesting is bounded. Whole numbers become int64.
func decodeJSON(text []byte) (any, error) {
	if depthOf(text) > maxDepth {
		return nil, badRequest("the JSON is nested more than %d deep", maxDepth)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errNotJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNotJSON
	}
	return plainNumbers(v), nil
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = plainNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = plainNumbers(e)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

// depthOf returns how deep objects and lists are nested in a JSON text.
func depthOf(text []byte) int {
	deepest, depth, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
