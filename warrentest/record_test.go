package warrentest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
)

// TestTheTranscriptTellsWhatHappened against lines written by hand. A bubble begins at
// midnight.
func TestTheTranscriptTellsWhatHappened(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		require.NoError(t, c.ch.QueueBind("q", "paid.*", "amq.topic", false, nil))
		deliveries, err := c.ch.Consume("q", "tag", false, false, false, false, nil)
		require.NoError(t, err)
		time.Sleep(1500 * time.Millisecond)
		b.After(warrentest.Match{Method: "basic.publish", Skip: 1}, warrentest.Nack())
		publish := func(exchange, key string, mandatory bool, p amqp091.Publishing) {
			require.NoError(t, c.ch.PublishWithContext(t.Context(), exchange, key, mandatory, false, p))
			synctest.Wait()
		}
		publish("amq.topic", "paid.cash", false, amqp091.Publishing{MessageId: "m1", CorrelationId: "c", ReplyTo: "r", Body: []byte("42")})
		publish("", "nowhere", true, amqp091.Publishing{Body: []byte(strings.Repeat("x", 100))})
		for _, d := range heard(deliveries) {
			require.NoError(t, d.Nack(false, false))
		}
		synctest.Wait()
		var lines []string
		for line := range strings.Lines(b.Transcript(warrentest.Match{Method: "basic.*"})) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
		require.Equal(t, []string{
			`00:00:00.000 worker/1 -> basic.consume queue q consumer tag`,
			`00:00:00.000 worker/1 <- basic.consume-ok queue q consumer tag`,
			`00:00:01.500 worker/1 -> basic.publish #1 exchange amq.topic key paid.cash id m1 correlation c reply-to r "42" routed to [q]`,
			`00:00:01.500 worker/1 <- basic.deliver #1 exchange amq.topic key paid.cash queue q consumer tag id m1 correlation c reply-to r "42"`,
			`00:00:01.500 worker/1 <- basic.ack #1 exchange amq.topic key paid.cash`,
			`00:00:01.500 worker/1 -> basic.publish #2 key nowhere mandatory "` + strings.Repeat("x", 60) + `"... (100 bytes) routed to []`,
			`00:00:01.500 worker/1 <- basic.return key nowhere code 312 (NO_ROUTE) "` + strings.Repeat("x", 60) + `"... (100 bytes)`,
			`00:00:01.500 worker/1 <- basic.ack #2 key nowhere FAULT Nack()`,
			`00:00:01.500 worker/1 -> basic.nack #1 exchange amq.topic key paid.cash queue q`,
		}, lines)
	})
}

func TestPublishedHasClientsAndTheProgramItself(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		c.publish("client")
		synctest.Wait()
		ch, err := b.Channel()
		require.NoError(t, err)
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte("native")}, warren.PublishOptions{}))
		var got []string
		for _, e := range b.Published(warrentest.Match{RoutingKey: "q"}) {
			got = append(got, e.Connection+" "+string(e.Message.Body))
		}
		require.Equal(t, []string{"worker client", "in process native"}, got)
		require.Empty(t, b.Published(warrentest.Match{RoutingKey: "other"}))
		require.Len(t, b.Recorded(warrentest.Match{Method: "queue.declare", Queue: "q"}), 1)
	})
}

func TestTheRecordingIsBounded(t *testing.T) {
	b := warrentest.New(t)
	ch, err := b.Channel()
	require.NoError(t, err)
	for range 10_100 {
		require.NoError(t, ch.Publish(t.Context(), "", "nowhere", warren.Message{}, warren.PublishOptions{}))
	}
	require.Len(t, b.Published(warrentest.Match{}), 10_000)
	require.True(t, strings.HasPrefix(b.Transcript(warrentest.Match{}), "... 100 before\n"))
	for range 20 {
		require.NoError(t, ch.Publish(t.Context(), "", "nowhere", warren.Message{Body: make([]byte, 1<<20)}, warren.PublishOptions{}))
	}
	require.Len(t, b.Published(warrentest.Match{}), 16)
}

func TestATestThatFailsLogsTheTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, quiet := range []bool{false, true} {
			failed := run(t, func(t testing.TB) {
				b := warrentest.New(t, warrentest.Options{Quiet: quiet})
				ch, err := b.Channel()
				if err == nil {
					err = ch.Publish(t.Context(), "", "nowhere", warren.Message{Body: []byte("x")}, warren.PublishOptions{})
				}
				t.Errorf("for some reason: %v", err)
			})
			if quiet {
				require.Empty(t, failed.logs)
				continue
			}
			require.Equal(t, []string{"warrentest: clients (->) and the broker (<-) have sent:\n" +
				`00:00:00.000 in process -> basic.publish key nowhere "x"`}, failed.logs)
		}
	})
}

func TestFaultsThatCannotHappenFailTheTest(t *testing.T) {
	for _, c := range []struct {
		do   func(b *warrentest.Broker)
		want string
	}{
		{
			func(b *warrentest.Broker) { b.Before(warrentest.Match{Method: "basic.publsh"}, warrentest.Drop()) },
			`warrentest: no method is like "basic.publsh": use AMQP's names, such as "basic.publish", or Connect or Heartbeat`,
		},
		{
			func(b *warrentest.Broker) { b.Now(warrentest.Match{}, warrentest.Nack()) },
			`warrentest: Nack() cannot happen without a method: it needs a method; use Before or After`,
		},
		{
			func(b *warrentest.Broker) {
				b.After(warrentest.Match{Method: "connection.start-ok"}, warrentest.RefuseLogin())
			},
			`warrentest: RefuseLogin() cannot happen after a method: it is for "connection.start-ok", which the broker must not get; use Before`,
		},
		{
			func(b *warrentest.Broker) {
				b.Before(warrentest.Match{Method: warrentest.Connect}, warrentest.CloseConnection(320, ""))
			},
			`warrentest: CloseConnection(320, "") cannot meet a client that dials, because there is no connection yet: use "connection.start-ok"`,
		},
		{
			func(b *warrentest.Broker) { b.Before(publishing, warrentest.Cut()).Wait(2) },
			"warrentest: after 5s, Cut() has met 0 methods, not 2\n",
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			require.Equal(t, c.want, failure(t, func(t testing.TB) { c.do(warrentest.New(t)) }))
		})
	}
}

func TestAnActionThatDoesNotFitItsMethodFailsTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := run(t, func(fake testing.TB) {
			b := warrentest.New(fake, warrentest.Options{Quiet: true})
			b.Before(warrentest.Match{Method: "queue.declare"}, warrentest.Nack())
			b.Before(warrentest.Match{Method: "confirm.select"}, warrentest.Return())
			dial(t, b, "worker").conn.Close()
		})
		require.Equal(t, []string{
			"warrentest: Return() has met confirm.select: it is for basic.publish",
			"warrentest: Nack() has met queue.declare: it is for basic.publish in confirm mode",
		}, failed.errors)
	})
}
