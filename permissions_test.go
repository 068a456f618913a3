package warren_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// sessionOfAnn declares user ann and opens a session of hers.
func sessionOfAnn(t *testing.T, b *warren.Broker, p warren.Permissions, tags ...string) *warren.Session {
	t.Helper()
	require.NoError(t, b.UserDeclare("ann", "", tags...))
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	require.NoError(t, v.PermissionsSet("ann", p))
	s, err := v.SessionFor("ann")
	require.NoError(t, err)
	return s
}

// A permissionRule is something that ann tries, who may do all with what is
// named own, and publish to the default exchange.
type permissionRule struct {
	try  func(ch *warren.Channel) error
	code uint16 // zero: allowed
	text string
}

func permissionRules() map[string]permissionRule {
	refused := func(what, kind, name string) string {
		return "ACCESS_REFUSED - " + what + " access to " + kind + " '" + name + "' in vhost '/' refused for user 'ann'"
	}
	declare := func(name string, args warren.Table) func(*warren.Channel) error {
		return func(ch *warren.Channel) error {
			_, err := ch.QueueDeclare(name, warren.QueueOptions{Args: args})
			return err
		}
	}
	exchange := func(name string, args warren.Table) func(*warren.Channel) error {
		return func(ch *warren.Channel) error {
			return ch.ExchangeDeclare(name, warren.Direct, warren.ExchangeOptions{Args: args})
		}
	}
	publish := func(exchange string, m warren.Message) func(*warren.Channel) error {
		return func(ch *warren.Channel) error {
			return ch.Publish(context.Background(), exchange, "own", m, warren.PublishOptions{})
		}
	}
	return map[string]permissionRule{
		"declare a queue":              {try: declare("own1", nil)},
		"passive needs none":           {try: func(ch *warren.Channel) error { _, err := ch.QueueDeclarePassive("other"); return err }},
		"passive of exchanges neither": {try: func(ch *warren.Channel) error { return ch.ExchangeDeclarePassive("otherx") }},
		"declare another":              {declare("other", nil), 403, refused("configure", "queue", "other")},
		"before its arguments":         {declare("other", warren.Table{"x-message-ttl": -1}), 403, refused("configure", "queue", "other")},
		"a reserved name":              {declare("amq.x", nil), 403, "ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'"},
		"a reserved exchange":          {exchange("amq.x", nil), 403, refused("configure", "exchange", "amq.x")},
		"a dead-letter exchange":       {declare("own2", warren.Table{"x-dead-letter-exchange": "otherx"}), 403, refused("write", "exchange", "otherx")},
		"an allowed one":               {try: declare("own3", warren.Table{"x-dead-letter-exchange": "ownx"})},
		"the default one":              {try: declare("own4", warren.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "own"})},
		"an alternate exchange":        {exchange("own2x", warren.Table{"alternate-exchange": "otherx"}), 403, refused("write", "exchange", "otherx")},
		"an allowed alternate":         {try: exchange("own3x", warren.Table{"alternate-exchange": "ownx"})},
		"delete a queue": {func(ch *warren.Channel) error {
			_, err := ch.QueueDelete("other", warren.QueueDeleteOptions{})
			return err
		}, 403, refused("configure", "queue", "other")},
		"that is not there": {func(ch *warren.Channel) error {
			_, err := ch.QueueDelete("gone", warren.QueueDeleteOptions{})
			return err
		}, 403, refused("configure", "queue", "gone")},
		"delete an exchange":           {func(ch *warren.Channel) error { return ch.ExchangeDelete("otherx", warren.ExchangeDeleteOptions{}) }, 403, refused("configure", "exchange", "otherx")},
		"a predeclared one":            {func(ch *warren.Channel) error { return ch.ExchangeDelete("amq.direct", warren.ExchangeDeleteOptions{}) }, 403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed"},
		"bind":                         {try: func(ch *warren.Channel) error { return ch.QueueBind("own", "k", "ownx", nil) }},
		"bind another queue":           {func(ch *warren.Channel) error { return ch.QueueBind("other", "k", "otherx", nil) }, 403, refused("write", "queue", "other")},
		"bind to another exchange":     {func(ch *warren.Channel) error { return ch.QueueBind("own", "k", "otherx", nil) }, 403, refused("read", "exchange", "otherx")},
		"bind to the default exchange": {func(ch *warren.Channel) error { return ch.QueueBind("own", "k", "", nil) }, 403, "ACCESS_REFUSED - operation not permitted on the default exchange"},
		"unbind":                       {func(ch *warren.Channel) error { return ch.QueueUnbind("other", "k", "ownx", nil) }, 403, refused("write", "queue", "other")},
		"bind exchanges":               {func(ch *warren.Channel) error { return ch.ExchangeBind("otherx", "k", "ownx", nil) }, 403, refused("write", "exchange", "otherx")},
		"unbind exchanges":             {func(ch *warren.Channel) error { return ch.ExchangeUnbind("ownx", "k", "otherx", nil) }, 403, refused("read", "exchange", "otherx")},
		"purge":                        {func(ch *warren.Channel) error { _, err := ch.QueuePurge("other"); return err }, 403, refused("read", "queue", "other")},
		"get":                          {func(ch *warren.Channel) error { _, _, err := ch.Get("other", true); return err }, 403, refused("read", "queue", "other")},
		"get of one's own":             {try: func(ch *warren.Channel) error { _, _, err := ch.Get("own", true); return err }},
		"consume":                      {func(ch *warren.Channel) error { _, err := ch.Consume("other", warren.ConsumeOptions{}); return err }, 403, refused("read", "queue", "other")},
		"replies need none": {try: func(ch *warren.Channel) error {
			_, err := ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
			return err
		}},
		"publish":                           {publish("otherx", warren.Message{}), 403, refused("write", "exchange", "otherx")},
		"publish where nothing is":          {publish("nowhere", warren.Message{}), 403, refused("write", "exchange", "nowhere")},
		"publish to one's own":              {try: publish("ownx", warren.Message{})},
		"publish to the default":            {try: publish("", warren.Message{})},
		"refused before reply_to is looked": {publish("otherx", warren.Message{ReplyTo: warren.DirectReplyTo}), 403, refused("write", "exchange", "otherx")},
		"publish as oneself":                {try: publish("", warren.Message{UserId: "ann"})},
		"publish as another":                {publish("", warren.Message{UserId: "bob"}), 406, "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'ann'"},
	}
}

// The rows are what RabbitMQ 3.10 does, with the kind of access named as later
// versions do.
func TestPermissionsBoundWhatAUserMayDo(t *testing.T) {
	b := newBroker(t)
	host, err := b.Channel()
	require.NoError(t, err)
	for _, name := range []string{"own", "other"} {
		brokertest.Queues(t, host, name)
		require.NoError(t, host.ExchangeDeclare(name+"x", warren.Direct, warren.ExchangeOptions{}))
	}
	s := sessionOfAnn(t, b, warren.Permissions{Configure: "^own", Write: "^own|^amq.default$", Read: "^own"})
	for name, c := range permissionRules() {
		t.Run(name, func(t *testing.T) {
			ch := brokertest.Channel(t, s)
			for range 2 { // the second answer may come from memory
				if name == "replies need none" {
					ch = brokertest.Channel(t, s) // which has one reply consumer at most
				}
				err := c.try(ch)
				if c.code == 0 {
					require.NoError(t, err)
					continue
				}
				var e *warren.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, c.text, e.Text)
				require.Equal(t, c.code, e.Code)
			}
		})
	}
}

func TestPermissionsHoldAtOnce(t *testing.T) {
	b := newBroker(t)
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	ch := brokertest.Channel(t, sessionOfAnn(t, b, warren.AllPermissions()))
	brokertest.Queues(t, ch, "q")
	put := func() error {
		return ch.Publish(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{})
	}
	require.NoError(t, put())
	for _, p := range []warren.Permissions{{}, {Write: "^q$"}, {Write: "default"}, {Read: ".*", Configure: ".*"}, {Write: ".*"}} {
		require.NoError(t, v.PermissionsSet("ann", p))
		got, ok := v.Permissions("ann")
		require.True(t, ok)
		require.Equal(t, p, got)
		if p.Write == "default" || p.Write == ".*" {
			require.NoError(t, put(), "%+v", p)
			require.NoError(t, put(), "%+v", p)
		} else {
			require.ErrorIs(t, put(), warren.ErrAccessRefused, "%+v", p)
		}
	}
	require.NoError(t, v.PermissionsDelete("ann"))
	require.ErrorIs(t, put(), warren.ErrAccessRefused)
	_, ok := v.Permissions("ann")
	require.False(t, ok)
	_, err = v.SessionFor("ann")
	require.ErrorContains(t, err, "530 NOT_ALLOWED - access to vhost '/' refused for user 'ann'")
}

func TestAPatternThatIsNoneIsRefused(t *testing.T) {
	b := newBroker(t)
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	for what, p := range map[string]warren.Permissions{"configure": {Configure: "("}, "write": {Write: "["}, "read": {Read: "(?=x)"}} {
		require.ErrorContains(t, v.PermissionsSet("guest", p), "the permission to "+what+" is not a regular expression")
	}
	require.ErrorIs(t, v.PermissionsSet("nobody", warren.AllPermissions()), warren.ErrNotFound)
	require.ErrorIs(t, v.PermissionsDelete("nobody"), warren.ErrNotFound)
	p, ok := v.Permissions("guest")
	require.True(t, ok)
	require.Equal(t, warren.AllPermissions(), p)
	_, ok = v.Permissions("nobody")
	require.False(t, ok)
}

func TestAnImpersonatorPublishesAsOthers(t *testing.T) {
	b := newBroker(t)
	ch := brokertest.Channel(t, sessionOfAnn(t, b, warren.AllPermissions(), warren.Impersonator))
	put := func() error {
		return ch.Publish(t.Context(), "", "q", warren.Message{UserId: "bob"}, warren.PublishOptions{})
	}
	require.NoError(t, put())
	require.NoError(t, b.UserDeclare("ann", ""), "without the tag")
	require.ErrorIs(t, put(), warren.ErrPreconditionFailed)
	require.NoError(t, b.UserDeclare("ann", "", "other", warren.Impersonator))
	require.NoError(t, put())
	host, err := b.Channel()
	require.NoError(t, err)
	require.NoError(t, host.Publish(t.Context(), "", "q", warren.Message{UserId: "bob"}, warren.PublishOptions{}), "this process has no user")
}
