package management

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/warrenmq/warren"
)

func eventRoutes() []route {
	return []route{{path: "warren/events", access: monitors, get: (*call).events}}
}

const (
	// heartbeat is how often a stream without events says that it is there.
	heartbeat = 15 * time.Second
	// eventTime is how long a client may take to read an event.
	eventTime = 30 * time.Second
	// eventBuffer is how many events wait for one client, besides those that wait in
	// the broker.
	eventBuffer = 64
)

// events streams what changes, as server-sent events, until the client goes, the broker
// closes, or the user loses the right to see them.
func (c *call) events() error {
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		return newError(http.StatusServiceUnavailable, "service_unavailable", "too many clients read events")
	}
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.Header().Set("X-Accel-Buffering", "no") // proxies are to pass on each event at once
	c.w.WriteHeader(http.StatusOK)
	s := eventStream{c: c, control: http.NewResponseController(c.w)}
	if s.send([]byte(": what changes from now on\n\n")) != nil {
		return nil
	}
	s.run()
	return nil
}

// eventStream writes events to one client.
type eventStream struct {
	c       *call
	control *http.ResponseController
}

// send writes a piece of text, within a bounded time.
func (s *eventStream) send(text []byte) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(eventTime)) // an error says that there are no deadlines here
	if _, err := s.c.w.Write(text); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// run passes on events, and heartbeats while there are none.
func (s *eventStream) run() {
	ctx := s.c.r.Context()
	texts := make(chan []byte, eventBuffer)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(texts)
		for e, err := range s.c.broker.Events(ctx) {
			select {
			case texts <- eventText(e, err):
			case <-stop:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case text, ok := <-texts:
			if !ok || s.send(text) != nil {
				return
			}
		case <-beat.C:
			if s.send([]byte(": still here\n\n")) != nil || s.c.stillMay() != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// stillMay checks that a user who has been reading for a while may still do so.
func (c *call) stillMay() error {
	u, err := c.login(c.r)
	if err != nil {
		return err
	}
	return u.may(monitors)
}

// eventText writes an event with its kind and its JSON.
func eventText(e warren.Event, err error) []byte {
	f := &fields{}
	f.open()
	kind := string(e.Kind)
	lost := new(warren.EventsLostError)
	switch {
	case errors.As(err, &lost):
		kind = "lost"
		f.int("count", lost.Count)
	case err != nil:
		kind = "end"
		f.str("reason", "the broker is closed")
	default:
		f.str("time", e.Time.UTC().Format(time.RFC3339Nano))
		f.int64("timestamp", e.Time.UnixMilli())
		f.str("kind", kind)
		for _, m := range [...]struct{ name, value string }{
			{"vhost", e.VirtualHost}, {"name", e.Name}, {"queue", e.Queue}, {"session", e.Session}, {"user", e.User}, {"reason", e.Reason},
		} {
			if m.value != "" {
				f.str(m.name, m.value)
			}
		}
		if e.Channel != 0 {
			f.uint64("channel", e.Channel)
		}
	}
	f.close()
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, f.out)
}
