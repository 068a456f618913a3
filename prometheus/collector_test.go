package prometheus_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/management"
	"github.com/warrenmq/warren/prometheus"
)

// busyBroker is a broker with a directory, in which something has happened.
func busyBroker(t *testing.T) *warren.Broker {
	t.Helper()
	b, err := warren.Open(t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	ch, err := b.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("q", warren.QueueOptions{})
	require.NoError(t, err)
	_, err = ch.QueueDeclare("s", warren.QueueOptions{Type: warren.Stream, Durable: true})
	require.NoError(t, err)
	require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte("m")}, warren.PublishOptions{}))
	_, err = b.Handle("price", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{}, &warren.RemoteError{Code: "no_such_article"}
	})
	require.NoError(t, err)
	_, err = b.Call(t.Context(), "price", warren.Message{})
	require.Error(t, err)
	return b
}

func gather(t *testing.T, c client.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	registry := client.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	require.NoError(t, err)
	byName := make(map[string]*dto.MetricFamily)
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

func TestLinterAcceptsTheCollector(t *testing.T) {
	b := busyBroker(t)
	for _, perObject := range []bool{false, true} {
		problems, err := testutil.CollectAndLint(prometheus.NewCollector(b, &prometheus.Options{PerObject: perObject}))
		require.NoError(t, err)
		require.Empty(t, problems)
	}
}

// scrape reads the metrics that package management serves.
func scrape(t *testing.T, b *warren.Broker, path string) string {
	t.Helper()
	h := management.NewHandler(b, &management.Options{OpenMetrics: true})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", w.Header().Get("Content-Type"))
	return w.Body.String()
}

func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	return families
}

func TestLinterAcceptsWhatManagementServes(t *testing.T) {
	b := busyBroker(t)
	for _, path := range []string{"/metrics", "/metrics/per-object", "/metrics/detailed?family=queue_metrics&family=rpc_metrics&family=exchange_bindings"} {
		text := scrape(t, b, path)
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		require.NoError(t, err)
		require.Empty(t, problems, path)
		require.NotEmpty(t, parse(t, text))
	}
}

func TestCollectorAndManagementTellTheSame(t *testing.T) {
	b := busyBroker(t)
	for _, perObject := range []bool{false, true} {
		path := "/metrics"
		if perObject {
			path = "/metrics/per-object"
		}
		collected, served := gather(t, prometheus.NewCollector(b, &prometheus.Options{PerObject: perObject})), parse(t, scrape(t, b, path))
		for name, f := range collected {
			require.Contains(t, served, name)
			require.Equal(t, f.GetType(), served[name].GetType(), name)
			require.Len(t, served[name].GetMetric(), len(f.GetMetric()), name)
			require.Equal(t, f.GetHelp(), served[name].GetHelp())
		}
		require.Len(t, served, len(collected))
	}
}

// The names that RabbitMQ's overview dashboard (10991) asks for, and the limits of
// buckets.
const overviewDashboard = `
rabbitmq_build_info rabbitmq_channels rabbitmq_channels_closed_total rabbitmq_channels_opened_total
rabbitmq_connections rabbitmq_connections_closed_total rabbitmq_connections_opened_total
rabbitmq_disk_space_available_bytes rabbitmq_disk_space_available_limit_bytes rabbitmq_erlang_uptime_seconds
rabbitmq_global_consumers rabbitmq_global_messages_acknowledged_total rabbitmq_global_messages_confirmed_total
rabbitmq_global_messages_delivered_consume_auto_ack_total rabbitmq_global_messages_delivered_consume_manual_ack_total
rabbitmq_global_messages_delivered_get_auto_ack_total rabbitmq_global_messages_delivered_get_manual_ack_total
rabbitmq_global_messages_delivered_total rabbitmq_global_messages_get_empty_total
rabbitmq_global_messages_received_confirm_total rabbitmq_global_messages_received_total
rabbitmq_global_messages_redelivered_total rabbitmq_global_messages_routed_total
rabbitmq_global_messages_unroutable_dropped_total rabbitmq_global_messages_unroutable_returned_total
rabbitmq_global_publishers rabbitmq_identity_info
rabbitmq_message_size_bytes_bucket rabbitmq_message_size_bytes_count rabbitmq_message_size_bytes_sum
rabbitmq_process_max_fds rabbitmq_process_open_fds rabbitmq_process_resident_memory_bytes
rabbitmq_queue_messages_ready rabbitmq_queue_messages_unacked
rabbitmq_queues rabbitmq_queues_created_total rabbitmq_queues_declared_total rabbitmq_queues_deleted_total
rabbitmq_resident_memory_limit_bytes`

func TestOverviewDashboardFindsItsSeries(t *testing.T) {
	b := busyBroker(t)
	text := scrape(t, b, "/metrics")
	collected := gather(t, prometheus.NewCollector(b, nil))
	for name := range strings.FieldsSeq(overviewDashboard) {
		require.Regexp(t, `(?m)^`+name+`(\{.*\})? `, text)
		family := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		require.Contains(t, collected, family)
	}
	// The dashboard asks for the limits as Prometheus writes them.
	for _, limit := range []string{"100.0", "1000.0", "10000.0", "100000.0", "1e+06", "1e+07", "5e+07", "1e+08", "+Inf"} {
		require.Contains(t, text, `rabbitmq_message_size_bytes_bucket{protocol="amqp091",le="`+limit+`"} `)
	}
	// It joins each metric with this one, and shows these labels.
	identity := parse(t, text)["rabbitmq_identity_info"].GetMetric()
	require.Len(t, identity, 1)
	labels := make(map[string]string)
	for _, l := range identity[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	require.NotEmpty(t, labels["rabbitmq_node"])
	require.NotEmpty(t, labels["rabbitmq_cluster"])
	require.Equal(t, "aggregated", labels["rabbitmq_endpoint"])
	require.InDelta(t, 1, identity[0].GetGauge().GetValue(), 0)
}

func TestCollectorTakesNames(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	value := func(o *prometheus.Options, label string) string {
		for _, l := range gather(t, prometheus.NewCollector(b, o))["rabbitmq_identity_info"].GetMetric()[0].GetLabel() {
			if l.GetName() == label {
				return l.GetValue()
			}
		}
		return ""
	}
	require.Equal(t, "n", value(&prometheus.Options{NodeName: "n", ClusterName: "c"}, "rabbitmq_node"))
	require.Equal(t, "c", value(&prometheus.Options{NodeName: "n", ClusterName: "c"}, "rabbitmq_cluster"))
	require.Equal(t, "n", value(&prometheus.Options{NodeName: "n"}, "rabbitmq_cluster"))
	require.Regexp(t, "^warren@.", value(nil, "rabbitmq_node"))
}

func TestCollectorCounts(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	c := prometheus.NewCollector(b, nil)
	gather(t, c)
	ch, err := b.Channel()
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, ch.Publish(t.Context(), "amq.fanout", "", warren.Message{Body: make([]byte, 200)}, warren.PublishOptions{}))
	}
	families := gather(t, c)
	require.InDelta(t, 3, families["rabbitmq_global_messages_received_total"].GetMetric()[0].GetCounter().GetValue(), 0)
	sizes := families["rabbitmq_message_size_bytes"].GetMetric()[0].GetHistogram()
	require.EqualValues(t, 3, sizes.GetSampleCount())
	require.InDelta(t, 600, sizes.GetSampleSum(), 0)
	require.EqualValues(t, 0, sizes.GetBucket()[0].GetCumulativeCount())
	require.EqualValues(t, 3, sizes.GetBucket()[1].GetCumulativeCount())
}
