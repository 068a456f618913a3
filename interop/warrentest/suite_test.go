//go:build suites

// Package suites runs the test suites of Go libraries, which were written for RabbitMQ,
// against brokers of package warrentest: bash interop/warrentest/run
package suites

import (
	"flag"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/management"
	"github.com/warrenmq/warren/warrentest"
)

var long = flag.Bool("long", false, "let amqp091-go wait as long as it does, and watermill send all its messages")

// RabbitMQ's own client. Its tests that lose a connection have the management API close
// it, and know RabbitMQ's port.
func TestAMQP091(t *testing.T) {
	t.Parallel()
	b := warrentest.New(t, warrentest.Options{Broker: &warren.Options{Like: warren.LikeRabbitMQ}})
	api := httptest.NewServer(management.NewHandler(b.Broker, &management.Options{Servers: []*amqp.Server{b.Server}}))
	t.Cleanup(api.Close)
	address, err := url.Parse(api.URL)
	require.NoError(t, err)
	s := suite{
		module:   "github.com/rabbitmq/amqp091-go@v1.16.0",
		packages: ".",
		env:      []string{"AMQP_URL=" + b.URL()},
		flags:    []string{"-tags", "integration"},
		replaced: map[string]string{"15672": address.Port()},
		skips: map[string]string{
			"TestConnection_Close_WhenMemoryAlarmIsActive": "it needs rabbitmqctl, to set RabbitMQ's memory watermark",
		},
		passes: 383,
		busy:   "Timeout waiting", // for the recovery, for some seconds
	}
	if !*long { // recovery waits before it tries again
		s.replaced["DefaultRetryInterval = 5 * time.Second"] = "DefaultRetryInterval = 500 * time.Millisecond"
	}
	s.run(t)
}

func TestWatermill(t *testing.T) {
	t.Parallel()
	b := warrentest.New(t)
	s := suite{
		module:   "github.com/ThreeDotsLabs/watermill-amqp/v3@v3.0.1",
		packages: "./pkg/amqp",
		env:      []string{"WATERMILL_TEST_AMQP_URI=" + b.URL()},
		flags:    []string{"-parallel", "20"}, // as its own Makefile
		skips:    make(map[string]string),
		passes:   195, // as with RabbitMQ
	}
	// It skips these with RabbitMQ, too.
	for _, kind := range []string{
		"pubsub", "pubsub_delivery_confirmation", "pubsub_with_channel_pool",
		"pubsub_with_channel_pool_and_delivery_confirmation", "queue", "queue_with_shared_connection",
	} {
		test := "TestPublishSubscribe_" + kind
		s.skips[test+"/TestReconnect"] = "it has no command that restarts RabbitMQ"
		s.skips[test+"/TestNewSubscriberReceivesOldMessages"] = "it is for brokers with a log, such as Kafka"
	}
	s.skips["TestPublishSubscribe_queue/TestConsumerGroups"] = "a plain queue has no consumer groups"
	s.skips["TestPublishSubscribe_queue_with_shared_connection/TestConsumerGroups"] = "a plain queue has no consumer groups"
	if !*long {
		s.flags = append(s.flags, "-short") // the same tests, with fewer messages
	}
	s.run(t)
}

// Its tests know RabbitMQ's address. One acknowledges messages twice, and fails, with
// RabbitMQ too, if the channel is closed for it before the test has gone on. So here that
// takes a while.
func TestGoCloud(t *testing.T) {
	t.Parallel()
	b := warrentest.New(t)
	b.Before(warrentest.Match{Method: "channel.close", From: warrentest.Server, Times: warrentest.Forever}, warrentest.Delay(200*time.Millisecond))
	suite{
		module:   "gocloud.dev/pubsub/rabbitpubsub@v0.49.0",
		packages: ".",
		flags:    []string{"-mod=mod"}, // its go.sum lacks gocloud.dev
		replaced: map[string]string{"amqp://guest:guest@localhost:5672/": b.URL()},
		skips:    map[string]string{},
		passes:   48,
	}.run(t)
}
