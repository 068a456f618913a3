// Package pattern matches names with the patterns of permissions and policies.
package pattern

import (
	"regexp"
	"strings"
)

// Pattern is a set of names, by a regular expression. The zero value allows none.
type Pattern struct {
	all    bool
	match  *regexp.Regexp
	except []*regexp.Regexp
}

// Any returns the pattern that allows every name.
func Any() Pattern { return Pattern{all: true} }

// New parses the pattern of a permission or a policy. Go's regular expressions have
// no lookahead, but many definitions of RabbitMQ have a negative one at the
// beginning, as in "^(?!amq\.).*". New understands these.
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

// All reports whether the pattern allows every name because of its form, as Any does.
func (p *Pattern) All() bool { return p.all }

// notAhead splits negative lookaheads off the beginning of a pattern. A name matches
// if it matches the rest and begins with none of except. A pattern with alternatives
// is returned as it is, because lookaheads would count in the first one only.
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

// closing returns the index of the parenthesis that closes the first one, or -1.
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
