package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
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
		b := warren.New(nil)
		defer b.Close()
		v := brokertest.VirtualHost(t, b, "/")
		ch := brokertest.Channel(t, b)
		for name := range names {
			brokertest.Queues(t, ch, name)
		}
		err := v.PolicySet(warren.Policy{Name: "p", Pattern: pattern, Definition: warren.Table{"max-length": 1}})
		if names == nil {
			require.ErrorIs(t, err, warren.ErrPreconditionFailed, pattern)
			continue
		}
		require.NoError(t, err, pattern)
		for name, match := range names {
			e, err := v.PolicyOfQueue(name)
			require.NoError(t, err)
			require.Equal(t, match, e.Policy == "p", "%s %s", pattern, name)
		}
	}
}
