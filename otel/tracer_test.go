package otel_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	global "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/otel"
)

// recorded is a broker whose spans are kept.
type recorded struct {
	*warren.Broker
	exporter *tracetest.InMemoryExporter
	provider *sdk.TracerProvider
	ch       *warren.Channel
}

// record makes a broker with a queue "q".
func record(t *testing.T, o otel.Options) *recorded {
	t.Helper()
	r := &recorded{exporter: tracetest.NewInMemoryExporter()}
	r.provider = sdk.NewTracerProvider(sdk.WithSyncer(r.exporter))
	o.TracerProvider = r.provider
	r.Broker = warren.New(&warren.Options{Tracer: otel.NewTracer(&o)})
	var err error
	r.ch, err = r.Channel()
	require.NoError(t, err)
	_, err = r.ch.QueueDeclare("q", warren.QueueOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// end closes the broker, so that everything has ended, and returns the spans by name.
func (r *recorded) end(t *testing.T) map[string]tracetest.SpanStub {
	t.Helper()
	require.NoError(t, r.Close())
	spans := make(map[string]tracetest.SpanStub)
	for _, s := range r.exporter.GetSpans() {
		require.NotContains(t, spans, s.Name)
		spans[s.Name] = s
	}
	return spans
}

func attributesOf(s tracetest.SpanStub) map[string]any {
	m := make(map[string]any)
	for _, a := range s.Attributes {
		m[string(a.Key)] = a.Value.AsInterface()
	}
	return m
}

// under checks that one span is the child of another, in the same trace.
func under(t *testing.T, child, parent tracetest.SpanStub) {
	t.Helper()
	require.Equal(t, parent.SpanContext.TraceID(), child.SpanContext.TraceID())
	require.Equal(t, parent.SpanContext.SpanID(), child.Parent.SpanID())
}

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID      = "00f067aa0ba902b7"
	traceparent = "00-" + traceID + "-" + spanID + "-01"
)

func TestCallAndHandlerAreOneTrace(t *testing.T) {
	r := record(t, otel.Options{})
	_, err := r.Handle("inner", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte("inner")}, nil
	})
	require.NoError(t, err)
	_, err = r.Handle("outer", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		require.Equal(t, "v", baggage.FromContext(ctx).Member("k").Value())
		require.Equal(t, trace.SpanContextFromContext(ctx).TraceID().String(), strings.Split(req.Headers["traceparent"].(string), "-")[1])
		return r.Call(ctx, "inner", warren.Message{})
	})
	require.NoError(t, err)

	member, err := baggage.NewMember("k", "v")
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	ctx, top := r.provider.Tracer("test").Start(baggage.ContextWithBaggage(t.Context(), bag), "top")
	reply, err := r.Call(ctx, "outer", warren.Message{Body: []byte("12345"), MessageId: "m1"})
	require.NoError(t, err)
	require.Contains(t, reply.Headers["traceparent"], top.SpanContext().TraceID().String())
	top.End()

	require.NoError(t, r.Close())
	spans := make(map[string][]tracetest.SpanStub)
	for _, s := range r.exporter.GetSpans() {
		require.Equal(t, top.SpanContext().TraceID(), s.SpanContext.TraceID(), s.Name)
		require.Equal(t, codes.Unset, s.Status.Code)
		spans[s.Name] = append(spans[s.Name], s)
	}
	call, process := spans["call outer"][0], spans["process outer"][0]
	under(t, call, spans["top"][0])
	under(t, process, call)
	under(t, spans["call inner"][0], process)
	under(t, spans["process inner"][0], spans["call inner"][0])
	under(t, spans["reply outer"][0], process)
	require.Equal(t, call.SpanContext.SpanID(), spans["reply outer"][0].Links[0].SpanContext.SpanID(), "the reply links to its request")
	require.Equal(t, trace.SpanKindClient, call.SpanKind)
	require.Equal(t, trace.SpanKindConsumer, process.SpanKind)
	require.Equal(t, trace.SpanKindProducer, spans["reply outer"][0].SpanKind)
	require.Equal(t, map[string]any{
		"messaging.system": "rabbitmq", "messaging.operation.name": "call", "messaging.operation.type": "send",
		"messaging.destination.name": "outer", "messaging.rabbitmq.destination.routing_key": "outer",
		"messaging.message.body.size": int64(5), "messaging.message.id": "m1",
	}, attributesOf(call))
	require.Equal(t, map[string]any{
		"messaging.system": "rabbitmq", "messaging.operation.name": "process", "messaging.operation.type": "process",
		"messaging.destination.name": "outer", "messaging.rabbitmq.destination.routing_key": "outer",
		"messaging.message.body.size": int64(5), "messaging.message.id": "m1",
	}, attributesOf(process))
}

func TestPublishAndReceive(t *testing.T) {
	r := record(t, otel.Options{Attributes: []attribute.KeyValue{attribute.String("server.address", "here")}})
	require.NoError(t, r.ch.QueueBind("q", "key", "amq.topic", nil))
	require.NoError(t, r.ch.Publish(t.Context(), "amq.topic", "key", warren.Message{CorrelationId: "c1"}, warren.PublishOptions{}))
	d, ok, err := r.ch.Get("q", false)
	require.NoError(t, err)
	require.True(t, ok)

	// What the program does with the delivery is its own business, in the same trace.
	_, work := r.provider.Tracer("test").Start(otel.Extract(t.Context(), d.Headers), "work")
	work.End()

	spans := r.end(t)
	publish, receive := spans["publish amq.topic"], spans["receive q"]
	require.Equal(t, trace.SpanKindProducer, publish.SpanKind)
	require.Equal(t, trace.SpanKindClient, receive.SpanKind)
	require.NotEqual(t, publish.SpanContext.TraceID(), receive.SpanContext.TraceID(), "it is not known who asked for what")
	require.Equal(t, publish.SpanContext.SpanID(), receive.Links[0].SpanContext.SpanID())
	under(t, spans["work"], publish)
	require.Equal(t, map[string]any{
		"messaging.system": "rabbitmq", "messaging.operation.name": "publish", "messaging.operation.type": "send",
		"messaging.destination.name": "amq.topic:key", "messaging.rabbitmq.destination.routing_key": "key",
		"messaging.message.body.size": int64(0), "messaging.message.conversation_id": "c1", "server.address": "here",
	}, attributesOf(publish))
	require.Equal(t, map[string]any{
		"messaging.system": "rabbitmq", "messaging.operation.name": "receive", "messaging.operation.type": "receive",
		"messaging.destination.name": "amq.topic:key:q", "messaging.rabbitmq.destination.routing_key": "key",
		"messaging.message.body.size": int64(0), "messaging.message.conversation_id": "c1",
		"messaging.rabbitmq.message.delivery_tag": int64(1), "server.address": "here",
	}, attributesOf(receive))
}

// client is a channel of an AMQP client.
func (r *recorded) client(t *testing.T) *amqp091.Channel {
	t.Helper()
	server := amqp.NewServer(r.Broker, nil)
	t.Cleanup(func() { server.Close() })
	conn, err := amqp091.DialConfig("amqp://guest:guest@broker/", amqp091.Config{Dial: server.Dial})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	return ch
}

func TestFunctionsContinueTheTraceOfAClient(t *testing.T) {
	r := record(t, otel.Options{})
	done := make(chan string, 1)
	_, err := r.ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(ctx context.Context, d warren.Delivery) error {
		done <- trace.SpanContextFromContext(ctx).TraceState().String() + " " + baggage.FromContext(ctx).Member("user").Value()
		return errors.New("no \xff")
	})
	require.NoError(t, err)
	require.NoError(t, r.client(t).PublishWithContext(t.Context(), "", "q", false, false, amqp091.Publishing{
		Headers: amqp091.Table{"traceparent": traceparent, "tracestate": "a=1", "baggage": "user=7"},
	}))
	require.Equal(t, "a=1 7", <-done)

	spans := r.end(t)
	require.Len(t, spans, 1, "a client has spans of its own")
	process := spans["process q"]
	require.Equal(t, traceID, process.SpanContext.TraceID().String())
	require.Equal(t, spanID, process.Parent.SpanID().String())
	require.True(t, process.Parent.IsRemote())
	require.Equal(t, codes.Error, process.Status.Code)
	require.Equal(t, "no \uFFFD", process.Status.Description)
	require.Equal(t, "*errors.errorString", attributesOf(process)["error.type"])
}

func TestAClientGetsTheContextOfItsReply(t *testing.T) {
	r := record(t, otel.Options{})
	_, err := r.Handle("price", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		if string(req.Body) == "bad" {
			return warren.Message{}, &warren.RemoteError{Code: "no_such_article"}
		}
		return warren.Message{}, nil
	})
	require.NoError(t, err)
	ch := r.client(t)
	replies, err := ch.Consume(warren.DirectReplyTo, "", true, false, false, false, nil)
	require.NoError(t, err)
	for i, body := range []string{"good", "bad"} {
		r.exporter.Reset()
		require.NoError(t, ch.PublishWithContext(t.Context(), "", "price", false, false, amqp091.Publishing{
			ReplyTo: warren.DirectReplyTo, CorrelationId: "7", Body: []byte(body), Headers: amqp091.Table{"traceparent": traceparent},
		}))
		reply := <-replies
		require.Eventually(t, func() bool { return len(r.exporter.GetSpans()) == 2 }, 10*time.Second, time.Millisecond)
		spans := make(map[string]tracetest.SpanStub)
		for _, s := range r.exporter.GetSpans() {
			spans[s.Name] = s
		}
		process, sent := spans["process price"], spans["reply price"]
		require.Equal(t, spanID, process.Parent.SpanID().String())
		under(t, sent, process)
		require.Equal(t, spanID, sent.Links[0].SpanContext.SpanID().String(), "it links to the request")
		require.Equal(t, "00-"+traceID+"-"+sent.SpanContext.SpanID().String()+"-01", reply.Headers["traceparent"])
		require.Equal(t, codes.Unset, sent.Status.Code)
		if i == 1 {
			require.Equal(t, codes.Error, process.Status.Code)
			require.Equal(t, "no_such_article", attributesOf(process)["error.type"])
			require.Equal(t, "no_such_article", reply.Headers[warren.ErrorCodeHeader])
		}
		require.Equal(t, map[string]any{
			"messaging.system": "rabbitmq", "messaging.operation.name": "reply", "messaging.operation.type": "send",
			"messaging.destination.name": "amq.default", "messaging.destination.temporary": true,
			"messaging.message.body.size": int64(0), "messaging.message.conversation_id": "7",
		}, attributesOf(sent))
	}
}

// Who knows the reply address of a request could answer it.
func TestSpansHaveNoReplyAddress(t *testing.T) {
	r := record(t, otel.Options{})
	secrets := make(chan string, 10)
	server, err := r.ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(ctx context.Context, d warren.Delivery) error {
		secrets <- d.ReplyTo
		return r.ch.Publish(ctx, "", d.ReplyTo, warren.Message{CorrelationId: d.CorrelationId}, warren.PublishOptions{Mandatory: true})
	})
	require.NoError(t, err)
	_, err = r.Handle("h", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		secrets <- req.ReplyTo
		return warren.Message{}, nil
	})
	require.NoError(t, err)
	for _, queue := range []string{"q", "h"} {
		_, err = r.Call(t.Context(), queue, warren.Message{})
		require.NoError(t, err)
	}
	require.NoError(t, server.Cancel())
	gone := <-secrets
	require.Error(t, r.ch.Publish(t.Context(), "", gone, warren.Message{}, warren.PublishOptions{Mandatory: true}))
	secrets <- gone
	require.NoError(t, r.Close())
	close(secrets)
	for address := range secrets {
		secret := address[strings.IndexByte(address, '-'):]
		secret = secret[len(secret)-16:]
		for _, s := range r.exporter.GetSpans() {
			require.NotContains(t, s.Name, secret)
			require.NotContains(t, s.Status.Description, secret)
			for _, a := range s.Attributes {
				require.NotContains(t, a.Value.String(), secret, "%s of %s", a.Key, s.Name)
			}
		}
	}
}

func TestErrorsAreClassed(t *testing.T) {
	r := record(t, otel.Options{})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for key, want := range map[string]string{"no_queue": "NO_ROUTE", "no_exchange": "404", "cancelled": "context.Canceled"} {
		r.exporter.Reset()
		ctx, exchange := t.Context(), ""
		switch key {
		case "no_exchange":
			exchange = "nowhere"
		case "cancelled":
			ctx = cancelled
		}
		var err error
		if key == "cancelled" {
			_, err = r.Call(ctx, "q", warren.Message{})
		} else {
			err = r.ch.Publish(ctx, exchange, key, warren.Message{}, warren.PublishOptions{Mandatory: true})
		}
		require.Error(t, err)
		span := r.exporter.GetSpans()[0]
		require.Equal(t, codes.Error, span.Status.Code)
		require.Equal(t, want, attributesOf(span)["error.type"])
	}
}

func TestFilteredOperationsPassTheContextOn(t *testing.T) {
	r := record(t, otel.Options{Filter: func(op *warren.Operation) bool { return op.Kind == warren.OperationProcess && op.Queue == "second" }})
	_, err := r.ch.QueueDeclare("second", warren.QueueOptions{})
	require.NoError(t, err)
	done := make(chan struct{})
	_, err = r.ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(ctx context.Context, d warren.Delivery) error {
		return r.ch.Publish(ctx, "", "second", warren.Message{}, warren.PublishOptions{})
	})
	require.NoError(t, err)
	_, err = r.ch.ConsumeFunc("second", warren.ConsumeOptions{}, func(ctx context.Context, d warren.Delivery) error {
		close(done)
		return nil
	})
	require.NoError(t, err)
	ctx := otel.Extract(t.Context(), warren.Table{"traceparent": traceparent})
	require.NoError(t, r.ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{}))
	<-done
	spans := r.end(t)
	require.Len(t, spans, 1)
	require.Equal(t, spanID, spans["process second"].Parent.SpanID().String())
}

// setGlobal sets what the whole program uses, which is possible once.
var setGlobal = sync.OnceValue(func() *tracetest.InMemoryExporter {
	exporter := tracetest.NewInMemoryExporter()
	global.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(exporter)))
	return exporter
})

func TestTheGlobalProviderMayBeSetLater(t *testing.T) {
	b := warren.New(&warren.Options{Tracer: otel.NewTracer(nil)})
	defer b.Close()
	ch, err := b.Channel()
	require.NoError(t, err)
	publish := func() {
		t.Helper()
		require.NoError(t, ch.Publish(t.Context(), "amq.fanout", "", warren.Message{}, warren.PublishOptions{}))
	}
	publish()
	exporter := setGlobal()
	exporter.Reset()
	publish()
	require.Len(t, exporter.GetSpans(), 1)
	require.Equal(t, otel.ScopeName, exporter.GetSpans()[0].InstrumentationScope.Name)
}
