package warren_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestANewBrokerHasAGuest(t *testing.T) {
	b := newBroker(t)
	require.Equal(t, []warren.User{{Name: "guest", Tags: []string{"administrator"}}}, b.Users())
	require.NoError(t, b.Authenticate("guest", "guest"))
	v, err := b.VirtualHostDeclare("later")
	require.NoError(t, err)
	for _, name := range []string{"/", "later"} {
		v, err := b.VirtualHost(name)
		require.NoError(t, err)
		p, ok := v.Permissions("guest")
		require.True(t, ok)
		require.Equal(t, warren.AllPermissions(), p)
		s, err := v.SessionFor("guest")
		require.NoError(t, err)
		require.Equal(t, "guest", s.User())
		require.NoError(t, s.Close())
	}
	s, err := v.Session()
	require.NoError(t, err)
	require.Empty(t, s.User())
}

func TestOnlyTheRightPasswordLogsIn(t *testing.T) {
	b := newBroker(t)
	require.NoError(t, b.UserDeclare("ann", "secret", "monitoring"))
	require.NoError(t, b.UserDeclare("bare", ""))
	for range 2 { // the second time from memory
		require.NoError(t, b.Authenticate("ann", "secret"))
		for _, c := range [][2]string{{"ann", "Secret"}, {"ann", ""}, {"ann", "secret "}, {"Ann", "secret"}, {"", ""}, {"", "secret"}, {"bare", ""}, {"bare", "secret"}, {"guest", "secret"}} {
			require.ErrorIs(t, b.Authenticate(c[0], c[1]), warren.ErrLoginRefused, "%q", c)
		}
	}
	require.NoError(t, b.UserDeclare("ann", "another"))
	require.ErrorIs(t, b.Authenticate("ann", "secret"), warren.ErrLoginRefused)
	require.NoError(t, b.Authenticate("ann", "another"))
	require.NoError(t, b.UserDelete("ann"))
	require.ErrorIs(t, b.Authenticate("ann", "another"), warren.ErrLoginRefused)
	require.ErrorIs(t, b.UserDelete("ann"), warren.ErrNotFound)
	require.False(t, b.UserExists("ann"))
	require.True(t, b.UserExists("bare"))
	require.Equal(t, []warren.User{{Name: "bare"}, {Name: "guest", Tags: []string{"administrator"}}}, b.Users())
}

func TestAUsersNameIsBounded(t *testing.T) {
	b := newBroker(t)
	require.Error(t, b.UserDeclare("", "x"))
	require.Error(t, b.UserDeclare(strings.Repeat("u", 256), "x"))
	require.NoError(t, b.UserDeclare(strings.Repeat("u", 255), ""))
}

func TestADeletedUserHasNoSessions(t *testing.T) {
	b := newBroker(t)
	s := sessionOfAnn(t, b, warren.AllPermissions())
	ch := brokertest.Channel(t, s)
	require.NoError(t, b.UserDelete("ann"))
	_, err := ch.QueueDeclare("q", warren.QueueOptions{})
	require.ErrorIs(t, err, warren.ErrClosed)
	_, err = s.Channel()
	require.ErrorIs(t, err, warren.ErrClosed)
	require.NoError(t, b.UserDeclare("ann", ""))
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	_, err = v.SessionFor("ann")
	require.ErrorIs(t, err, warren.ErrNotAllowed, "a new user of the same name may do nothing yet")
	_, err = v.SessionFor("")
	require.ErrorIs(t, err, warren.ErrNotAllowed)
}

func TestAVirtualHostBoundsItsConnections(t *testing.T) {
	b := newBroker(t)
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	v.LimitsSet(warren.VirtualHostLimits{MaxConnections: 2})
	require.Equal(t, 2, v.Limits().MaxConnections)
	var open []*warren.Session
	for range 2 {
		s, err := v.SessionFor("guest")
		require.NoError(t, err)
		open = append(open, s)
	}
	_, err = v.SessionFor("guest")
	require.ErrorContains(t, err, "530 NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (2) is reached")
	_, err = v.Session()
	require.NoError(t, err, "this process is not counted")
	require.NoError(t, open[0].Close())
	require.NoError(t, open[0].Close(), "it counts once")
	_, err = v.SessionFor("guest")
	require.NoError(t, err)
	_, err = v.SessionFor("guest")
	require.ErrorIs(t, err, warren.ErrNotAllowed)
	v.LimitsSet(warren.VirtualHostLimits{MaxConnections: -1})
	_, err = v.SessionFor("guest")
	require.ErrorContains(t, err, "connection limit (0) is reached")
	v.LimitsSet(warren.VirtualHostLimits{})
	_, err = v.SessionFor("guest")
	require.NoError(t, err)
}

func TestAVirtualHostBoundsItsQueues(t *testing.T) {
	b := newBroker(t)
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	ch := brokertest.Channel(t, v)
	declare := func(name string) error {
		_, err := ch.QueueDeclare(name, warren.QueueOptions{})
		return err
	}
	v.LimitsSet(warren.VirtualHostLimits{MaxQueues: 1})
	require.NoError(t, declare("a"))
	require.NoError(t, declare("a"))
	require.ErrorContains(t, declare("b"), "406 PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost '/' (1) is reached")
	v.LimitsSet(warren.VirtualHostLimits{MaxQueues: -1})
	require.NoError(t, declare("a"), "what is there stays")
	require.ErrorContains(t, declare("b"), "queue limit in vhost '/' (0) is reached")
	v.LimitsSet(warren.VirtualHostLimits{})
	require.NoError(t, declare("b"))
}

func TestUsersComeAndGoWhileTheyWork(t *testing.T) {
	b := newBroker(t)
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				require.NoError(t, b.UserDeclare("ann", ""))
				v.PermissionsSet("ann", warren.AllPermissions())
				if s, err := v.SessionFor("ann"); err == nil {
					if ch, err := s.Channel(); err == nil {
						ch.Publish(t.Context(), "amq.fanout", "", warren.Message{}, warren.PublishOptions{})
					}
					defer s.Close()
				}
				v.PermissionsDelete("ann")
				b.UserDelete("ann")
			}
		})
	}
	wg.Wait()
	require.False(t, b.UserExists("ann"))
}

func newBroker(t *testing.T) *warren.Broker {
	b := warren.New(nil)
	warren.CheapPasswords(b)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func TestAServerLogsInOthers(t *testing.T) {
	b := newBroker(t)
	require.NoError(t, b.UserDeclare("ann", "secret"))
	require.NoError(t, b.AuthenticateFrom(t.Context(), "ann", "secret", "192.0.2.1"))
	for _, c := range [][2]string{{"ann", "Secret"}, {"ann", ""}, {"bob", "secret"}, {"", ""}} {
		require.ErrorIs(t, b.AuthenticateFrom(t.Context(), c[0], c[1], "192.0.2.1"), warren.ErrLoginRefused, "%q", c)
	}
}

// TestAUsersHashIsThatOfRabbitMQ uses the example of RabbitMQ's documentation.
func TestAUsersHashIsThatOfRabbitMQ(t *testing.T) {
	const example = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
	b := newBroker(t)
	require.NoError(t, b.UserDeclareHash("imported", example, ""))
	require.NoError(t, b.UserDeclareHash("short", "AAAAABEiM0RVZneImaq7zN3u/xA=", "rabbit_password_hashing_md5"))
	require.NoError(t, b.UserDeclare("own", "secret"))
	require.NoError(t, b.UserDeclare("bare", ""))
	for name, want := range map[string][2]string{
		"imported": {example, "rabbit_password_hashing_sha256"},
		"short":    {"AAAAABEiM0RVZneImaq7zN3u/xA=", "rabbit_password_hashing_md5"},
		"own":      {"", "rabbit_password_hashing_sha256"},
		"bare":     {"", "rabbit_password_hashing_sha256"},
	} {
		hash, algorithm, err := b.UserHash(name)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{hash, algorithm}, name)
	}
	hash, algorithm, err := b.UserHash("guest")
	require.NoError(t, err)
	require.NoError(t, b.UserDeclareHash("second", hash, algorithm))
	require.NoError(t, b.Authenticate("second", "guest"), "the hash is good for the same password")
	_, _, err = b.UserHash("nobody")
	require.ErrorIs(t, err, warren.ErrNotFound)
}
