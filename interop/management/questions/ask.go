package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// patience is for what must come; RabbitMQ's statistics are a second late or more.
const patience = 8 * time.Second

// asker asks a broker things and writes down what it says.
type asker struct {
	base, amqp string // URLs
	out        io.Writer
	node       string
	names      map[string]string // names that differ from run to run, and how they are written down
}

// answer is what a broker says.
type answer struct {
	status int
	header http.Header
	text   []byte
	value  any // of JSON; nil otherwise
}

// request is a question with what options add to it.
type request struct {
	user, note string
	body       []byte
	header     http.Header
	fields     bool
	within     string // the place whose fields are wanted
	quiet      bool
}

type option func(*request)

// as asks as another user than guest, whose password is the name.
func as(user string) option { return func(r *request) { r.user = user } }

// with sends a body: a text as it is, and anything else as JSON.
func with(body any) option {
	return func(r *request) {
		switch body := body.(type) {
		case string:
			r.body = []byte(body)
		default:
			r.body, _ = json.Marshal(body) // tables of plain values
		}
		r.note += " " + stable(string(r.body), 200)
	}
}

// header sends a header.
func header(name, value string) option {
	return func(r *request) {
		r.header.Set(name, value)
		r.note += fmt.Sprintf(" [%s: %s]", name, value)
	}
}

// fields writes down the fields of the answer and their types.
func fields(r *request) { r.fields = true }

// fieldsOf writes down those at a place only.
func fieldsOf(place string) option {
	return func(r *request) { r.fields, r.within = true, " "+place }
}

// quiet writes nothing down.
func quiet(r *request) { r.quiet = true }

func (a *asker) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for name, placeholder := range a.names {
		text = strings.ReplaceAll(text, name, placeholder)
	}
	fmt.Fprintln(a.out, text)
}

// ask asks one thing: the path is below /api/.
func (a *asker) ask(method, path string, options ...option) answer {
	r := &request{user: "guest", header: http.Header{}}
	for _, o := range options {
		o(r)
	}
	got := a.send(method, "/api/"+path, r)
	if r.quiet {
		return got
	}
	who := ""
	if r.user != "guest" {
		who = r.user + " "
	}
	a.say("%s%s %s%s: %s", who, method, path, r.note, got)
	if r.fields {
		for _, line := range shape(got.value) {
			if strings.HasPrefix(line, r.within) {
				a.say("%s%s %s%s", who, method, path, line)
			}
		}
	}
	return got
}

func (a *asker) get(path string, options ...option) answer { return a.ask("GET", path, options...) }

func (a *asker) put(path string, body any, options ...option) answer {
	return a.ask("PUT", path, append(options, with(body))...)
}

func (a *asker) post(path string, body any, options ...option) answer {
	return a.ask("POST", path, append(options, with(body))...)
}

func (a *asker) delete(path string, options ...option) answer {
	return a.ask("DELETE", path, options...)
}

// await asks until an answer is as it should be.
func (a *asker) await(path string, ok func(answer) bool) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok(a.get(path, quiet)) {
			return
		}
	}
	a.say("awaited in vain: %s", path)
}

// send sends a request. Paths are taken as they are.
func (a *asker) send(method, path string, r *request) answer {
	req, err := http.NewRequest(method, a.base+path, bytes.NewReader(r.body))
	if err != nil {
		log.Fatal(err)
	}
	req.Header = r.header
	req.Close = method == http.MethodHead // RabbitMQ sends a body with some errors
	if r.user != "" && r.header.Get("Authorization") == "" {
		name, password, ok := strings.Cut(r.user, ":")
		if !ok {
			password = name
		}
		req.SetBasicAuth(name, password)
	}
	if len(r.body) > 0 && r.header.Get("Content-Type") == "" {
		r.header.Set("Content-Type", "application/json")
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	got := answer{status: resp.StatusCode, header: resp.Header, text: text}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		_ = decoder.Decode(&got.value) // what is no JSON shows as text
		if list, ok := got.value.([]any); ok {
			got.value = slices.DeleteFunc(list, traceExchange)
		}
	}
	return got
}

func isObject(v any) bool {
	_, ok := v.(object)
	return ok
}

// traceExchange tells what RabbitMQ alone has: its exchange for tracing.
func traceExchange(v any) bool {
	o, ok := v.(object)
	return ok && o["name"] == "amq.rabbitmq.trace"
}

// String is the status, and of the rest what two brokers could agree on.
func (g answer) String() string {
	parts := []string{fmt.Sprint(g.status)}
	for _, name := range []string{"Location", "Www-Authenticate", "Allow"} {
		if v := g.header.Get(name); v != "" {
			parts = append(parts, fmt.Sprintf("[%s: %s]", name, v))
		}
	}
	switch v := g.value.(type) {
	case map[string]any:
		if g.status >= 300 || len(v) <= 2 && !slices.ContainsFunc(slices.Collect(maps.Values(v)), isObject) {
			parts = append(parts, worded(g.status, v))
		} else {
			parts = append(parts, "object")
		}
	case []any:
		parts = append(parts, fmt.Sprintf("list of %d", len(v)))
	case nil:
		if len(g.text) > 0 {
			parts = append(parts, stable(fmt.Sprintf("%s %q", g.header.Get("Content-Type"), g.text), 160))
		}
	default:
		parts = append(parts, compact(v))
	}
	return strings.Join(parts, " ")
}

// agreed are reasons for 400 whose words clients could know. Others are free.
var agreed = regexp.MustCompile(`^(\d\d\d |inequivalent|invalid arg|Page out of range|rejected|Unable|failed_to_parse|not_json|cannot declare)`)

// worded is an answer without the words that are free.
func worded(status int, v map[string]any) string {
	if reason, ok := v["reason"].(string); status == http.StatusBadRequest && !(ok && agreed.MatchString(reason)) {
		v = maps.Clone(v)
		v["reason"] = "…"
	}
	return compact(v)
}

// compact is JSON with sorted keys.
func compact(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // it came as JSON
	return stable(strings.TrimSpace(b.String()), 600)
}

// madeUp is what a broker makes up.
var madeUp = regexp.MustCompile(`(amq\.gen-|amq\.ctag-|"password_hash":"|"?password_hash"? )[-\w=+/.]+`)

// stable is a text without what is made up, and not too long.
func stable(text string, most int) string {
	text = madeUp.ReplaceAllString(text, "$1…")
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}
