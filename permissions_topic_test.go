package warren_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// topicRules are what the user a.n tries, whose topic permissions are those of
// TestTopicPermissionsNarrowRoutingKeys. An empty key stands for what is allowed.
func topicRules(t *testing.T) map[string]struct {
	try           func(ch *warren.Channel) error
	key, exchange string
} {
	publish := func(exchange, key string, headers warren.Table) func(*warren.Channel) error {
		return func(ch *warren.Channel) error {
			return ch.Publish(t.Context(), exchange, key, warren.Message{Headers: headers}, warren.PublishOptions{})
		}
	}
	bind := func(queue, key, exchange string) func(*warren.Channel) error {
		return func(ch *warren.Channel) error { return ch.QueueBind(queue, key, exchange, nil) }
	}
	return map[string]struct {
		try           func(ch *warren.Channel) error
		key, exchange string
	}{
		"publish":                       {publish("t", "w.a.n", nil), "", ""},
		"publish another key":           {publish("t", "x", nil), "x", "t"},
		"publish to an unlisted one":    {publish("free", "x", nil), "", ""},
		"publish to the default one":    {publish("", "x", nil), "", ""},
		"publish to a direct one":       {publish("d", "x", nil), "", ""},
		"publish, empty pattern":        {publish("amq.topic", "x", nil), "x", "amq.topic"},
		"publish, empty pattern, key":   {publish("amq.topic", "", nil), "", ""},
		"publish with CC":               {publish("t", "w.a.n", warren.Table{"CC": []any{"w.a.n", "cc"}}), "cc", "t"},
		"publish with BCC":              {publish("t", "w.a.n", warren.Table{"BCC": []any{"bcc"}}), "bcc", "t"},
		"publish with CC that may be":   {publish("t", "w.a.n", warren.Table{"CC": []any{"w.a.n"}}), "", ""},
		"publish with CC to the direct": {publish("d", "x", warren.Table{"CC": []any{"cc"}}), "", ""},
		"bind":                          {bind("q", "r.1", "t"), "", ""},
		"bind by another key":           {bind("q", "x", "t"), "x", "t"},
		"bind no queue":                 {bind("none", "x", "t"), "x", "t"},
		"bind to an unlisted one":       {bind("q", "x", "free"), "", ""},
		"unbind by another key":         {func(ch *warren.Channel) error { return ch.QueueUnbind("q", "x", "t", nil) }, "x", "t"},
		"bind an exchange":              {func(ch *warren.Channel) error { return ch.ExchangeBind("d", "r", "t", nil) }, "", ""},
		"bind an exchange otherwise":    {func(ch *warren.Channel) error { return ch.ExchangeBind("d", "x", "t", nil) }, "x", "t"},
		"bind to it as a destination":   {func(ch *warren.Channel) error { return ch.ExchangeBind("t", "x", "d", nil) }, "", ""},
		"the vhost in a pattern":        {bind("q", "/{client_id}", "amq.topic"), "", ""},
		"no client ID":                  {bind("q", "/", "amq.topic"), "/", "amq.topic"},
	}
}

// The rows and texts are what RabbitMQ 3.10 does, but for CC and BCC, which only newer
// versions look at.
func TestTopicPermissionsNarrowRoutingKeys(t *testing.T) {
	b := newBroker(t)
	v := root(t, b)
	host := brokertest.Channel(t, b)
	brokertest.Queues(t, host, "q")
	brokertest.Exchanges(t, host, warren.Topic, "t", "free")
	brokertest.Exchanges(t, host, warren.Direct, "d")
	require.NoError(t, b.UserDeclare("a.n", ""))
	require.NoError(t, v.PermissionsSet("a.n", warren.AllPermissions()))
	for _, p := range []warren.TopicPermissions{
		{Exchange: "t", Write: `^w\.{username}$`, Read: "^r"},
		{Exchange: "d", Write: "^w", Read: "^w"},
		{Exchange: "amq.topic", Write: "", Read: "^{vhost}{client_id}$"},
	} {
		require.NoError(t, v.TopicPermissionsSet("a.n", p))
	}
	s, err := v.SessionFor("a.n")
	require.NoError(t, err)
	for name, c := range topicRules(t) {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second answer may come from memory
				err := c.try(brokertest.Channel(t, s))
				if c.exchange == "" {
					require.NoError(t, err)
					continue
				}
				brokertest.FailsWith(t, err, 403, "ACCESS_REFUSED - access to topic '"+c.key+"' in exchange '"+c.exchange+"' in vhost '/' refused for user 'a.n'")
			}
		})
	}
	require.ErrorIs(t, brokertest.Send(brokertest.Channel(t, s), "t", "w.axn", warren.Message{}, warren.PublishOptions{}), warren.ErrAccessRefused, "the name is no pattern")
	require.NoError(t, brokertest.Send(host, "t", "x", warren.Message{}, warren.PublishOptions{}), "this process needs none")
}

func TestTopicPermissionsHoldAtOnce(t *testing.T) {
	b := newBroker(t)
	v := root(t, b)
	ch := brokertest.Channel(t, sessionOfAnn(t, b, warren.Permissions{Write: "^amq.topic$"}))
	put := func() error {
		return ch.Publish(t.Context(), "amq.topic", "key", warren.Message{}, warren.PublishOptions{})
	}
	allowed := func(yes bool) {
		t.Helper()
		for range 2 {
			if err := put(); yes {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, warren.ErrAccessRefused)
			}
		}
	}
	allowed(true)
	require.NoError(t, v.TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: "amq.topic", Write: "^other"}))
	allowed(false)
	require.NoError(t, v.TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: "amq.topic", Write: "^k"}))
	allowed(true)
	require.NoError(t, v.TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: "amq.topic"}))
	allowed(false)
	require.NoError(t, v.PermissionsSet("ann", warren.AllPermissions()))
	allowed(false)
	require.NoError(t, b.UserDeclare("ann", "", warren.Impersonator))
	allowed(false)
	require.NoError(t, v.PermissionsDelete("ann"))
	require.NoError(t, v.PermissionsSet("ann", warren.AllPermissions()))
	require.Len(t, v.TopicPermissions("ann"), 1, "they are there without permissions")
	allowed(false)
	require.NoError(t, v.TopicPermissionsDelete("ann", "amq.topic"))
	allowed(true)
}

func TestTopicPermissionsAreSetAndDeleted(t *testing.T) {
	b := newBroker(t)
	v, other := root(t, b), func() *warren.VirtualHost {
		v, err := b.VirtualHostDeclare("other")
		require.NoError(t, err)
		return v
	}()
	require.Empty(t, v.TopicPermissions("ann"))
	p := warren.TopicPermissions{Exchange: "x", Write: "w", Read: "r"}
	require.ErrorIs(t, v.TopicPermissionsSet("ann", p), warren.ErrNotFound)
	require.ErrorIs(t, v.TopicPermissionsDelete("ann", ""), warren.ErrNotFound)
	require.NoError(t, b.UserDeclare("ann", ""))
	require.Empty(t, v.TopicPermissions("ann"))
	for _, exchange := range []string{"z", "x", "y"} {
		p.Exchange = exchange
		require.NoError(t, v.TopicPermissionsSet("ann", p))
		require.NoError(t, other.TopicPermissionsSet("ann", p))
	}
	of := func(v *warren.VirtualHost) (list []string) {
		for _, p := range v.TopicPermissions("ann") {
			require.Equal(t, []string{"w", "r"}, []string{p.Write, p.Read})
			list = append(list, p.Exchange)
		}
		return list
	}
	require.Equal(t, []string{"x", "y", "z"}, of(v))
	require.ErrorContains(t, v.TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: "x", Write: "("}), "the topic permission to write is not a regular expression")
	require.ErrorContains(t, v.TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: "x", Read: "(?=a)"}), "the topic permission to read is not a regular expression")
	require.ErrorContains(t, v.TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: strings.Repeat("x", 256)}), "at most 255 bytes")
	require.ErrorContains(t, v.TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: "\xff"}), "UTF-8")
	require.Equal(t, []string{"x", "y", "z"}, of(v), "what is wrong changes nothing")
	require.NoError(t, v.TopicPermissionsDelete("ann", "y"))
	require.NoError(t, v.TopicPermissionsDelete("ann", "y"))
	require.Equal(t, []string{"x", "z"}, of(v))
	require.NoError(t, v.TopicPermissionsDelete("ann", ""))
	require.Empty(t, of(v))
	require.Equal(t, []string{"x", "y", "z"}, of(other))
	require.NoError(t, b.VirtualHostDelete("other"))
	other, err := b.VirtualHostDeclare("other")
	require.NoError(t, err)
	require.Empty(t, of(other), "they are gone with their virtual host")
	require.NoError(t, v.TopicPermissionsSet("ann", p))
	require.NoError(t, b.UserDelete("ann"))
	require.NoError(t, b.UserDeclare("ann", ""))
	require.Empty(t, of(v), "and with their user")
}

func TestDefinitionsHaveTopicPermissions(t *testing.T) {
	b := newBroker(t)
	require.NoError(t, b.UserDeclare("ann", ""))
	want := []warren.TopicPermissions{{Exchange: "a", Write: "{username}", Read: ""}, {Exchange: "b", Write: "", Read: ".*"}}
	for _, p := range want {
		require.NoError(t, root(t, b).TopicPermissionsSet("ann", p))
	}
	var out bytes.Buffer
	require.NoError(t, b.DefinitionsExport(&out))
	fresh := newBroker(t)
	require.NoError(t, fresh.DefinitionsImport(&out))
	require.Equal(t, want, root(t, fresh).TopicPermissions("ann"))
	var again bytes.Buffer
	require.NoError(t, fresh.DefinitionsExport(&again))
	require.Contains(t, again.String(), `"topic_permissions": [
    {
      "user": "ann",
      "vhost": "/",
      "exchange": "a",
      "write": "{username}",
      "read": ""
    },`)
}
