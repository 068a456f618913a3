// Traced is a broker with a tracer, for clients that are traced, too. The first line
// tells its URL. It runs until SIGTERM, and serves these queues:
//
//	price   a request is a number, its reply the double
//	jobs    a job is done and told to the queue done
//	caller  a request is the name of a queue, which is called with its reply's body
//	spans   the reply is the spans so far, as JSON, and forgets them
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/otel"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("traced: ", err)
	}
}

// span is what clients see of a span.
type span struct {
	Name   string   `json:"name"`
	Trace  string   `json:"trace"`
	ID     string   `json:"id"`
	Parent string   `json:"parent"` // zeros: none
	Links  []string `json:"links"`  // IDs of spans
}

func run(ctx context.Context) error {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	notSpans := func(op *warren.Operation) bool { return op.Queue != "spans" }
	b := warren.New(&warren.Options{Tracer: otel.NewTracer(&otel.Options{TracerProvider: provider, Filter: notSpans})})
	defer b.Close()
	ch, err := b.Channel()
	if err != nil {
		return err
	}
	for _, queue := range []string{"jobs", "done"} {
		if _, err := ch.QueueDeclare(queue, warren.QueueOptions{}); err != nil {
			return err
		}
	}
	work := func(ctx context.Context, d warren.Delivery) error {
		return ch.Publish(ctx, "", "done", warren.Message{Body: d.Body}, warren.PublishOptions{Mandatory: true})
	}
	if _, err := ch.ConsumeFunc("jobs", warren.ConsumeOptions{}, work); err != nil {
		return err
	}
	for queue, h := range map[string]warren.HandlerFunc{
		"price": price,
		"caller": func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			return b.Call(ctx, string(req.Body), warren.Message{Body: []byte("21")})
		},
		"spans": func(context.Context, *warren.Request) (warren.Message, error) { return spans(exporter) },
	} {
		if _, err := b.Handle(queue, h, warren.HandleOptions{ExposeErrors: true}); err != nil {
			return err
		}
	}
	server := amqp.NewServer(b, nil)
	defer server.Close()
	if err := server.Listen("127.0.0.1:0"); err != nil {
		return err
	}
	fmt.Println(server.URL())
	<-ctx.Done()
	return nil
}

func price(_ context.Context, req *warren.Request) (warren.Message, error) {
	n, err := strconv.Atoi(string(req.Body))
	if err != nil {
		return warren.Message{}, err
	}
	return warren.Message{Body: strconv.AppendInt(nil, int64(2*n), 10)}, nil
}

func spans(exporter *tracetest.InMemoryExporter) (warren.Message, error) {
	list := []span{}
	for _, s := range exporter.GetSpans() {
		one := span{Name: s.Name, Trace: s.SpanContext.TraceID().String(), ID: s.SpanContext.SpanID().String(), Parent: s.Parent.SpanID().String()}
		for _, l := range s.Links {
			one.Links = append(one.Links, l.SpanContext.SpanID().String())
		}
		list = append(list, one)
	}
	exporter.Reset()
	body, err := json.Marshal(list)
	return warren.Message{Body: body, ContentType: "application/json"}, err
}
