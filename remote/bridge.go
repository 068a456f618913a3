package remote

import (
	"context"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
)

// bridge is a connection to the broker elsewhere. Messages cross it in both directions,
// and their addresses change on the way: over there all callers that are here have one
// address, and all handlers another, and the correlation id tells who is meant. With one
// address for both, a handler could not be told from its caller if both are here.
type bridge struct {
	broker  *Broker
	conn    *amqp091.Connection
	ch      *amqp091.Channel        // of requests, and what else callers here say
	back    *amqp091.Channel        // of what handlers here answer
	answers <-chan amqp091.Delivery // what comes to the callers' address
	words   <-chan amqp091.Delivery // what comes to the handlers' address
	asks    *side                   // where callers are: servers elsewhere have its address
	serves  *side                   // where handlers are: callers elsewhere have its address
	probe   probe
	missing []declaration // owned by newBridge, and then by run

	mu sync.Mutex
	// Guarded by mu.
	asked   map[string]*talk // requests of callers here, by the correlation id over there
	callers map[string]*talk // the same, by the caller's address
	served  map[string]*talk // requests that are served here, by the correlation id here
	byThere map[end]*talk    // the same, by the other end
	number  uint64
	lost    error // why the bridge has ended
}

// talk is a request with its answers, or a stream.
type talk struct {
	here, there end
	fail        func(error) // of a caller here
}

// end is how one end of a talk is spoken to. A handler of a plain request has no address.
type end struct{ address, correlation string }

// newBridge opens what a bridge needs on both sides.
func newBridge(b *Broker, conn *amqp091.Connection) (*bridge, error) {
	br := &bridge{
		broker: b, conn: conn, probe: probe{conn: conn},
		asked: make(map[string]*talk), callers: make(map[string]*talk),
		served: make(map[string]*talk), byThere: make(map[end]*talk),
	}
	var err error
	if br.ch, err = conn.Channel(); err != nil {
		return nil, err
	}
	if br.back, err = conn.Channel(); err != nil {
		return nil, err
	}
	if br.asks, err = newSide(br, b.local); err != nil {
		return nil, err
	}
	if br.serves, err = newSide(br, b.handled); err != nil {
		return nil, err
	}
	if br.answers, err = br.ch.Consume(replyTo, "", true, false, false, false, nil); err != nil {
		return nil, err
	}
	if br.words, err = br.back.Consume(replyTo, "", true, false, false, false, nil); err != nil {
		return nil, err
	}
	br.missing = br.declareAgain(b.ctx, b.declared.noted(""))
	return br, nil
}

// run passes messages on until the connection ends.
func (br *bridge) run(ctx context.Context) error {
	closed := br.conn.NotifyClose(make(chan *amqp091.Error, 1))
	channelClosed := br.ch.NotifyClose(make(chan *amqp091.Error, 1))
	backClosed := br.back.NotifyClose(make(chan *amqp091.Error, 1))
	returns := br.ch.NotifyReturn(make(chan amqp091.Return, 100))
	var pumps sync.WaitGroup
	pumps.Go(func() {
		for d := range br.answers {
			br.answered(&d)
		}
	})
	pumps.Go(func() {
		for d := range br.words {
			br.said(&d)
		}
	})
	pumps.Go(func() {
		for r := range returns {
			br.returned(&r)
		}
	})
	pumps.Go(br.asks.run)
	pumps.Go(br.serves.run)
	missingCtx, cancel := context.WithCancel(ctx)
	pumps.Go(func() { br.declareMissing(missingCtx) })
	var reason error = ErrConnectionLost
	select {
	case e := <-closed:
		if e != nil {
			reason = e
		}
	case e := <-channelClosed:
		if e != nil {
			reason = e
		}
	case e := <-backClosed:
		if e != nil {
			reason = e
		}
	case <-ctx.Done():
	}
	cancel()
	br.conn.Close()
	br.end(reason)
	pumps.Wait()
	return reason
}

// end fails what is in flight.
func (br *bridge) end(reason error) {
	br.mu.Lock()
	br.lost = reason
	asked := br.asked
	br.asked, br.callers, br.served, br.byThere = nil, nil, nil, nil
	br.mu.Unlock()
	for _, t := range asked {
		t.fail(lostError{reason})
	}
	br.asks.close()
	br.serves.close()
}

// lostError is ErrConnectionLost with its reason.
type lostError struct{ reason error }

func (e lostError) Error() string   { return ErrConnectionLost.Error() + ": " + e.reason.Error() }
func (e lostError) Unwrap() []error { return []error{ErrConnectionLost, e.reason} }

// publishing turns a message into one of amqp091-go.
func publishing(p *message.Properties) amqp091.Publishing {
	return amqp091.Publishing{
		Headers: tableThere(p.Headers), ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo,
		Expiration: p.Expiration, MessageId: p.MessageId, Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserId,
		AppId: p.AppId, Body: p.Body,
	}
}

// propertiesOf are the properties of a delivery, with its body.
func propertiesOf(d *amqp091.Delivery) message.Properties {
	return message.Properties{
		Headers: tableHere(d.Headers), ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId,
		Body: d.Body,
	}
}

var _ link.Sink = (*side)(nil)
