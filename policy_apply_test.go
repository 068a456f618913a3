package warren_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestOnePolicyOfAKindApplies(t *testing.T) {
	limit := warren.Table{"max-length": 5}
	p := func(name, pattern string, to warren.ApplyTo, priority int, d warren.Table) warren.Policy {
		return warren.Policy{Name: name, Pattern: pattern, ApplyTo: to, Priority: priority, Definition: d}
	}
	for name, row := range map[string]struct {
		policies             []warren.Policy
		queue, quorum, other string // which policy each follows
		exchange             string
	}{
		"the pattern is not anchored": {[]warren.Policy{p("a", "u", "", 0, limit)}, "a", "a", "", ""},
		"the pattern is anchored":     {[]warren.Policy{p("a", "^queue$", "", 0, limit)}, "a", "", "", ""},
		"no pattern":                  {[]warren.Policy{p("a", "", "", 0, limit)}, "a", "a", "a", "a"},
		"all":                         {[]warren.Policy{p("a", ".*", warren.ApplyToAll, 0, limit)}, "a", "a", "a", "a"},
		"queues":                      {[]warren.Policy{p("a", "", warren.ApplyToQueues, 0, limit)}, "a", "a", "a", ""},
		"exchanges":                   {[]warren.Policy{p("a", "", warren.ApplyToExchanges, 0, limit)}, "", "", "", "a"},
		"classic queues":              {[]warren.Policy{p("a", "", warren.ApplyToClassicQueues, 0, limit)}, "a", "", "a", ""},
		"quorum queues":               {[]warren.Policy{p("a", "", warren.ApplyToQuorumQueues, 0, limit)}, "", "a", "", ""},
		"streams":                     {[]warren.Policy{p("a", "", warren.ApplyToStreams, 0, limit)}, "", "", "", ""},
		"the highest priority": {[]warren.Policy{
			p("a", "", "", -1, limit), p("b", "", "", 3, limit), p("c", "", "", 2, limit)}, "b", "b", "b", "b"},
		"the next one for the others": {[]warren.Policy{
			p("a", "", "", 1, limit), p("b", "^queue", "", 3, limit)}, "b", "a", "a", "a"},
		"the first by name among equals": {[]warren.Policy{
			p("c", "", "", 0, limit), p("a", "", "", 0, limit), p("b", "", "", 0, limit)}, "a", "a", "a", "a"},
		"one with a setting of streams is for nobody else": {[]warren.Policy{
			p("a", "", "", 1, warren.Table{"max-age": "1D", "max-length": 1}), p("b", "", "", 0, limit)}, "b", "b", "b", "a"},
		"one with a setting of classic queues is not for quorum queues": {[]warren.Policy{
			p("a", "", "", 1, warren.Table{"queue-mode": "lazy"}), p("b", "", "", 0, limit)}, "a", "b", "a", "a"},
		"settings of exchanges do not keep it from queues, nor those of queues from exchanges": {[]warren.Policy{
			p("a", "^queue|^exchange", "", 1, warren.Table{"alternate-exchange": "other"}), p("b", "^o", "", 1, limit)}, "a", "", "b", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, order := range []string{"before", "after"} {
				b := warren.New(nil)
				defer b.Close()
				v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
				declare := func() {
					brokertest.Queues(t, ch, "queue", "other")
					brokertest.Queue(t, ch, "quorum", warren.QueueOptions{Args: warren.Table{"x-queue-type": "quorum"}})
					brokertest.Exchanges(t, ch, warren.Direct, "exchange")
				}
				if order == "before" {
					declare()
				}
				for _, p := range row.policies {
					require.NoError(t, v.PolicySet(p))
				}
				if order == "after" {
					declare()
				}
				got := func(e warren.EffectivePolicy, err error) string {
					require.NoError(t, err)
					return e.Policy
				}
				require.Equal(t, row.queue, got(v.PolicyOfQueue("queue")), order)
				require.Equal(t, row.quorum, got(v.PolicyOfQueue("quorum")), order)
				require.Equal(t, row.other, got(v.PolicyOfQueue("other")), order)
				require.Equal(t, row.exchange, got(v.PolicyOfExchange("exchange")), order)
			}
		})
	}
}

func TestTheNextPolicyAppliesWhenOneGoesOrChanges(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q")
	applies := func(want string) {
		t.Helper()
		e, err := v.PolicyOfQueue("q")
		require.NoError(t, err)
		require.Equal(t, want, e.Policy)
	}
	p := warren.Policy{Definition: warren.Table{"max-length": 5}}
	for i, name := range []string{"low", "middle", "high"} {
		p.Name, p.Priority = name, i
		require.NoError(t, v.PolicySet(p))
		applies(name)
	}
	p.Pattern = "^other"
	require.NoError(t, v.PolicySet(p))
	applies("middle")
	p.Pattern = "q"
	require.NoError(t, v.PolicySet(p))
	applies("high")
	p.Priority = -1
	require.NoError(t, v.PolicySet(p))
	applies("middle")
	require.NoError(t, v.PolicyDelete("low"))
	applies("middle")
	require.NoError(t, v.PolicyDelete("middle"))
	applies("high")
	require.NoError(t, v.PolicyDelete("high"))
	applies("")
}

func TestWhatPoliciesAndArgumentsGiveTogether(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q")
	require.NoError(t, v.PolicySet(warren.Policy{Name: "user's", ApplyTo: warren.ApplyToQueues, Definition: warren.Table{
		"max-length": 5, "message-ttl": 100, "overflow": "reject-publish", "dead-letter-exchange": "x", "consumer-timeout": 7}}))
	require.NoError(t, v.OperatorPolicySet(warren.Policy{Name: "operator's", Definition: warren.Table{
		"max-length": int64(3), "message-ttl": 200, "overflow": "drop-head", "expires": 9}}))
	e, err := v.PolicyOfQueue("q")
	require.NoError(t, err)
	require.Equal(t, warren.EffectivePolicy{Policy: "user's", OperatorPolicy: "operator's", Definition: warren.Table{
		"max-length": int64(3), "message-ttl": 100, "overflow": "drop-head", "dead-letter-exchange": "x", "consumer-timeout": 7, "expires": 9,
	}}, e)
	e.Definition["max-length"] = 1000
	e, err = v.PolicyOfExchange("amq.direct")
	require.NoError(t, err)
	require.Equal(t, warren.EffectivePolicy{OperatorPolicy: "operator's", Definition: warren.Table{
		"max-length": int64(3), "message-ttl": 200, "overflow": "drop-head", "expires": 9}}, e)
	_, err = v.PolicyOfQueue("nobody")
	brokertest.Fails(t, err, 404, 0, 0, "NOT_FOUND - no queue 'nobody' in vhost '/'")
	_, err = v.PolicyOfExchange("nobody")
	brokertest.Fails(t, err, 404, 0, 0, "NOT_FOUND - no exchange 'nobody' in vhost '/'")

	for name, row := range map[string]struct{ args, user, operator, left int }{
		"the argument":      {2, 3, 4, 2},
		"the policy":        {4, 2, 3, 2},
		"the operator's":    {4, 3, 2, 2},
		"no argument":       {-1, 3, 2, 2},
		"no operator's":     {4, 3, -1, 3},
		"argument and op's": {4, -1, 3, 3},
		"op's alone":        {-1, -1, 3, 3},
		"zero":              {0, 3, 4, 0},
		"none":              {-1, -1, -1, 5},
	} {
		t.Run("the smallest number: "+name, func(t *testing.T) {
			b := warren.New(nil)
			defer b.Close()
			v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
			args := warren.Table{}
			if row.args >= 0 {
				args["x-max-length"] = int16(row.args)
			}
			brokertest.Queue(t, ch, "q", warren.QueueOptions{Args: args})
			if row.user >= 0 {
				setPolicy(t, v, "q", warren.Table{"max-length": row.user})
			}
			if row.operator >= 0 {
				require.NoError(t, v.OperatorPolicySet(warren.Policy{Name: "o", Definition: warren.Table{"max-length": int64(row.operator)}}))
			}
			brokertest.Put(t, ch, "", "q", "1", "2", "3", "4", "5")
			require.Len(t, brokertest.Drain(t, ch, "q"), row.left)
		})
	}
}

// An argument wins over a policy, wherever it is not a number.
func TestArgumentsWinOverPolicies(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "d1", "d2")
	brokertest.Exchanges(t, ch, warren.Fanout, "x1", "x2")
	for i := range 2 {
		n := fmt.Sprint(i + 1)
		require.NoError(t, ch.QueueBind("d"+n, "", "x"+n, nil))
	}
	full := func(t *testing.T, args, policy warren.Table, want map[string][]string) {
		t.Helper()
		setPolicy(t, v, "q", policy)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Args: args})
		for _, body := range []string{"1", "2"} {
			ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte(body)}, warren.PublishOptions{})
		}
		got := map[string][]string{}
		for _, q := range []string{"q", "d1", "d2"} {
			got[q] = brokertest.Drain(t, ch, q)
		}
		require.Equal(t, want, got)
		_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
	}
	t.Run("dead letter exchange and key", func(t *testing.T) {
		full(t, warren.Table{"x-dead-letter-exchange": "x1"},
			warren.Table{"max-length": 1, "dead-letter-exchange": "x2", "dead-letter-routing-key": "k"},
			map[string][]string{"q": {"2"}, "d1": {"1"}, "d2": {}})
		full(t, warren.Table{"x-dead-letter-exchange": ""},
			warren.Table{"max-length": 1, "dead-letter-exchange": "x1", "dead-letter-routing-key": "d2"},
			map[string][]string{"q": {"2"}, "d1": {}, "d2": {"1"}})
		full(t, warren.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "d1"},
			warren.Table{"max-length": 1, "dead-letter-routing-key": "d2"},
			map[string][]string{"q": {"2"}, "d1": {"1"}, "d2": {}})
	})
	t.Run("a key alone means nothing", func(t *testing.T) {
		full(t, nil, warren.Table{"max-length": 1, "dead-letter-routing-key": "d2"},
			map[string][]string{"q": {"2"}, "d1": {}, "d2": {}})
	})
	t.Run("overflow", func(t *testing.T) {
		full(t, warren.Table{"x-overflow": "drop-head"}, warren.Table{"max-length": 1, "overflow": "reject-publish"},
			map[string][]string{"q": {"2"}, "d1": {}, "d2": {}})
		full(t, warren.Table{"x-overflow": "reject-publish"}, warren.Table{"max-length": 1, "overflow": "drop-head"},
			map[string][]string{"q": {"1"}, "d1": {}, "d2": {}})
	})
	t.Run("alternate exchange", func(t *testing.T) {
		for name, row := range map[string]struct {
			o    warren.ExchangeOptions
			want string
		}{
			"none":     {warren.ExchangeOptions{}, "d2"},
			"field":    {warren.ExchangeOptions{Alternate: "x1"}, "d1"},
			"argument": {warren.ExchangeOptions{Args: warren.Table{"alternate-exchange": "x1"}}, "d1"},
			"empty":    {warren.ExchangeOptions{Args: warren.Table{"alternate-exchange": ""}}, ""},
		} {
			setPolicy(t, v, name, warren.Table{"alternate-exchange": "x2"})
			require.NoError(t, ch.ExchangeDeclare(name, warren.Direct, row.o))
			brokertest.Put(t, ch, name, "k", "1")
			for _, q := range []string{"d1", "d2"} {
				require.Equal(t, q == row.want, len(brokertest.Drain(t, ch, q)) == 1, "%s: %s", name, q)
			}
			require.NoError(t, ch.ExchangeDeclare(name, warren.Direct, row.o), "a policy is no difference")
		}
	})
}

func TestPoliciesAreNoDifferenceForARedeclaration(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	setPolicy(t, v, "q", warren.Table{"max-length": 1})
	brokertest.Queues(t, ch, "q", "q")
	_, err := ch.QueueDeclare("q", warren.QueueOptions{MaxLength: 1})
	brokertest.Fails(t, err, 406, 50, 10, "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value '1' of type 'long' but current is none")
}

func TestALowerMaxLengthTrimsAtOnce(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "dead")
	brokertest.Queue(t, ch, "q", warren.QueueOptions{Args: warren.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}})
	brokertest.Put(t, ch, "", "q", "1", "22", "333", "4444", "55555")

	setPolicy(t, v, "q", warren.Table{"max-length": 3})
	require.Equal(t, 3, brokertest.Ready(t, ch, "q"))
	d := brokertest.Take(t, ch, "dead")
	require.Equal(t, "1", string(d.Body), "the oldest first")
	require.Equal(t, "maxlen", d.Headers["x-death"].([]any)[0].(warren.Table)["reason"])
	require.Equal(t, []string{"22"}, brokertest.Drain(t, ch, "dead"))

	setPolicy(t, v, "q", warren.Table{"max-length-bytes": 9})
	require.Equal(t, 2, brokertest.Ready(t, ch, "q"))
	setPolicy(t, v, "q", warren.Table{"max-length": 1, "overflow": "reject-publish"})
	require.Equal(t, 2, brokertest.Ready(t, ch, "q"), "a queue that refuses new messages keeps the old ones")
	require.ErrorIs(t, brokertest.Send(ch, "", "q", warren.Message{}, warren.PublishOptions{}), warren.ErrNacked)

	require.NoError(t, v.PolicyDelete("p-q"))
	brokertest.Put(t, ch, "", "q", "6", "7")
	require.Equal(t, []string{"4444", "55555", "6", "7"}, brokertest.Drain(t, ch, "q"), "without the policy there is no limit")
}

func TestATimeToLiveByPolicyIsForMessagesToCome(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "before")
		setPolicy(t, v, "q", warren.Table{"message-ttl": 86400000})
		require.Equal(t, []string{"before"}, brokertest.Drain(t, ch, "q"))

		brokertest.Put(t, ch, "", "q", "before")
		brokertest.Put(t, ch, "", "q", "kept")
		brokertest.Later(24 * time.Hour)
		require.Zero(t, brokertest.Ready(t, ch, "q"))

		brokertest.Put(t, ch, "", "q", "a day")
		setPolicy(t, v, "q", warren.Table{"message-ttl": 1000})
		brokertest.Later(time.Hour)
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"), "it keeps the time that it got")
		require.NoError(t, v.PolicyDelete("p-q"))
		brokertest.Later(22 * time.Hour)
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
		brokertest.Later(time.Hour)
		require.Zero(t, brokertest.Ready(t, ch, "q"), "after the policy is gone, too")
		brokertest.Put(t, ch, "", "q", "no limit")
		brokertest.Later(1000 * time.Hour)
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"))

		// So many milliseconds are less than one, in 64 bits of nanoseconds.
		setPolicy(t, v, "q", warren.Table{"message-ttl": int64(18446744073710), "expires": int64(18446744073710)})
		brokertest.Put(t, ch, "", "q", "longer than a time can be")
		brokertest.Later(1000 * time.Hour)
		require.Equal(t, 2, brokertest.Ready(t, ch, "q"))
	})
}

func TestAQueueExpiresByPolicy(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "kept")
		there := func(name string) bool {
			_, err := v.PolicyOfQueue(name) // it is no use of the queue
			return err == nil
		}
		brokertest.Later(time.Hour)
		setPolicy(t, v, "q", warren.Table{"expires": 60000})
		setPolicy(t, v, "kept", warren.Table{"expires": 60000})
		brokertest.Later(59 * time.Second)
		require.True(t, there("q"), "the time counts from the policy on")
		setPolicy(t, v, "q", warren.Table{"expires": 60000, "max-length": 5})
		require.NoError(t, v.PolicyDelete("p-kept"))
		brokertest.Later(59 * time.Second)
		require.True(t, there("q"), "and anew from a change")
		brokertest.Later(2 * time.Second)
		require.False(t, there("q"))
		brokertest.Later(time.Hour)
		require.True(t, there("kept"), "not without the policy")

		setPolicy(t, v, "kept", warren.Table{"expires": 60000})
		c := brokertest.Consume(t, ch, "kept", warren.ConsumeOptions{})
		brokertest.Later(time.Hour)
		require.True(t, there("kept"), "not while it has a consumer")
		setPolicy(t, v, "kept", warren.Table{"expires": 1000})
		brokertest.Later(time.Hour)
		require.True(t, there("kept"))
		require.NoError(t, c.Cancel())
		brokertest.Later(time.Second)
		synctest.Wait()
		require.False(t, there("kept"))
	})
}

func TestDeadLetterSettingsCountWhenAMessageIsLost(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q", "d1", "d2")
	lose := func(body string) {
		t.Helper()
		brokertest.Put(t, ch, "", "q", body)
		d := brokertest.Take(t, ch, "q")
		require.NoError(t, d.Reject(false))
	}
	lose("0")
	setPolicy(t, v, "q", warren.QueuePolicy(warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "d1"}}))
	lose("1")
	setPolicy(t, v, "q", warren.QueuePolicy(warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "d2"}}))
	lose("2")
	require.NoError(t, v.PolicyDelete("p-q"))
	lose("3")
	require.Equal(t, []string{"1"}, brokertest.Drain(t, ch, "d1"))
	require.Equal(t, []string{"2"}, brokertest.Drain(t, ch, "d2"))
}

func TestADeliveryLimitByPolicyCountsFromThenOn(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q")
	comeBack := func(times int) {
		t.Helper()
		for range times {
			d := brokertest.Take(t, ch, "q")
			require.NoError(t, d.Nack(false, true))
		}
	}
	brokertest.Put(t, ch, "", "q", "1")
	comeBack(5)
	setPolicy(t, v, "q", warren.Table{"delivery-limit": 2})
	comeBack(2)
	require.NoError(t, v.PolicyDelete("p-q"))
	comeBack(3)
	setPolicy(t, v, "q", warren.Table{"delivery-limit": 2})
	comeBack(1)
	require.Zero(t, brokertest.Ready(t, ch, "q"))
}

func TestAnAlternateExchangeByPolicy(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q")
	brokertest.Exchanges(t, ch, warren.Fanout, "other")
	require.NoError(t, ch.QueueBind("q", "", "other", nil))
	brokertest.Exchanges(t, ch, warren.Direct, "x")
	for _, exchange := range []string{"x", "amq.topic"} {
		brokertest.Put(t, ch, exchange, "k", "before")
		setPolicy(t, v, exchange, warren.ExchangePolicy(warren.ExchangeOptions{Alternate: "other"}))
		brokertest.Put(t, ch, exchange, "k", "with")
		require.NoError(t, v.PolicyDelete("p-"+exchange))
		brokertest.Put(t, ch, exchange, "k", "after")
		require.Equal(t, []string{"with"}, brokertest.Drain(t, ch, "q"), exchange)
	}
	require.NoError(t, v.PolicySet(warren.Policy{Name: "all", Definition: warren.Table{"alternate-exchange": "other"}}))
	brokertest.Put(t, ch, "", "nowhere", "to the default exchange")
	require.Empty(t, brokertest.Drain(t, ch, "q"), "the default exchange has none")
	brokertest.Exchanges(t, ch, warren.Direct, "late")
	brokertest.Put(t, ch, "late", "k", "late")
	require.Equal(t, []string{"late"}, brokertest.Drain(t, ch, "q"))
}

func TestExclusiveQueuesFollowPolicies(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	setPolicy(t, v, ".*", warren.Table{"max-length": 1})
	q, err := ch.QueueDeclare("", warren.QueueOptions{Exclusive: true})
	require.NoError(t, err)
	brokertest.Put(t, ch, "", q.Name, "1", "2")
	require.Equal(t, []string{"2"}, brokertest.Drain(t, ch, q.Name))
}

func TestRepliesFollowNoPolicies(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v := brokertest.VirtualHost(t, b, "/")
		setPolicy(t, v, ".*", warren.Table{"max-length": 0, "message-ttl": 0})
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "server")
		server := brokertest.Consume(t, ch, "server", warren.ConsumeOptions{})
		replies := brokertest.Consume(t, ch, "amq.direct.reply-to", warren.ConsumeOptions{NoAck: true})
		require.NoError(t, brokertest.Send(ch, "", "server", warren.Message{ReplyTo: "amq.direct.reply-to"}, warren.PublishOptions{}))
		request := brokertest.Next(t, server)
		brokertest.Put(t, ch, "", request.ReplyTo, "1", "2")
		require.Equal(t, []string{"1", "2"}, brokertest.Bodies(brokertest.Read(t, replies)))
	})
}

func TestThePolicyThatWasSetLastCounts(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v, ch := brokertest.VirtualHost(t, b, "/"), brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q")
	p := warren.Policy{Name: "p", Definition: warren.Table{"max-length": 1}}
	warren.OvertakePolicy(v, p, func() {
		p.Definition = warren.Table{"max-length": 2}
		require.NoError(t, v.PolicySet(p))
		brokertest.Queues(t, ch, "new")
	})
	for _, q := range []string{"q", "new"} {
		brokertest.Put(t, ch, "", q, "1", "2", "3")
		require.Equal(t, []string{"2", "3"}, brokertest.Drain(t, ch, q))
	}
}

// A queue that is declared while policies change, and one that two changes
// concern at once, end with the rules of the policy that there is.
func TestPoliciesThatChangeAtOnce(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v := brokertest.VirtualHost(t, b, "/")
	const workers, changes = 4, 30
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			ch := brokertest.Channel(t, b)
			for i := range changes {
				brokertest.Queues(t, ch, fmt.Sprint("q", w, "-", i))
				p := warren.Policy{Name: fmt.Sprint(i % 3), Pattern: "^q", Priority: i % 3, Definition: warren.Table{"max-length": 1 + (w+i)%4}}
				require.NoError(t, v.PolicySet(p))
				if i%5 == 0 {
					v.PolicyDelete(p.Name)
				}
			}
		})
	}
	done.Wait()
	ch := brokertest.Channel(t, b)
	for w := range workers {
		for i := range changes {
			name := fmt.Sprint("q", w, "-", i)
			e, err := v.PolicyOfQueue(name)
			require.NoError(t, err)
			brokertest.Put(t, ch, "", name, "1", "2", "3", "4", "5")
			require.Len(t, brokertest.Drain(t, ch, name), e.Definition["max-length"].(int), "%s: %+v", name, e)
		}
	}
}
