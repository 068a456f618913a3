// Package pattern is about patterns of names, in permissions and policies.
package pattern

import (
	"regexp"
	"strings"
)

// Pattern allows some names. The zero value allows none.
type Pattern struct {
	all    bool
	match  *regexp.Regexp
	except []*regexp.Regexp
}

// Any allows every name.
func Any() Pattern { return Pattern{all: true} }

// New reads the pattern of a permission or a policy. The expressions of
// Go know no lookahead; the one that many definitions of RabbitMQ have, as in
// "^(?!amq\.).*", is understood all the same.
func New(pattern string) (Pattern, error) {
	switch pattern {
	case "":
		return Pattern{}, nil
	case ".*", "^.*", ".*$", "^.*$":
		return Any(), nil
	}
	except, rest := notAhead(pattern)
	var p Pattern
	for _, e := range except {
		re, err := regexp.Compile("^(?:" + e + ")")
		if err != nil {
			return Pattern{}, err
		}
		p.except = append(p.except, re)
	}
	re, err := regexp.Compile(rest)
	p.match = re
	return p, err
}

// Allows reports whether the pattern allows a name.
func (p *Pattern) Allows(name string) bool {
	if p.all {
		return true
	}
	for _, e := range p.except {
		if e.MatchString(name) {
			return false
		}
	}
	return p.match != nil && p.match.MatchString(name)
}

// All reports whether the pattern allows every name without a look at it.
func (p *Pattern) All() bool { return p.all }

// notAhead takes the negative lookaheads off the beginning of a pattern: what
// must not begin a name that matches the rest. A pattern with alternatives, of
// which they would be in the first one only, is left as it is.
func notAhead(pattern string) (except []string, rest string) {
	const open = "(?!"
	rest, anchored := strings.CutPrefix(pattern, "^")
	for anchored && strings.HasPrefix(rest, open) {
		end := closing(rest)
		if end < 0 {
			return nil, pattern
		}
		except, rest = append(except, rest[len(open):end]), rest[end+1:]
	}
	if except == nil || strings.Contains(rest, "|") {
		return nil, pattern
	}
	return except, "^" + rest
}

// closing is the place of the parenthesis that closes the first one, or -1.
func closing(pattern string) int {
	depth, class := 0, false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
