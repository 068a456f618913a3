package warren_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// An address is "<the name that the consumer used>.<token>": 128 random bits
// take 22 characters of base64, in an alphabet that fits into URLs.
var replyToken = regexp.MustCompile(`^[A-Za-z0-9_-]{22,}$`)

// areSpread says that the first 21 characters of the tokens, 6 bits each, look
// random: all different, and everywhere many of the 64 possible characters.
func areSpread(t *testing.T, tokens []string) {
	secrets := make(map[string]bool)
	var seen [21]map[byte]bool
	for _, token := range tokens {
		require.Regexp(t, replyToken, token)
		secrets[token[:22]] = true
		for i := range seen {
			if seen[i] == nil {
				seen[i] = make(map[byte]bool)
			}
			seen[i][token[i]] = true
		}
	}
	require.Len(t, secrets, len(tokens), "all secrets differ")
	for i := range seen {
		require.Greater(t, len(seen[i]), 32, "position %d", i)
	}
}

func TestReplyToGeneratedAddress(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		const tag = "a-tag-that-shows"
		var tokens []string
		for range 300 {
			require.NoError(w, w.replies.Cancel())
			var err error
			w.replies, err = w.requester.Consume(w.name, warren.ConsumeOptions{NoAck: true, Tag: tag})
			require.NoError(w, err)
			address := w.address()
			require.NotContains(w, address, tag)
			token, ok := strings.CutPrefix(address, w.name+".")
			require.True(w, ok, "address %q", address)
			tokens = append(tokens, token)
		}
		areSpread(w.T, tokens)
	})
}

// Every Call has an address of its own, and it is as good.
func TestReplyToGeneratedAddressOfACall(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		_, err := w.b.Handle("where", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: []byte(req.ReplyTo)}, nil
		})
		require.NoError(w, err)
		var tokens []string
		for range 300 {
			reply, err := w.b.Call(w.Context(), "where", warren.Message{})
			require.NoError(w, err)
			token, ok := strings.CutPrefix(string(reply.Body), warren.DirectReplyTo+".")
			require.True(w, ok, "address %q", reply.Body)
			tokens = append(tokens, token)
		}
		areSpread(w.T, tokens)
	})
}

// forgeries are names that an attacker could try who has seen an address of
// another requester, or part of this one.
func forgeries(name, address, stale string) map[string]string {
	token := address[len(name)+1:]
	secret, number := token[:22], token[22:]
	forged := map[string]string{
		"stale":                   stale,
		"no token":                name + ".",
		"short garbage":           name + ".x",
		"long garbage":            name + "." + strings.Repeat("x", 200),
		"zeros":                   name + "." + strings.Repeat("A", 22) + number,
		"no number":               name + "." + secret,
		"another number":          name + "." + secret + "zz",
		"a leading zero":          name + "." + secret + "0" + number,
		"a sign":                  name + "." + secret + "+" + number,
		"a huge number":           name + "." + secret + strings.Repeat("z", 100),
		"a number out of range":   name + "." + secret + "99999",
		"an empty word":           name + ".." + token,
		"base64 padding":          name + "." + secret + "==" + number,
		"a space behind":          address + " ",
		"a zero byte behind":      address + "\x00",
		"broken UTF-8":            address + "\xff",
		"upper case":              name + "." + strings.ToUpper(token) + "A",
		"the token alone":         token,
		"prefix of another kind":  "amq.reply-to." + token,
		"stale secret, my number": stale[:len(name)+1+22] + number,
		"twice":                   address + "." + address,
	}
	for i := len(name) + 1; i < len(address); i++ {
		forged[fmt.Sprintf("cut to %d", i)] = address[:i]
		other := byte('A')
		if address[i] == other {
			other = 'B'
		}
		forged[fmt.Sprintf("another byte at %d", i)] = address[:i] + string(other) + address[i+1:]
	}
	return forged
}

// Guessed, stale, truncated and garbage addresses reach nobody and harm nobody.
func TestReplyToForgedAddresses(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		stale := w.address()
		require.NoError(w, w.replies.Cancel())
		w.replies = consumeReplies(w.T, w.requester, w.name)
		address := w.address()
		bystander := consumeReplies(w.T, w.server, w.name)

		for what, forged := range forgeries(w.name, address, stale) {
			require.NotEqual(w, address, forged, what)
			isReturned(w.T, w.reply(forged, what, warren.PublishOptions{Mandatory: true}), 312, "NO_ROUTE", forged, what)
			isReturned(w.T, w.reply(forged, what, warren.PublishOptions{Immediate: true}), 313, "NO_CONSUMERS", forged, what)
			require.NoError(w, w.reply(forged, what, warren.PublishOptions{}), what)
			if utf8.ValidString(forged) {
				_, err := w.server.QueueDeclarePassive(forged)
				brokertest.Fails(w.T, err, 404, 50, 10, fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '/'", forged))
			}
			require.Equal(w, forged, w.requestOn(w.server, forged, "").ReplyTo, "passes unchanged")
		}
		brokertest.Nothing(w.T, bystander)
		brokertest.Nothing(w.T, w.replies)
		require.NoError(w, w.reply(address, "answer", warren.PublishOptions{Mandatory: true}))
		w.gets("answer")
	})
}

// An address means nothing in another virtual host, even where a requester has
// the same place and tag.
func TestReplyToForeignVirtualHost(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		v, err := w.b.VirtualHostDeclare("other")
		require.NoError(w, err)
		foreign, err := v.Channel()
		require.NoError(w, err)
		theirs, err := foreign.Consume(w.name, warren.ConsumeOptions{NoAck: true, Tag: w.replies.Tag()})
		require.NoError(w, err)
		publish := func(o warren.PublishOptions) error {
			return foreign.Publish(w.Context(), "", address, warren.Message{Body: []byte("stray")}, o)
		}
		require.NoError(w, publish(warren.PublishOptions{}))
		isReturned(w.T, publish(warren.PublishOptions{Mandatory: true}), 312, "NO_ROUTE", address, "stray")
		isReturned(w.T, publish(warren.PublishOptions{Immediate: true}), 313, "NO_CONSUMERS", address, "stray")
		brokertest.Nothing(w.T, theirs)
		brokertest.Nothing(w.T, w.replies)

		w.Log("Nor does the end of the other virtual host matter.")
		require.NoError(w, w.b.VirtualHostDelete("other"))
		require.NoError(w, w.reply(address, "answer", warren.PublishOptions{Mandatory: true}))
		w.gets("answer")
	})
}

// Cancelling takes the tag of one's own consumer; an address is no tag, and
// others' consumers are out of reach.
func TestReplyToCancelOfAnAddress(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		for _, tag := range []string{address, w.replies.Tag(), w.name} {
			require.NoError(w, w.server.Cancel(tag))
		}
		require.NoError(w, w.requester.Cancel(address))
		require.NoError(w, w.requester.Cancel(w.name))
		require.NoError(w, w.reply(address, "answer", warren.PublishOptions{Mandatory: true}))
		w.gets("answer")
	})
}

// Two sessions whose reply consumers have the same tag never see each other's
// replies, and one that goes leaves the other as it is.
func TestReplyToEqualTags(t *testing.T) {
	const workers, runs = 8, 125 // of two sessions each
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		server := brokertest.Channel(t, b)
		brokertest.Queues(t, server, "work")
		_, err := server.ConsumeFunc("work", warren.ConsumeOptions{NoAck: true}, func(_ context.Context, d warren.Delivery) error {
			return server.Publish(t.Context(), "", d.ReplyTo, d.Message, warren.PublishOptions{})
		})
		require.NoError(t, err)

		var wrong atomic.Int64 // replies that came to somebody else, or failures
		start := make(chan struct{})
		var all sync.WaitGroup
		for n := range workers {
			all.Go(func() {
				<-start
				for i := range runs {
					if err := equalTagsRun(t, b, replyNames[i%len(replyNames)], fmt.Sprintf("%d/%d", n, i)); err != nil {
						t.Error(err)
						wrong.Add(1)
						return
					}
				}
			})
		}
		close(start)
		all.Wait()
		require.Zero(t, wrong.Load())
		synctest.Wait() // for the server to have counted its last reply
		require.Equal(t, uint64(workers*runs*3), b.Stats().Replies)
		require.Zero(t, b.Stats().Requesters)
	})
}

// equalTagsRun lets two sessions ask at the same time with equal tags, then
// one of them leave and the other ask again.
func equalTagsRun(t *testing.T, b *warren.Broker, name, run string) error {
	var channels [2]*warren.Channel
	var consumers [2]*warren.Consumer
	for i := range channels {
		var err error
		if channels[i], err = b.Channel(); err != nil {
			return err
		}
		defer channels[i].Close()
		if consumers[i], err = channels[i].Consume(name, warren.ConsumeOptions{NoAck: true, Tag: "ctag-/app-1"}); err != nil {
			return err
		}
	}
	ask := func(i int) error {
		return channels[i].Publish(t.Context(), "", "work", warren.Message{ReplyTo: name, Body: fmt.Append(nil, run, " ", i)}, warren.PublishOptions{})
	}
	hear := func(i int) error {
		d, err := consumers[i].Next(t.Context())
		if err == nil && (string(d.Body) != fmt.Sprint(run, " ", i) || d.ConsumerTag != "ctag-/app-1") {
			err = fmt.Errorf("session %d of run %s got %q", i, run, d.Body)
		}
		return err
	}
	for _, step := range []error{ask(0), ask(1), hear(1), hear(0), channels[0].Cancel("ctag-/app-1"), ask(1), hear(1)} {
		if step != nil {
			return step
		}
	}
	return nil
}

// FuzzReplyAddress tries names made of a reply address, or the start of one,
// and anything else in every place that takes a name: nothing panics, and no
// requester gets or loses anything.
func FuzzReplyAddress(f *testing.F) {
	for i := range replyNames {
		f.Add(uint8(i), uint8(255), "x")
		f.Add(uint8(i), uint8(255), "\x00")
		f.Add(uint8(i), uint8(0), replyNames[i])
		f.Add(uint8(i), uint8(0), replyNames[i]+".")
		f.Add(uint8(i), uint8(0), replyNames[i]+".AAAAAAAAAAAAAAAAAAAAAA0")
		f.Add(uint8(i), uint8(len(replyNames[i])), "\xff.1")
		f.Add(uint8(i), uint8(len(replyNames[i])+1), strings.Repeat("z", 300))
		f.Add(uint8(i), uint8(len(replyNames[i])+1+22), "zzzzzz")
		f.Add(uint8(i), uint8(len(replyNames[i])+1+22), "-1")
		f.Add(uint8(i), uint8(len(replyNames[i])+1+22), "")
	}
	f.Fuzz(func(t *testing.T, which, keep uint8, tail string) {
		w := newReplyWorld(t, replyNames[int(which)%len(replyNames)], nil)
		address := w.address()
		name := address[:min(int(keep), len(address))] + tail
		if name == address || name == "work" {
			return
		}
		for _, ch := range []*warren.Channel{w.server, w.requester} {
			require.Error(t, ch.Publish(t.Context(), "", name, warren.Message{}, warren.PublishOptions{Mandatory: true}))
			require.Error(t, ch.Publish(t.Context(), "", name, warren.Message{}, warren.PublishOptions{Immediate: true}))
			cc := warren.Message{Headers: warren.Table{"CC": []any{name}, "BCC": []any{name}}}
			require.Error(t, ch.Publish(t.Context(), "", "nobody", cc, warren.PublishOptions{Mandatory: true}))
		}
		msg := warren.Message{ReplyTo: name}
		if err := w.server.Publish(t.Context(), "", "work", msg, warren.PublishOptions{}); err == nil {
			require.Equal(t, name, brokertest.Next(t, w.work).ReplyTo, "of somebody else: passes unchanged")
		}
		_, err := w.b.Call(t.Context(), name, warren.Message{})
		require.Error(t, err)

		q, err := w.server.QueueDeclare(name, warren.QueueOptions{})
		if strings.HasPrefix(name, w.name+".") {
			require.ErrorIs(t, err, warren.ErrNotFound)
		} else if err == nil && strings.HasPrefix(name, "amq.") {
			require.Contains(t, replyNames, name)
			require.Equal(t, warren.Queue{Name: name}, q)
		}
		w.server.QueueDeclarePassive(name)
		w.server.QueueBind(name, name, "amq.direct", nil)
		w.server.QueueUnbind(name, name, "amq.direct", nil)
		w.server.QueuePurge(name)
		w.server.Get(name, false)
		w.server.Consume(name, warren.ConsumeOptions{NoAck: true})
		w.server.QueueDelete(name, warren.QueueDeleteOptions{})
		w.server.Cancel(name)
		w.requester.Cancel(name)

		brokertest.Nothing(t, w.replies)
		require.NoError(t, w.reply(address, "answer", warren.PublishOptions{Mandatory: true}))
		w.gets("answer")
	})
}
