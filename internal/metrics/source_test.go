package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/metrics"
)

// figures are samples by name and label values.
type figures map[string]metrics.Sample

// figuresOf checks what must be true of all families, and returns the samples.
func figuresOf(t *testing.T, families []metrics.Family) figures {
	t.Helper()
	f := make(figures)
	names := make(map[string]bool)
	for _, family := range families {
		require.False(t, names[family.Name], "%s is there once", family.Name)
		names[family.Name] = true
		require.NotEmpty(t, family.Help, family.Name)
		require.Equal(t, family.Kind == metrics.Counter, strings.HasSuffix(family.Name, "_total"), family.Name)
		for _, s := range family.Samples {
			require.Len(t, s.Labels, len(family.Labels), family.Name)
			require.Equal(t, family.Kind == metrics.Histogram, s.Histogram != nil, family.Name)
			key := strings.Join(append([]string{family.Name}, s.Labels...), " ")
			_, twice := f[key]
			require.False(t, twice, "%s is there once", key)
			f[key] = s
		}
	}
	return f
}

func (f figures) require(t *testing.T, want map[string]float64) {
	t.Helper()
	for key, value := range want {
		s, ok := f[key]
		require.True(t, ok, "%s is there", key)
		require.InDelta(t, value, s.Value, 0, key)
	}
}

func newSource(b *warren.Broker, servers ...*amqp.Server) *metrics.Source {
	return metrics.NewSource(b, metrics.Options{Node: "node", Cluster: "cluster", ID: "id", Compatible: "4.2.0", Version: "v1", Servers: servers})
}

// traffic makes a broker with a bit of everything.
func traffic(t *testing.T, b *warren.Broker, ch *warren.Channel) {
	t.Helper()
	_, err := ch.QueueDeclare("q", warren.QueueOptions{})
	require.NoError(t, err)
	brokertest.Put(t, ch, "", "q", "1", "2", "3", "4", "5", "6")
	brokertest.Put(t, ch, "amq.topic", "nowhere", "dropped", "dropped")
	err = brokertest.Send(ch, "", "nowhere", warren.Message{}, warren.PublishOptions{Mandatory: true})
	require.ErrorIs(t, err, warren.ErrNoRoute)
	_, ok, err := ch.Get("q", true)
	require.True(t, ok)
	require.NoError(t, err)
	d, ok, err := ch.Get("q", false)
	require.True(t, ok)
	require.NoError(t, err)
	require.NoError(t, d.Ack(false))
	noAck := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{NoAck: true, Prefetch: 1})
	brokertest.Next(t, noAck)
	require.NoError(t, noAck.Cancel())
}

func TestFiguresOfABroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		defer b.Close()
		s := newSource(b)
		s.Overall()
		time.Sleep(time.Minute)
		ch := brokertest.Channel(t, b)
		traffic(t, b, ch)
		acks := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		brokertest.Next(t, acks)
		require.Error(t, b.Authenticate("nobody", "wrong"))
		require.NoError(t, b.Authenticate(warren.Guest, warren.Guest))
		_, err := ch.QueueDeclare("gone", warren.QueueOptions{})
		require.NoError(t, err)
		_, err = ch.QueueDelete("gone", warren.QueueDeleteOptions{})
		require.NoError(t, err)

		f := figuresOf(t, s.Overall())
		const messages = "rabbitmq_global_messages_"
		f.require(t, map[string]float64{
			"rabbitmq_identity_info node cluster aggregated id": 1,
			"rabbitmq_build_info 4.2.0 Warren v1":               1,
			"rabbitmq_connections":                              1,
			"rabbitmq_channels":                                 1,
			"rabbitmq_queues":                                   1,
			"rabbitmq_consumers":                                1,
			"warren_virtual_hosts":                              1,
			"rabbitmq_connections_opened_total":                 1,
			"rabbitmq_connections_closed_total":                 0,
			"rabbitmq_channels_opened_total":                    1,
			"rabbitmq_channels_closed_total":                    0,
			"rabbitmq_queues_declared_total":                    2,
			"rabbitmq_queues_created_total":                     2,
			"rabbitmq_queues_deleted_total":                     1,
			"rabbitmq_auth_attempts_total":                      2,
			"rabbitmq_auth_attempts_succeeded_total":            1,
			"rabbitmq_auth_attempts_failed_total":               1,
			"rabbitmq_erlang_uptime_seconds":                    60,
			"warren_memory_limit_bytes":                         1 << 30,
			"rabbitmq_alarms_memory_used_watermark":             0,
			"rabbitmq_alarms_free_disk_space_watermark":         0,
			"warren_publishers_waiting memory":                  0,
			"warren_publishers_waiting disk":                    0,

			messages + "received_total amqp091":                     9,
			messages + "routed_total amqp091":                       6,
			messages + "unroutable_dropped_total amqp091":           2,
			messages + "unroutable_returned_total amqp091":          1,
			messages + "delivered_total amqp091":                    4,
			messages + "delivered_consume_auto_ack_total amqp091":   1,
			messages + "delivered_consume_manual_ack_total amqp091": 1,
			messages + "delivered_get_auto_ack_total amqp091":       1,
			messages + "delivered_get_manual_ack_total amqp091":     1,
			messages + "get_empty_total amqp091":                    0,
			messages + "redelivered_total amqp091":                  0,
			messages + "acknowledged_total amqp091":                 1,
			messages + "confirmed_total amqp091":                    0,
			"rabbitmq_global_publishers amqp091":                    1,
			"rabbitmq_global_consumers amqp091":                     1,

			"rabbitmq_queue_messages_ready":     2,
			"rabbitmq_queue_messages_unacked":   1,
			"rabbitmq_queue_messages":           3,
			"rabbitmq_queue_consumers":          1,
			"rabbitmq_channel_consumers":        1,
			"rabbitmq_channel_messages_unacked": 1,
		})
		require.Positive(t, f["rabbitmq_process_resident_memory_bytes"].Value)
		left := f["rabbitmq_resident_memory_limit_bytes"].Value - f["rabbitmq_process_resident_memory_bytes"].Value
		require.InDelta(t, 1<<30-f["warren_memory_bytes"].Value, left, 0)
		require.NotContains(t, f, "rabbitmq_disk_space_available_bytes", "there is no disk")
	})
}

func TestFiguresOfConfirmsAndTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		defer b.Close()
		s := newSource(b)
		s.Overall()
		confirms, tx := brokertest.Channel(t, b), brokertest.Channel(t, b)
		_, err := confirms.QueueDeclare("q", warren.QueueOptions{})
		require.NoError(t, err)
		require.NoError(t, confirms.Confirm())
		brokertest.Put(t, confirms, "", "q", "1", "2")
		require.NoError(t, tx.Tx())
		brokertest.Put(t, tx, "", "q", "3")
		d := brokertest.Take(t, tx, "q")
		require.NoError(t, d.Ack(false))
		figuresOf(t, s.Overall()).require(t, map[string]float64{
			"rabbitmq_global_messages_confirmed_total amqp091":        2,
			"rabbitmq_global_messages_received_confirm_total amqp091": 2,
			"rabbitmq_channel_messages_uncommitted":                   1,
			"rabbitmq_channel_acks_uncommitted":                       1,
		})
		require.NoError(t, confirms.Close())
		require.NoError(t, tx.TxRollback())
		figuresOf(t, s.Overall()).require(t, map[string]float64{
			"rabbitmq_global_messages_confirmed_total amqp091":        2,
			"rabbitmq_global_messages_received_confirm_total amqp091": 2,
			"rabbitmq_channel_messages_uncommitted":                   0,
		})
	})
}

func TestFiguresOfABrokerWithADirectory(t *testing.T) {
	b, err := warren.Open(t.TempDir(), &warren.Options{DiskLimit: 12345})
	require.NoError(t, err)
	defer b.Close()
	f := figuresOf(t, newSource(b).Overall())
	require.Positive(t, f["rabbitmq_disk_space_available_bytes"].Value)
	f.require(t, map[string]float64{"rabbitmq_disk_space_available_limit_bytes": 12345})
}

func TestWhatHasNoLimitIsLeftOut(t *testing.T) {
	b := warren.New(&warren.Options{MemoryLimit: -1})
	defer b.Close()
	f := figuresOf(t, newSource(b).Overall())
	require.NotContains(t, f, "rabbitmq_resident_memory_limit_bytes")
	require.NotContains(t, f, "warren_memory_limit_bytes")
	require.Contains(t, f, "rabbitmq_process_resident_memory_bytes")
}

func TestSizesOfMessages(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	s := newSource(b)
	s.Overall()
	ch := brokertest.Channel(t, b)
	for _, n := range []int{0, 100, 101, 1000, 20_000, 2_000_000} {
		require.NoError(t, brokertest.Send(ch, "amq.fanout", "", warren.Message{Body: make([]byte, n)}, warren.PublishOptions{}))
	}
	h := figuresOf(t, s.Overall())["rabbitmq_message_size_bytes amqp091"].Histogram
	require.Equal(t, &metrics.Distribution{Count: 6, Sum: 2_021_201, Buckets: []metrics.Bucket{
		{Limit: 100, Count: 2}, {Limit: 1e3, Count: 4}, {Limit: 1e4, Count: 4}, {Limit: 1e5, Count: 5},
		{Limit: 1e6, Count: 5}, {Limit: 1e7, Count: 6}, {Limit: 5e7, Count: 6}, {Limit: 1e8, Count: 6},
	}}, h)
}

func TestABrokerCountsWhileSomebodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		defer b.Close()
		ch := brokertest.Channel(t, b)
		s := newSource(b)
		received := func() float64 {
			return figuresOf(t, s.Overall())["rabbitmq_global_messages_received_total amqp091"].Value
		}
		publish := func() { brokertest.Put(t, ch, "amq.fanout", "", "m") }
		publish()
		require.Zero(t, received(), "nobody has looked before")
		publish()
		require.EqualValues(t, 1, received())
		time.Sleep(9 * time.Minute)
		require.EqualValues(t, 1, received())
		time.Sleep(9 * time.Minute)
		publish()
		require.EqualValues(t, 2, received(), "a look every nine minutes is enough")
		time.Sleep(10*time.Minute + time.Second)
		publish()
		require.EqualValues(t, 2, received(), "nobody has looked for ten minutes")
		publish()
		require.EqualValues(t, 3, received())
		s.Close()
		s.Close()
		publish()
		require.EqualValues(t, 3, received(), "the source was closed")
		publish()
		require.EqualValues(t, 4, received())
		s.Close()
		time.Sleep(time.Hour)
	})
}

func TestFiguresOfObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		defer b.Close()
		s := newSource(b)
		s.PerObject()
		ch := brokertest.Channel(t, b)
		traffic(t, b, ch)
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		other := brokertest.Channel(t, v)
		brokertest.Stream(t, other, "q", warren.QueueOptions{})
		brokertest.Put(t, other, "", "q", "1")
		require.NoError(t, other.QueueBind("q", "key", "amq.topic", nil))

		f := figuresOf(t, s.PerObject())
		channel := ch.Session().ID() + " (1) /"
		f.require(t, map[string]float64{
			"rabbitmq_identity_info node cluster per-object id": 1,
			"rabbitmq_queues":                                                2,
			"rabbitmq_queue_messages_ready / q":                              3,
			"rabbitmq_queue_messages_ready v q":                              1,
			"rabbitmq_queue_messages_unacked / q":                            0,
			"rabbitmq_queue_messages / q":                                    3,
			"rabbitmq_queue_consumers / q":                                   0,
			"rabbitmq_queue_messages_ram / q":                                3,
			"warren_queue_messages_on_disk / q":                              0,
			"rabbitmq_queue_messages_published_total / q":                    6,
			"rabbitmq_queue_get_ack_total / q":                               1,
			"rabbitmq_queue_get_total / q":                                   1,
			"rabbitmq_queue_messages_delivered_ack_total / q":                0,
			"rabbitmq_queue_messages_delivered_total / q":                    1,
			"rabbitmq_queue_messages_acked_total / q":                        1,
			"rabbitmq_queue_get_empty_total / q":                             0,
			"rabbitmq_queue_info / q rabbit_classic_queue":                   1,
			"rabbitmq_queue_info v q rabbit_stream_queue":                    1,
			"rabbitmq_stream_segments v q":                                   1,
			"rabbitmq_exchange_messages_published_total / ":                  7,
			"rabbitmq_exchange_messages_published_total / amq.topic":         2,
			"warren_exchange_messages_routed_total / ":                       6,
			"rabbitmq_channel_messages_published_total " + channel:           9,
			"rabbitmq_channel_messages_unroutable_returned_total " + channel: 1,
			"rabbitmq_channel_messages_unroutable_dropped_total " + channel:  2,
			"rabbitmq_channel_get_ack_total " + channel:                      1,
			"rabbitmq_channel_get_total " + channel:                          1,
			"rabbitmq_channel_messages_delivered_ack_total " + channel:       0,
			"rabbitmq_channel_messages_delivered_total " + channel:           1,
			"rabbitmq_channel_messages_acked_total " + channel:               1,
			"rabbitmq_connection_channels " + ch.Session().ID() + " /":       1,
		})
		require.NotContains(t, f, "rabbitmq_queue_messages_ready", "no sum beside the queues")
		require.NotContains(t, f, "rabbitmq_stream_segments / q")
	})
}

func TestFiguresOfGroups(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	s := newSource(b)
	v, err := b.VirtualHostDeclare("v")
	require.NoError(t, err)
	for _, x := range []brokertest.Opener{b, v} {
		ch := brokertest.Channel(t, x)
		_, err := ch.QueueDeclare("q", warren.QueueOptions{})
		require.NoError(t, err)
		require.NoError(t, ch.QueueBind("q", "key", "amq.topic", nil))
	}
	f := figuresOf(t, s.Detailed([]string{"queue_coarse_metrics", "nonsense", "queue_coarse_metrics", "exchange_bindings"}, nil))
	f.require(t, map[string]float64{
		"rabbitmq_identity_info node cluster detailed id":      1,
		"rabbitmq_detailed_queue_messages / q":                 0,
		"rabbitmq_detailed_queue_messages v q":                 0,
		"rabbitmq_cluster_exchange_bindings / amq.topic topic": 1,
	})
	require.NotContains(t, f, "rabbitmq_detailed_queue_consumers / q")

	f = figuresOf(t, s.Detailed(metrics.Groups(), []string{"v", "nowhere"}))
	f.require(t, map[string]float64{
		"rabbitmq_detailed_queue_consumers v q":                           0,
		"rabbitmq_cluster_vhost_status v":                                 1,
		"rabbitmq_cluster_exchange_name v amq.topic topic":                1,
		"rabbitmq_detailed_exchange_messages_published_total v amq.topic": 0,
	})
	for key := range f {
		require.NotContains(t, key, " /")
	}
	require.Len(t, figuresOf(t, s.Detailed(nil, nil)), 2, "only who it is")
	require.Len(t, figuresOf(t, s.Detailed(metrics.Groups(), []string{"nowhere"})), 2)
}

func TestFiguresOfConnections(t *testing.T) {
	b, server := brokertest.Serve(t, nil, nil)
	conn := brokertest.Dial(t, server.Dial, amqp091.Config{})
	brokertest.ClientChannel(t, conn)
	f := figuresOf(t, newSource(b, server).PerObject())
	id := server.Connections()[0].Session
	require.Positive(t, f["rabbitmq_connection_incoming_bytes_total "+id+" /"].Value)
	require.Positive(t, f["rabbitmq_connection_outgoing_bytes_total "+id+" /"].Value)
	f.require(t, map[string]float64{"rabbitmq_connection_channels " + id + " /": 1})
}

func TestFiguresOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		defer b.Close()
		s := newSource(b)
		s.Overall()
		gate := brokertest.NewGate()
		slow := brokertest.Handle(t, b, "slow", gate.Serve, warren.HandleOptions{Concurrency: 3})
		h := brokertest.Handle(t, b, "price", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(20 * time.Millisecond)
			switch string(req.Body) {
			case "bad":
				return warren.Message{}, &warren.RemoteError{Code: "no_such_article"}
			case "worse":
				return warren.Message{}, errors.New("x")
			}
			return warren.Message{}, nil
		})
		for _, body := range []string{"good", "good", "bad", "worse"} {
			_, err := b.Call(t.Context(), "price", warren.Message{Body: []byte(body)})
			require.Equal(t, body != "good", err != nil)
		}
		ctx, cancel := context.WithCancel(t.Context())
		waits := brokertest.Call(ctx, b, "slow", "")
		synctest.Wait()
		time.Sleep(7 * time.Second)

		f := figuresOf(t, s.Overall())
		f.require(t, map[string]float64{
			"warren_rpc_calls_waiting":                1,
			"warren_rpc_oldest_call_seconds":          7,
			"warren_rpc_handlers":                     2,
			"warren_rpc_serving":                      1,
			"warren_rpc_served_total":                 4,
			"warren_rpc_gone_total":                   0,
			"warren_rpc_failed_total error":           1,
			"warren_rpc_failed_total no_such_article": 1,
			"warren_rpc_replies_delivered_total":      4,
			"warren_rpc_replies_too_late_total":       0,
			"warren_rpc_replies_too_fast_total":       0,
			"warren_rpc_reply_consumers":              0,
		})
		times := f["warren_rpc_duration_seconds"].Histogram
		require.EqualValues(t, 4, times.Count)
		require.InEpsilon(t, 0.08, times.Sum, 0.125)
		for _, bucket := range times.Buckets {
			switch {
			case bucket.Limit <= 0.01:
				require.Zero(t, bucket.Count, bucket.Limit)
			case bucket.Limit >= 0.05:
				require.EqualValues(t, 4, bucket.Count, bucket.Limit)
			}
		}

		f = figuresOf(t, s.PerObject())
		var tag string
		for key := range f {
			if rest, ok := strings.CutPrefix(key, "warren_rpc_handler_served_total / price "); ok {
				tag = rest
			}
		}
		f.require(t, map[string]float64{
			"warren_rpc_handler_served_total / price " + tag: 4,
			"warren_rpc_handler_failed_total / price " + tag: 2,
			"warren_rpc_handler_serving / price " + tag:      0,
		})
		require.EqualValues(t, 4, f["warren_rpc_handler_duration_seconds / price "+tag].Histogram.Count)

		require.NoError(t, h.Close())
		cancel()
		_, err := brokertest.Answer(t, waits)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, slow.Close())
		f = figuresOf(t, s.Overall())
		require.EqualValues(t, 4, f["warren_rpc_duration_seconds"].Histogram.Count, "handlers that have ended count")
		f.require(t, map[string]float64{"warren_rpc_handlers": 0, "warren_rpc_served_total": 4, "warren_rpc_failed_total error": 1})
	})
}

func TestMetricsOfHostileNames(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	ch := brokertest.Channel(t, b)
	names := []string{`a"b`, `a\nb`, "<script>", "é", "%2F", strings.Repeat("x", 255), "}"}
	for _, name := range names {
		_, err := ch.QueueDeclare(name, warren.QueueOptions{})
		require.NoError(t, err)
	}
	var text strings.Builder
	require.NoError(t, metrics.WriteText(&text, newSource(b).PerObject()))
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for _, name := range names {
		line := fmt.Sprintf("rabbitmq_queue_messages{vhost=\"/\",queue=\"%s\"} 0\n", escape.Replace(name))
		require.True(t, strings.Contains(text.String(), line), line)
	}
	for line := range strings.Lines(text.String()) {
		require.True(t, strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "rabbitmq_") || strings.HasPrefix(line, "warren_"), line)
	}
}

func TestGroupsAreNamedOnce(t *testing.T) {
	names := metrics.Groups()
	require.NotEmpty(t, names)
	slices.Sort(names)
	require.Equal(t, slices.Compact(slices.Clone(names)), names)
}
