package warrentest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
)

// Publishers wait while memory is short.
func ExampleBroker_MemoryAlarm() {
	t := example()
	defer t.end()
	b := warrentest.New(t)
	ch, err := b.Channel()
	if err != nil {
		t.Fatal(err)
	}
	clear := b.MemoryAlarm()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err = ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{})
	fmt.Println(errors.Is(err, warren.ErrMemoryLimit))
	clear()
	fmt.Println(ch.Publish(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{}))
	// Output:
	// true
	// <nil>
}

// withDirectory begins a broker with a directory. In a test it is t.TempDir().
func withDirectory(t *exampleT) *warrentest.Broker {
	dir, err := os.MkdirTemp("", "warrentest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return warrentest.New(t, warrentest.Options{Dir: dir})
}

// declareAndConfirm opens a channel in confirm mode, and declares a durable queue "q".
func declareAndConfirm(t *exampleT, b *warrentest.Broker) *warren.Channel {
	ch, err := b.Channel()
	if err == nil {
		_, err = ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
	}
	if err == nil {
		err = ch.Confirm()
	}
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// A message that the disk does not take is nacked.
func ExampleBroker_FailSync() {
	t := example()
	defer t.end()
	b := withDirectory(t)
	ch := declareAndConfirm(t, b)
	undo := b.FailSync(nil)
	message := warren.Message{DeliveryMode: warren.Persistent, Body: []byte("m")}
	err := ch.Publish(t.Context(), "", "q", message, warren.PublishOptions{})
	fmt.Println(errors.Is(err, warren.ErrNacked))
	undo()
	fmt.Println(ch.Publish(t.Context(), "", "q", message, warren.PublishOptions{}))
	// Output:
	// true
	// <nil>
}

// What is durable is there after a restart.
func ExampleBroker_Restart() {
	t := example()
	defer t.end()
	b := withDirectory(t)
	ch := declareAndConfirm(t, b)
	for mode, body := range map[uint8]string{warren.Persistent: "persistent", warren.Transient: "transient"} {
		err := ch.Publish(t.Context(), "", "q", warren.Message{DeliveryMode: mode, Body: []byte(body)}, warren.PublishOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	b.Restart()
	b.RequireMessages("q", "persistent", "transient")
	// Output:
	// warrentest: the messages are not as wanted (- wanted, + there) in queue 'q': 1 ready, 0 unacked, no consumers
	//   "persistent"
	// - "transient"
}
