package brokertest

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// Send publishes a message and gives the error.
func Send(ch *warren.Channel, exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	return ch.Publish(context.Background(), exchange, key, msg, o)
}

// Put publishes bodies to an exchange, from where they may go nowhere.
func Put(t testing.TB, ch *warren.Channel, exchange, key string, bodies ...string) {
	t.Helper()
	put(t, ch, exchange, key, warren.PublishOptions{}, bodies)
}

// Fill publishes bodies to a queue, which must be there, by the default
// exchange.
func Fill(t testing.TB, ch *warren.Channel, queue string, bodies ...string) {
	t.Helper()
	put(t, ch, "", queue, warren.PublishOptions{Mandatory: true}, bodies)
}

func put(t testing.TB, ch *warren.Channel, exchange, key string, o warren.PublishOptions, bodies []string) {
	t.Helper()
	for _, body := range bodies {
		require.NoError(t, ch.Publish(t.Context(), exchange, key, warren.Message{Body: []byte(body)}, o))
	}
}

// Blocked publishes to a queue in a goroutine, requires that it waits, and
// gives the channel on which its error will come.
func Blocked(t testing.TB, ctx context.Context, ch *warren.Channel, queue, body string) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	go func() {
		result <- ch.Publish(ctx, "", queue, warren.Message{Body: []byte(body)}, warren.PublishOptions{})
	}()
	synctest.Wait()
	require.Empty(t, result, "the publisher did not wait")
	return result
}

// Numbers are the texts of the numbers from one to another, both included.
func Numbers(from, to int) []string {
	list := []string{}
	for i := from; i <= to; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

// Letters are the first n letters.
func Letters(n int) []string {
	list := []string{}
	for i := range n {
		list = append(list, string(rune('a'+i)))
	}
	return list
}

// Integers are a number in all types of integers that tables have.
func Integers(n int8) []any {
	return []any{n, uint8(n), int16(n), uint16(n), int32(n), uint32(n), int64(n), int(n)}
}
