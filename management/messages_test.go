package management_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

const publishDefault = "/api/exchanges/%2F/amq.default/publish"

func TestPublishAndGet(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", "{}")
	a := s.want(200, "POST", publishDefault, `{"routing_key":"q","properties":{"headers":{"a":1,"t":{"b":[1,"x"]}},
		"delivery_mode":2,"timestamp":123,"priority":1,"content_type":"text/plain","app_id":"app"},"payload":"hi","payload_encoding":"string"}`)
	require.Equal(t, object{"routed": true}, a.object())
	s.want(200, "POST", publishDefault, `{"routing_key":"q","properties":{},"payload":"/+8=","payload_encoding":"base64"}`)
	a = s.want(200, "POST", "/api/queues/%2F/q/get", `{"count":5,"ackmode":"ack_requeue_true","encoding":"auto"}`)
	require.Equal(t, []object{{
		"payload_bytes": 2.0, "redelivered": false, "exchange": "", "routing_key": "q", "message_count": 1.0,
		"properties": object{"headers": object{"a": 1.0, "t": object{"b": []any{1.0, "x"}}}, "delivery_mode": 2.0, "timestamp": 123.0,
			"priority": 1.0, "content_type": "text/plain", "app_id": "app"},
		"payload": "hi", "payload_encoding": "string",
	}, {
		"payload_bytes": 2.0, "redelivered": false, "exchange": "", "routing_key": "q", "message_count": 0.0,
		"properties": []any{}, "payload": "/+8=", "payload_encoding": "base64",
	}}, a.list())
	a = s.want(200, "POST", "/api/queues/%2F/q/get", `{"count":"1","ackmode":"reject_requeue_true","encoding":"base64","truncate":1}`)
	require.Equal(t, "aA==", a.list()[0]["payload"])
	require.Equal(t, 2.0, a.list()[0]["payload_bytes"])
	require.Equal(t, true, a.list()[0]["redelivered"])
	require.Len(t, s.want(200, "POST", "/api/queues/%2F/q/get", `{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}`).list(), 1)
	require.Len(t, s.want(200, "POST", "/api/queues/%2F/q/get", `{"count":-1,"ackmode":"reject_requeue_false","encoding":"auto"}`).list(), 1)
	require.Empty(t, s.want(200, "POST", "/api/queues/%2F/q/get", `{"count":5,"ackmode":"ack_requeue_true","encoding":"auto"}`).list())
}

func TestPublishErrors(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", `{"arguments":{"x-max-length":1,"x-overflow":"reject-publish"}}`)
	a := s.want(200, "POST", publishDefault, `{"routing_key":"none","properties":{},"payload":"","payload_encoding":"string"}`)
	require.Equal(t, object{"routed": false}, a.object())
	s.ask("POST", publishDefault, `{"routing_key":"q"}`).requireError(400, "bad_request",
		"[{key_missing,properties},\n {key_missing,payload},\n {key_missing,payload_encoding}]")
	s.ask("POST", "/api/exchanges/%2F/none/publish", `{"routing_key":"q","properties":{},"payload":"","payload_encoding":"string"}`).
		requireError(400, "bad_request", "404 NOT_FOUND - no exchange 'none' in vhost '/'")
	for _, bad := range []string{
		`{"routing_key":"q","properties":{},"payload":"!!","payload_encoding":"base64"}`,
		`{"routing_key":"q","properties":{},"payload":"x","payload_encoding":"zz"}`,
		`{"routing_key":"q","properties":{"delivery_mode":"x"},"payload":"x","payload_encoding":"string"}`,
		`{"routing_key":"q","properties":{"priority":300},"payload":"x","payload_encoding":"string"}`,
		`{"routing_key":"q","properties":{"headers":"x"},"payload":"x","payload_encoding":"string"}`,
		`{"routing_key":"q","properties":{"expiration":"soon"},"payload":"x","payload_encoding":"string"}`,
		`{"routing_key":"q","properties":"x","payload":"x","payload_encoding":"string"}`,
		`{"routing_key":"q","properties":{},"payload":5,"payload_encoding":"string"}`,
		`{"routing_key":5,"properties":{},"payload":"x","payload_encoding":"string"}`,
	} {
		require.Equal(t, 400, s.ask("POST", publishDefault, bad).Code, bad)
	}
	s.want(200, "POST", publishDefault, `{"routing_key":"q","properties":[],"payload":"first","payload_encoding":"string"}`)
	s.ask("POST", publishDefault, `{"routing_key":"q","properties":{},"payload":"second","payload_encoding":"string"}`).
		requireError(400, "bad_request", "Unable to publish message. Check queue limits.")
}

func TestPublishWhileMemoryIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSiteOf(t, warren.New(&warren.Options{MemoryLimit: 1 << 20}), nil)
		s.want(201, "PUT", "/api/queues/%2F/q", "{}")
		big := `{"routing_key":"q","properties":{},"payload":"` + strings.Repeat("x", 400<<10) + `","payload_encoding":"string"}`
		s.want(200, "POST", publishDefault, big)
		s.want(200, "POST", publishDefault, big)
		began := time.Now()
		a := s.want(503, "POST", publishDefault, big)
		require.Equal(t, "service_unavailable", a.object()["error"])
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}

func TestGetErrors(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", "{}")
	s.ask("POST", "/api/queues/%2F/q/get", `{"count":1,"ackmode":"ack_requeue_true"}`).requireError(400, "bad_request", "[{key_missing,encoding}]")
	s.want(400, "POST", "/api/queues/%2F/q/get", `{"count":1,"ackmode":"zz","encoding":"auto"}`)
	s.want(400, "POST", "/api/queues/%2F/q/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"zz"}`)
	s.want(400, "POST", "/api/queues/%2F/q/get", `{"count":"x","ackmode":"ack_requeue_true","encoding":"auto"}`)
	s.ask("POST", "/api/queues/%2F/none/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}`).
		requireError(404, "not_found", "NOT_FOUND - no queue 'none' in vhost '/'")
}

func TestPeekTakesNothing(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", "{}")
	s.publish("", "q", "one", "two", "three")
	list := s.want(200, "GET", "/api/warren/peek/%2F/q?skip=1&count=1", "").list()
	require.Len(t, list, 1)
	require.Equal(t, "two", list[0]["payload"])
	require.Equal(t, false, list[0]["redelivered"])
	require.Equal(t, 1.0, list[0]["message_count"])
	require.Equal(t, 1.0, list[0]["offset"])
	require.Len(t, s.get("/api/warren/peek/%2F/q").list(), 3)
	q := s.get("/api/queues/%2F/q").object()
	require.Equal(t, 3.0, q["messages_ready"])
	require.Equal(t, 0.0, q["message_stats"].(object)["deliver_get"])
	s.want(404, "GET", "/api/warren/peek/%2F/none", "")
	s.want(400, "GET", "/api/warren/peek/%2F/q?count=-1", "")
	s.want(400, "GET", "/api/warren/peek/%2F/q?skip=x", "")
}

func TestHeadersThatAreNotUTF8(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", "{}")
	ch, err := s.b.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{
		Headers: warren.Table{"bad": "\xff<&>\u2028", "bytes": []byte{0xff, 0}, "time": time.Unix(5, 0), "float": 1.5, "big": int64(1) << 60,
			"list": []any{nil, true, "\xfe"}, "decimal": warren.Decimal{Scale: 2, Value: 314}},
		Body: []byte("\xff\xfe"),
	}, warren.PublishOptions{}))
	a := s.want(200, "POST", "/api/queues/%2F/q/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}`)
	require.NotContains(t, a.Body.String(), "<")
	m := a.list()[0]
	require.Equal(t, "base64", m["payload_encoding"])
	require.Equal(t, object{
		"bad": "\ufffd<&>\u2028", "bytes": "/wA=", "time": 5.0, "float": 1.5, "big": float64(1 << 60),
		"list": []any{nil, true, "\ufffd"}, "decimal": 3.14,
	}, m["properties"].(object)["headers"])
}
