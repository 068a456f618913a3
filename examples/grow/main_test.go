package main

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

const printed = `prices: a tea costs 450
prices: a cup costs 1200
orders: a tea for ann@example.org
mails:  to ann@example.org: your tea is on its way
buy:    ann@example.org has paid 450
buy:    no cat
orders: a kettle for eve@example.org
mails:  to eve@example.org: your kettle is on its way
buy:    eve@example.org has paid 3900
`

// elsewhere is a broker with a listener, and its URL.
func elsewhere(t *testing.T) (*warren.Broker, string) {
	b := warren.New(nil)
	t.Cleanup(func() { b.Close() })
	srv := amqp.NewServer(b, nil)
	t.Cleanup(func() { srv.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go srv.Serve(l)
	return b, "amqp://guest:guest@" + l.Addr().String() + "/"
}

func TestItPrintsTheSameEverywhere(t *testing.T) {
	_, there := elsewhere(t)
	for _, url := range []string{"", there} {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), url, "all", &out))
		require.Equal(t, printed, out.String(), "on %q", url)
	}
}

// Each part has a connection of its own, as it would in a process of its own.
func TestItPrintsTheSameInParts(t *testing.T) {
	b, there := elsewhere(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	var parts sync.WaitGroup
	for _, part := range []string{"prices", "mails", "orders"} {
		parts.Go(func() { require.NoError(t, run(ctx, there, part, &out)) })
	}
	queues := func() bool { return len(b.VirtualHosts()[0].Queues()) == 4 }
	require.Eventually(t, queues, time.Minute, time.Millisecond, "they serve")
	require.NoError(t, run(ctx, there, "customer", &out))
	cancel()
	parts.Wait()
	require.Equal(t, printed, out.String())
}

func TestNobodyIsThere(t *testing.T) {
	require.Error(t, run(t.Context(), "amqp://127.0.0.1:1/", "all", nil))
}
