package warren

import (
	"regexp"
	"strings"
)

// names are those that a pattern allows. The zero value allows none.
type names struct {
	all     bool
	pattern *regexp.Regexp
	except  []*regexp.Regexp
}

var anyName = names{all: true}

// newNames reads the pattern of a permission or a policy. The expressions of
// Go know no lookahead; the one that many definitions of RabbitMQ have, as in
// "^(?!amq\.).*", is understood all the same.
func newNames(pattern string) (names, error) {
	switch pattern {
	case "":
		return names{}, nil
	case ".*", "^.*", ".*$", "^.*$":
		return anyName, nil
	}
	except, rest := notAhead(pattern)
	var n names
	for _, e := range except {
		re, err := regexp.Compile("^(?:" + e + ")")
		if err != nil {
			return names{}, err
		}
		n.except = append(n.except, re)
	}
	re, err := regexp.Compile(rest)
	n.pattern = re
	return n, err
}

func (n *names) allow(name string) bool {
	if n.all {
		return true
	}
	for _, e := range n.except {
		if e.MatchString(name) {
			return false
		}
	}
	return n.pattern != nil && n.pattern.MatchString(name)
}

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
