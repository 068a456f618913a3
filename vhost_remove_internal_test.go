package warren

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
)

// TestRemovalOfManyBindingsLetsOthersIn deletes what has many bindings, and a reader of
// changes uses the virtual host in the middle of it.
func TestRemovalOfManyBindingsLetsOthersIn(t *testing.T) {
	const many = 4*removedAtOnce + 1
	for name, remove := range map[string]func(ch *Channel) error{
		"queue": func(ch *Channel) error {
			_, err := ch.QueueDelete("q", QueueDeleteOptions{})
			return err
		},
		"exchange with bindings to it": func(ch *Channel) error { return ch.ExchangeDelete("to", ExchangeDeleteOptions{}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := New(nil)
			defer b.Close()
			ch, err := b.Channel()
			require.NoError(t, err)
			require.NoError(t, ch.ExchangeDeclare("x", Direct, ExchangeOptions{AutoDelete: true}))
			require.NoError(t, ch.ExchangeDeclare("to", Direct, ExchangeOptions{}))
			_, err = ch.QueueDeclare("q", QueueOptions{})
			require.NoError(t, err)
			for i := range many {
				if name == "queue" {
					err = ch.QueueBind("q", fmt.Sprint(i), "x", nil)
				} else {
					err = ch.ExchangeBind("to", fmt.Sprint(i), "x", nil)
				}
				require.NoError(t, err)
			}
			others, shown, inMiddle := 0, 0, false
			b.addChangeReader(&changeList{then: func(c *change) {
				if c.kind == bindingRemoved {
					_, err := ch.QueueDeclare(fmt.Sprint("other", others), QueueOptions{})
					require.NoError(t, err)
					others++
					shown = max(shown, len(b.root.view().bindings))
					inMiddle = inMiddle || b.root.exchange("x") != nil
				}
			}})
			require.NoError(t, remove(ch))
			require.Equal(t, many, others)
			require.True(t, inMiddle, "some bindings were left when others got in")
			require.Zero(t, shown, "bindings to what is deleted are not shown")
			require.Nil(t, b.root.exchange("x"), "its last binding is removed")
		})
	}
}

// TestLongChainOfAutoDeleteExchangesIsRemoved: each exchange has its last binding to the
// next, so all go with the last one.
func TestLongChainOfAutoDeleteExchangesIsRemoved(t *testing.T) {
	const many = 3 * removedAtOnce
	b := New(nil)
	defer b.Close()
	ch, err := b.Channel()
	require.NoError(t, err)
	for i := range many {
		require.NoError(t, ch.ExchangeDeclare(fmt.Sprint(i), Fanout, ExchangeOptions{AutoDelete: i < many-1}))
		if i > 0 {
			require.NoError(t, ch.ExchangeBind(fmt.Sprint(i), "", fmt.Sprint(i-1), nil))
		}
	}
	before := b.Stats().Exchanges
	require.NoError(t, ch.ExchangeDelete(fmt.Sprint(many-1), ExchangeDeleteOptions{}))
	require.Equal(t, before-many, b.Stats().Exchanges)
}

// lostContent is a message's content that tells when the message is dropped.
type lostContent struct {
	message.Content
	lost func()
}

func (c *lostContent) Lost(int) { c.lost() }

// TestMessagesOfADeletedQueueAreDroppedWithoutALock: the virtual host can be used while
// they are.
func TestMessagesOfADeletedQueueAreDroppedWithoutALock(t *testing.T) {
	b := New(nil)
	defer b.Close()
	ch, err := b.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("q", QueueOptions{})
	require.NoError(t, err)
	lost := 0
	taken, err := b.root.queue("q").Push(&message.Publishing{Entry: message.Entry{Content: &lostContent{
		message.NewPublished(&message.Properties{}),
		func() {
			lost++
			_, err := ch.QueueDeclare("q", QueueOptions{Durable: true})
			require.NoError(t, err, "the name is free already")
		},
	}}})
	require.NoError(t, err)
	require.True(t, taken)
	n, err := ch.QueueDelete("q", QueueDeleteOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, 1, lost)
}
