package warren_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// userChannel opens a channel of a user who may only write to what write says.
func userChannel(t *testing.T, b *warren.Broker, user, write string) *warren.Channel {
	t.Helper()
	v := brokertest.VirtualHost(t, b, "/")
	require.NoError(t, b.UserDeclare(user, ""))
	require.NoError(t, v.PermissionsSet(user, warren.Permissions{Configure: ".*", Write: write, Read: ".*"}))
	s, err := v.SessionFor(user)
	require.NoError(t, err)
	return brokertest.Channel(t, s)
}

// A reply to a queue is published for who asked for it, by whatever way the
// request has come to the handler.
func TestAHandlersReplyNeedsTheRightsOfItsRequester(t *testing.T) {
	for _, test := range []struct {
		name, write, replyTo string
		arrives              bool
	}{
		{"everything", ".*", "target", true},
		{"the default exchange", "^(amq.direct|amq.default)$", "target", true},
		{"the queue", "^(amq.direct|target)$", "target", true},
		{"neither", "^amq.direct$", "target", false},
		{"its own exclusive queue", "^amq.direct$", "own", true},
		{"the exclusive queue of another", "^amq.direct$", "foreign", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log logText
			brokertest.RunWith(t, &warren.Options{Logger: log.logger(slog.LevelWarn)}, func(t *testing.T, b *warren.Broker) {
				host, user := brokertest.Channel(t, b), userChannel(t, b, "ann", test.write)
				brokertest.Queues(t, host, "target")
				brokertest.Queue(t, host, "foreign", warren.QueueOptions{Exclusive: true})
				brokertest.Queue(t, user, "own", warren.QueueOptions{Exclusive: true})
				brokertest.Handle(t, b, "q", brokertest.Reply("secret"))
				brokertest.Handle(t, b, "failing", waysToFail["error"])
				brokertest.Queues(t, host, "passed")
				for _, queue := range []string{"q", "failing", "passed"} {
					require.NoError(t, host.QueueBind(queue, queue, "amq.direct", nil))
				}
				arrived := func() int {
					t.Helper()
					synctest.Wait()
					n := 0
					for _, q := range []string{"target", "own", "foreign"} {
						ch := host
						if q == "own" {
							ch = user
						}
						list := brokertest.Drain(t, ch, q)
						if q != test.replyTo {
							require.Empty(t, list)
						}
						n += len(list)
					}
					return n
				}
				want := 0
				if test.arrives {
					want = 1
				}
				ask := func(ch *warren.Channel, key string, headers warren.Table) {
					t.Helper()
					require.NoError(t, brokertest.Send(ch, "amq.direct", key, warren.Message{ReplyTo: test.replyTo, Headers: headers}, warren.PublishOptions{Mandatory: true}))
				}
				ask(user, "q", nil)
				require.Equal(t, want, arrived())
				require.NoError(t, host.QueueBind("q", "copy", "amq.direct", nil))
				ask(user, "nowhere", warren.Table{"BCC": []any{"copy"}})
				require.Equal(t, want, arrived(), "by BCC")
				ask(user, "failing", nil)
				require.Equal(t, want, arrived(), "an error")
				require.EqualValues(t, 1-want, b.Stats().Failed, "an error that nobody may hear is the host's")
				require.Equal(t, 1-want, min(1, strings.Count(log.String(), "write access to queue '"+test.replyTo+"' in vhost '/' refused for user 'ann'")))

				ask(user, "passed", nil) // who takes the message out and passes it on does so with rights of its own
				d := brokertest.Take(t, host, "passed")
				require.NoError(t, d.Ack(false))
				require.NoError(t, brokertest.Send(host, "", "q", d.Message, warren.PublishOptions{}))
				if test.replyTo != "own" && test.replyTo != "foreign" {
					require.Equal(t, 1, arrived())
				}
			})
		})
	}
}

func TestADeadLetterIsAnsweredWithTheRightsOfItsPublisher(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		host, user := brokertest.Channel(t, b), userChannel(t, b, "ann", "^amq.direct$")
		brokertest.Queues(t, host, "target")
		brokertest.Handle(t, b, "q", brokertest.Reply("secret"))
		brokertest.Queue(t, host, "waiting", warren.QueueOptions{MessageTTL: 1e6, DeadLetter: &warren.DeadLetter{RoutingKey: "q"}})
		require.NoError(t, host.QueueBind("waiting", "waiting", "amq.direct", nil))
		for _, ch := range []*warren.Channel{user, host} {
			require.NoError(t, brokertest.Send(ch, "amq.direct", "waiting", warren.Message{ReplyTo: "target"}, warren.PublishOptions{}))
		}
		brokertest.Later(1e9)
		require.Len(t, brokertest.Drain(t, host, "target"), 1, "the host's alone")
	})
}

// A message from the disk is answered with the rights of its publisher, too.
func TestAMessageFromTheDiskIsAnsweredWithTheRightsOfItsPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		host, user := channelOf(t, b, "/"), userChannel(t, b, "ann", "^(amq.direct|hers)$")
		for _, q := range []string{"q", "target", "hers"} {
			brokertest.Queue(t, host, q, warren.QueueOptions{Durable: true})
		}
		require.NoError(t, host.QueueBind("q", "q", "amq.direct", nil))
		for _, replyTo := range []string{"target", "hers"} {
			for _, ch := range []*warren.Channel{user, host} {
				m := warren.Message{ReplyTo: replyTo, DeliveryMode: warren.Persistent}
				require.NoError(t, brokertest.Send(ch, "amq.direct", "q", m, warren.PublishOptions{}))
			}
		}
		b = reopened(t, b, dir)
		host = channelOf(t, b, "/")
		brokertest.Handle(t, b, "q", brokertest.Reply("secret"))
		synctest.Wait()
		require.Len(t, brokertest.Drain(t, host, "target"), 1, "the host's alone")
		require.Len(t, brokertest.Drain(t, host, "hers"), 2)
	})
}

// The same holds for her exclusive queue, if only memory was short.
func TestARequestThatLeftMemoryIsAnsweredInTheExclusiveQueueOfItsUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openFiles(t, filestest.New(), &warren.Options{MemoryLimit: 2 << 20})
		host, user := channelOf(t, b, "/"), userChannel(t, b, "ann", "^amq.direct$")
		brokertest.Queue(t, host, "q", warren.QueueOptions{})
		brokertest.Queue(t, host, "foreign", warren.QueueOptions{Exclusive: true})
		brokertest.Queue(t, user, "own", warren.QueueOptions{Exclusive: true})
		require.NoError(t, host.QueueBind("q", "q", "amq.direct", nil))
		const n = 100
		for range n {
			for _, replyTo := range []string{"own", "foreign"} {
				require.NoError(t, user.Publish(t.Context(), "amq.direct", "q", warren.Message{ReplyTo: replyTo, Body: make([]byte, 100_000)}, warren.PublishOptions{}))
			}
		}
		require.Less(t, b.Stats().Memory, int64(n*100_000), "most left memory")
		brokertest.Handle(t, b, "q", brokertest.Reply("answer"))
		time.Sleep(time.Second)
		require.Len(t, brokertest.Drain(t, user, "own"), n)
		require.Empty(t, brokertest.Drain(t, host, "foreign"))
	})
}

// Permissions hold at once: it counts what the user may do when the reply is sent.
func TestAReplyNeedsTheRightsOfTheMoment(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v := brokertest.VirtualHost(t, b, "/")
		host, user := brokertest.Channel(t, b), userChannel(t, b, "ann", "^(amq.direct|target)$")
		brokertest.Queues(t, host, "target")
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve)
		require.NoError(t, host.QueueBind("q", "q", "amq.direct", nil))
		ask := func() {
			require.NoError(t, brokertest.Send(user, "amq.direct", "q", warren.Message{ReplyTo: "target"}, warren.PublishOptions{}))
			<-gate.Entered
		}
		ask()
		require.NoError(t, v.PermissionsSet("ann", warren.Permissions{Configure: ".*", Write: "^amq.direct$", Read: ".*"}))
		gate.Release <- struct{}{}
		synctest.Wait()
		require.Zero(t, brokertest.Ready(t, host, "target"))
		ask()
		require.NoError(t, b.UserDelete("ann"))
		gate.Release <- struct{}{}
		synctest.Wait()
		require.Zero(t, brokertest.Ready(t, host, "target"), "who does not exist may do nothing")
	})
}
