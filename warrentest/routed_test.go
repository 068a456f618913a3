package warrentest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

// bindOrders declares an exchange "orders" with two queues.
func bindOrders(t testing.TB, b *warrentest.Broker) {
	ch := brokertest.Channel(t, b)
	brokertest.Exchanges(t, ch, warren.Topic, "orders")
	brokertest.Queues(t, ch, "audit", "mail")
	require.NoError(t, ch.QueueBind("audit", "#", "orders", nil))
	require.NoError(t, ch.QueueBind("mail", "*.paid", "orders", nil))
	require.NoError(t, ch.QueueBind("mail", "", "amq.headers", warren.Table{"loud": true}))
}

func TestRequireRoutedSendsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		bindOrders(t, b)
		b.RequireRouted("orders", "order.paid", nil, "mail", "audit")
		b.RequireRouted("orders", "order.sent", nil, "audit")
		b.RequireRouted("amq.headers", "", warren.Table{"loud": true}, "mail")
		b.RequireRouted("amq.headers", "", nil)
		b.RequireRouted("", "audit", nil, "audit")
		require.Zero(t, b.Stats().Published)
	})
}

func TestRequireRoutedShowsTheDifference(t *testing.T) {
	fails(t, `warrentest: a message to exchange 'orders' with key 'order.paid' is not routed as wanted (- wanted, + there)
  audit
- billing
+ mail
the exchange's bindings:
  binding orders -> queue audit key #
  binding orders -> queue mail key *.paid`,
		func(t testing.TB, b *warrentest.Broker) {
			bindOrders(t, b)
			b.RequireRouted("orders", "order.paid", nil, "billing", "audit")
		})
	fails(t, `warrentest: a message to exchange 'amq.fanout' with key '' and headers loud=true n=1 is not routed as wanted (- wanted, + there)
- mail
the exchange has no bindings`,
		func(t testing.TB, b *warrentest.Broker) {
			b.RequireRouted("amq.fanout", "", warren.Table{"n": 1, "loud": true}, "mail")
		})
	fails(t, `warrentest: a message to exchange '' with key 'mial' is not routed as wanted (- wanted, + there)
- mail
each queue is bound to the default exchange by its name`,
		func(t testing.TB, b *warrentest.Broker) {
			bindOrders(t, b)
			b.RequireRouted("", "mial", nil, "mail")
		})
	fails(t, `warrentest: route a message to exchange 'none' with key 'k': warren: basic.publish: 404 NOT_FOUND - no exchange 'none' in vhost '/'`,
		func(t testing.TB, b *warrentest.Broker) { b.RequireRouted("none", "k", nil) })
}
