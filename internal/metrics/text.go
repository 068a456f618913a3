package metrics

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ContentType is the type of what WriteText writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// WriteText writes families in Prometheus's text format, version 0.0.4. Families without
// samples are left out. It fails with w's error.
func WriteText(w io.Writer, families []Family) error {
	t := text{w: bufio.NewWriterSize(w, 32<<10)}
	for i := range families {
		if len(families[i].Samples) > 0 {
			t.family(&families[i])
		}
	}
	return t.w.Flush()
}

// text writes families. Errors are kept by the bufio.Writer.
type text struct {
	w    *bufio.Writer
	line []byte
}

func (t *text) family(f *Family) {
	t.line = append(t.line[:0], "# HELP "...)
	t.line = append(t.line, f.Name...)
	t.line = append(t.line, ' ')
	t.line = appendEscaped(t.line, f.Help, false)
	t.line = append(t.line, "\n# TYPE "...)
	t.line = append(t.line, f.Name...)
	t.line = append(t.line, ' ')
	t.line = append(t.line, f.Kind...)
	t.line = append(t.line, '\n')
	t.w.Write(t.line)
	for i := range f.Samples {
		s := &f.Samples[i]
		if f.Kind != Histogram {
			t.sample(f, "", s, "", s.Value)
			continue
		}
		for _, b := range s.Histogram.Buckets {
			t.sample(f, "_bucket", s, bucketLimit(b.Limit), float64(b.Count))
		}
		t.sample(f, "_bucket", s, "+Inf", float64(s.Histogram.Count))
		t.sample(f, "_sum", s, "", s.Histogram.Sum)
		t.sample(f, "_count", s, "", float64(s.Histogram.Count))
	}
}

// sample writes one line. An empty limit means that there is no label le.
func (t *text) sample(f *Family, suffix string, s *Sample, limit string, value float64) {
	t.line = append(t.line[:0], f.Name...)
	t.line = append(t.line, suffix...)
	next := byte('{')
	label := func(name, value string) {
		t.line = append(t.line, next)
		next = ','
		t.line = append(t.line, name...)
		t.line = append(t.line, `="`...)
		t.line = appendEscaped(t.line, value, true)
		t.line = append(t.line, '"')
	}
	for i, name := range f.Labels {
		label(name, s.Labels[i])
	}
	if limit != "" {
		label("le", limit)
	}
	if next == ',' {
		t.line = append(t.line, '}')
	}
	t.line = append(t.line, ' ')
	t.line = appendValue(t.line, value)
	t.line = append(t.line, '\n')
	t.w.Write(t.line)
}

// appendEscaped appends a text as the format wants it: a backslash, a new line and, in
// quotes, a quotation mark are escaped. What is not UTF-8 is replaced, because one bad
// byte would lose all metrics.
func appendEscaped(b []byte, s string, quoted bool) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b = append(b, `\\`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '"' && quoted:
			b = append(b, `\"`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendValue appends a number, whole numbers without an exponent.
func appendValue(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	switch {
	case math.IsInf(v, 1):
		return append(b, "+Inf"...)
	case math.IsInf(v, -1):
		return append(b, "-Inf"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// bucketLimit returns a limit as Prometheus 3 stores it, which dashboards ask for: with
// a fraction or an exponent. Older versions keep what they read.
func bucketLimit(v float64) string {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(s, ".eIN") {
		s += ".0"
	}
	return s
}
