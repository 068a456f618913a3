package flow_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/flow"
)

// fullAfter makes the connection full after n messages.
func fullAfter(room *flow.Connection, n int, order *names) func(ch *flow.Channel, name string) *consumer {
	return func(ch *flow.Channel, name string) *consumer {
		return newConsumer(ch, false, func() {
			if order.list += name; len(order.list)%n == 0 {
				room.Close()
			}
		})
	}
}

// open says that the buffer is empty again.
func open(room *flow.Connection) {
	room.Open()
	room.Serve()
}

func TestChannelsOfAFullConnectionTakeTurns(t *testing.T) {
	var room flow.Connection
	var order names
	make := fullAfter(&room, 10, &order)
	var list []*consumer
	for _, name := range []string{"a", "b", "c"} {
		ch := new(flow.Channel)
		ch.Join(&room)
		c := make(ch, name)
		c.add(1000)
		list = append(list, c)
	}
	require.Equal(t, strings.Repeat("a", 10), order.list)
	require.True(t, room.IsClosed())
	require.False(t, room.Awaited(), "there is no room")
	for range 6 {
		open(&room)
	}
	require.Equal(t, 30, strings.Count(order.list, "a"))
	require.Equal(t, 20, strings.Count(order.list, "b"))
	require.Equal(t, 20, strings.Count(order.list, "c"))
	require.Equal(t, 2, list[1].turns, "a full buffer ends a turn")
}

// TestAChannelWithManyConsumersHasOneTurn: channels take turns, and the consumers of a
// channel do.
func TestAChannelWithManyConsumersHasOneTurn(t *testing.T) {
	var room flow.Connection
	var order names
	make := fullAfter(&room, 1, &order)
	many, one := new(flow.Channel), new(flow.Channel)
	many.Join(&room)
	one.Join(&room)
	for _, name := range []string{"a", "b", "c"} {
		make(many, name).add(100)
	}
	make(one, "x").add(100)
	order.next()
	for range 12 {
		open(&room)
	}
	require.Equal(t, "axbxcxaxbxcx", order.list)
}

// TestAFullConnectionCostsNothingForThoseThatDoNotWait: the work is for those that
// wait.
func TestAFullConnectionCostsNothingForThoseThatDoNotWait(t *testing.T) {
	var room flow.Connection
	var order names
	make := fullAfter(&room, 5, &order)
	ch := new(flow.Channel)
	ch.Join(&room)
	var idle []*consumer
	for range 1000 {
		idle = append(idle, make(ch, "i"))
	}
	busy := make(ch, "b")
	busy.add(100)
	for room.IsClosed() {
		open(&room)
	}
	require.Equal(t, strings.Repeat("b", 100), order.list)
	for _, c := range idle {
		require.Zero(t, c.turns)
	}
}

func TestAckedRoomOfAFullConnectionIsUsedLater(t *testing.T) {
	var room flow.Connection
	ch := new(flow.Channel)
	ch.Join(&room)
	ch.SetLimit(1)
	var order names
	a := order.consumer(ch, true, "a")
	a.add(3)
	room.Close()
	a.settle(1)
	require.Equal(t, "a", order.next())
	open(&room)
	require.Equal(t, "a", order.next())
	a.settle(1)
	require.Equal(t, "a", order.next(), "the connection has room")
}

// TestWhoHasHadItsShareIsServedByTheConnection: it waits although there is room, and
// the connection is woken.
func TestWhoHasHadItsShareIsServedByTheConnection(t *testing.T) {
	var room flow.Connection
	woken := 0
	room.Wake = func() { woken++ }
	ch := new(flow.Channel)
	ch.Join(&room)
	var order names
	a, b := order.consumer(ch, false, "a"), order.consumer(ch, false, "b")
	a.ready = 40
	ch.Wait(&a.place, false)
	require.Equal(t, 1, woken)
	require.True(t, room.Awaited())
	b.add(1)
	require.Empty(t, order.next(), "nobody overtakes it")
	require.False(t, ch.HasRoom(false))
	room.Serve()
	require.Equal(t, strings.Repeat("a", 16)+"b"+strings.Repeat("a", 24), order.next())
	require.Equal(t, 1, woken)
	require.True(t, ch.HasRoom(false))
}

// TestThoseWhoShareAPrefetchTakeTurnsWithTheOthers: a channel's consumers wait in two
// lines for room in the buffer, and neither line keeps the other one waiting.
func TestThoseWhoShareAPrefetchTakeTurnsWithTheOthers(t *testing.T) {
	var room flow.Connection
	var order names
	ch := new(flow.Channel)
	ch.Join(&room)
	ch.SetLimit(100)
	for name, shares := range map[string]bool{"a": false, "s": true} {
		newConsumer(ch, shares, func() {
			order.list += name
			room.Close()
		}).add(100)
	}
	order.next()
	for range 6 {
		open(&room)
	}
	require.Equal(t, 3, strings.Count(order.list, "s"))
	require.Contains(t, order.list, "asa")
}
