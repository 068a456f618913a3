package pattern

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPatternMayBeginWithWhatMustNotFollow(t *testing.T) {
	for pattern, names := range map[string]map[string]bool{
		`^(?!amq-).*`:               {"amq-x": false, "amqx": true, "x.amq-": true},
		`^(?!amq-|tmp).*`:           {"amq-x": false, "tmp1": false, "other": true},
		`^(?!a)(?!b)[a-c]`:          {"a": false, "b": false, "c": true, "d": false},
		`^(?!(amq|sys)\.)jobs`:      {"jobs": true, "sys": false},
		`^(?![)]\)).`:               {")": true, "))": false},
		`^(?!dead$).*\.dead$|^x`:    nil,
		`^(?!a(?=b)).*`:             nil,
		`^(?!a`:                     nil,
		`(?!a).*`:                   nil,
		`^jobs\.(?!private\.)[a-z]`: nil,
	} {
		p, err := New(pattern)
		if names == nil {
			require.Error(t, err, pattern)
			continue
		}
		require.NoError(t, err, pattern)
		for name, match := range names {
			require.Equal(t, match, p.Allows(name), "%s %s", pattern, name)
		}
	}
}
