package warren

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestViewsShowWhatThereIs asks for every kind of view.
func TestViewsShowWhatThereIs(t *testing.T) {
	b := New(nil)
	defer b.Close()
	s, err := b.Session()
	require.NoError(t, err)
	ch, err := s.Channel()
	require.NoError(t, err)
	v := s.VirtualHost()

	require.NoError(t, v.PolicySet(Policy{Name: "p", Pattern: "^jobs$", Definition: Table{"max-length": 7}}))
	require.NoError(t, ch.ExchangeDeclare("later", DelayedMessage, ExchangeOptions{DelayedType: Fanout, Durable: true}))
	_, err = ch.QueueDeclare("jobs", QueueOptions{Durable: true, MaxPriority: 3})
	require.NoError(t, err)
	_, err = ch.QueueDeclare("mine", QueueOptions{Exclusive: true})
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind("jobs", "key", "later", Table{"a": "b"}))
	require.NoError(t, ch.QueueBind("mine", "", "amq.fanout", nil))
	require.NoError(t, ch.ExchangeBind("later", "k", "amq.direct", nil))
	c, err := ch.Consume("jobs", ConsumeOptions{Prefetch: 5, Priority: 2, Tag: "tag"})
	require.NoError(t, err)
	require.NoError(t, ch.Publish(t.Context(), "", "jobs", Message{Body: []byte("x")}, PublishOptions{}))
	require.NoError(t, ch.Publish(t.Context(), "", "mine", Message{Body: []byte("y")}, PublishOptions{}))
	require.NoError(t, ch.Publish(t.Context(), "later", "", Message{Headers: Table{DelayHeader: 60_000}}, PublishOptions{}))
	_, err = c.Next(t.Context())
	require.NoError(t, err)

	topology := v.view()
	byName := func(q queueView) bool { return q.name == "jobs" }
	jobs := topology.queues[slices.IndexFunc(topology.queues, byName)]
	require.True(t, jobs.durable)
	require.False(t, jobs.exclusive || jobs.autoDelete)
	require.Equal(t, "p", jobs.policies[userPolicy].Name)
	require.Equal(t, 1, jobs.stats().Unacked)
	require.EqualValues(t, 1, jobs.stats().Published)
	consumer := jobs.consumers()[0]
	require.Equal(t, []any{"tag", false, 2, 5, 1, true}, []any{consumer.Tag, consumer.NoAck, consumer.Priority, consumer.Prefetch, consumer.Unacked, consumer.Active})
	mine := topology.queues[slices.IndexFunc(topology.queues, func(q queueView) bool { return q.name == "mine" })]
	require.True(t, mine.exclusive)
	require.Same(t, s, mine.owner)
	require.Equal(t, 1, mine.stats().Ready)

	later := topology.exchanges[slices.IndexFunc(topology.exchanges, func(x exchangeView) bool { return x.name == "later" })]
	require.Equal(t, DelayedMessage, later.kind)
	require.True(t, later.durable)
	messages, bytes := later.delayed()
	require.Equal(t, 1, messages)
	require.Positive(t, bytes)

	slices.SortFunc(topology.bindings, func(a, b bindingView) int { return strings.Compare(a.source, b.source) })
	require.Len(t, topology.bindings, 3)
	for i, want := range []bindingView{
		{source: "amq.direct", destination: "later", key: "k"},
		{source: "amq.fanout", destination: "mine", toQueue: true, exclusive: true},
		{source: "later", destination: "jobs", toQueue: true, key: "key", args: Table{"a": "b"}},
	} {
		got := topology.bindings[i]
		got.canonical = ""
		require.Equal(t, want, got)
	}
}
