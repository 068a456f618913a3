package message_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// afterDeath are the headers of a message that had the headers h.
func afterDeath(d *message.Death, h table.Table) table.Table {
	var e message.Edit
	d.Edit(&e, h)
	return e.Apply(message.Properties{Headers: h}).Headers
}

func TestDeathsOfOneQueueForOneReasonAreOneEntry(t *testing.T) {
	at := time.Unix(100, 999)
	die := func(h table.Table, queue, reason, expiration string) table.Table {
		d := message.Death{Queue: queue, Reason: reason, Exchange: "x", Expiration: expiration, Keys: []any{"k"}, Time: at}
		return afterDeath(&d, h)
	}
	entry := func(count int64, queue, reason string) table.Table {
		return table.Table{"count": count, "reason": reason, "queue": queue, "exchange": "x", "routing-keys": []any{"k"}, "time": time.Unix(100, 0)}
	}
	first := die(table.Table{"own": 1}, "q", message.DiedExpired, "50")
	e := entry(1, "q", "expired")
	e["original-expiration"] = "50"
	require.Equal(t, table.Table{
		"own": 1, "x-death": []any{e},
		"x-first-death-reason": "expired", "x-first-death-queue": "q", "x-first-death-exchange": "x",
		"x-last-death-reason": "expired", "x-last-death-queue": "q", "x-last-death-exchange": "x",
	}, first)

	second := die(first, "p", message.DiedMaxLen, "")
	require.Equal(t, []any{entry(1, "p", "maxlen"), e}, second["x-death"], "the newest is the first")
	require.Equal(t, "q", second["x-first-death-queue"])
	require.Equal(t, "p", second["x-last-death-queue"])

	at = time.Unix(200, 0)
	third := die(second, "q", message.DiedExpired, "")
	twice := table.Clone(e)
	twice["count"] = int64(2)
	require.Equal(t, []any{twice, entry(1, "p", "maxlen")}, third["x-death"], "the entry keeps what was said of the first")
	require.Equal(t, int64(1), e["count"])
	require.Equal(t, []any{e}, first["x-death"], "what others have is not changed")
	require.Len(t, die(third, "q", message.DiedRejected, "")["x-death"], 3, "another reason, another entry")
}

// A client may publish any count.
func TestTheLargestCountOfDeathsStays(t *testing.T) {
	d := message.Death{Queue: "q", Reason: message.DiedRejected, Time: time.Unix(100, 0)}
	for count, want := range map[int64]int64{math.MaxInt64: math.MaxInt64, math.MaxInt64 - 1: math.MaxInt64, 1: 2} {
		h := afterDeath(&d, table.Table{"x-death": []any{table.Table{"queue": "q", "reason": "rejected", "count": count}}})
		require.Equal(t, want, h["x-death"].([]any)[0].(table.Table)["count"])
	}
}

func TestCyclesWithoutRejection(t *testing.T) {
	death := func(queue, reason string) any { return table.Table{"queue": queue, "reason": reason} }
	for _, tt := range []struct {
		history []any
		want    bool
	}{
		{nil, false},
		{[]any{death("q", "expired")}, true},
		{[]any{death("p", "maxlen"), death("q", "expired")}, true},
		{[]any{death("p", "rejected"), death("q", "expired")}, false},
		{[]any{death("q", "expired"), death("p", "rejected")}, true},
		{[]any{death("q", "rejected")}, false},
		{[]any{"no table", death("q", "delivery_limit")}, true},
	} {
		require.Equal(t, tt.want, slices.Contains(message.Visited(tt.history), "q"), "%v", tt.history)
	}
}

func TestParseExpiration(t *testing.T) {
	for s, want := range map[string]string{
		"0": "", "60000": "", "+5": "", "007": "", "-0": "", "315360000000": "",
		"315360000001": "{value_too_large,315360000001}", "+99999999999999999999": "{value_too_large,99999999999999999999}",
		"-1": "{value_negative,-1}", "x": "no_integer", "-": "no_integer", " 1": "no_integer",
		"1s": `{leftover_string,"s"}`, "1.5": `{leftover_string,".5"}`,
	} {
		ms, problem := message.ParseExpiration(s)
		require.Equal(t, want, problem, s)
		require.True(t, problem == "" || ms == 0, s)
	}
	ms, _ := message.ParseExpiration("+60000")
	require.Equal(t, int64(60000), ms)
}

func TestTakeKeysOfCCAndBCC(t *testing.T) {
	headers := table.Table{"CC": []any{"a", 1, "b"}, "BCC": []any{"c"}, "x": 1}
	var p message.Publishing
	rest, bad, _ := p.TakeKeys(headers)
	require.Empty(t, bad)
	require.Equal(t, []string{"a", "b", "c"}, p.Extra)
	require.Equal(t, []string{"c"}, p.Hidden)
	require.Equal(t, table.Table{"CC": []any{"a", 1, "b"}, "x": 1}, rest)
	require.Contains(t, headers, "BCC", "the sender's headers do not change")
	require.Equal(t, []any{"a", "b"}, message.CarbonKeys(rest))

	p.HideKeys()
	require.Equal(t, []string{"c"}, p.Content.(*message.Blind).Keys)

	_, bad, v := new(message.Publishing).TakeKeys(table.Table{"BCC": "c"})
	require.Equal(t, []any{"BCC", "c"}, []any{bad, v})
}

func TestPropertiesThatAreTooLongOrNotThere(t *testing.T) {
	fits := strings.Repeat("x", 255)
	p := message.Properties{
		ContentType: fits, ContentEncoding: fits, CorrelationId: fits, ReplyTo: fits, Expiration: fits,
		MessageId: fits, Type: fits, UserId: fits, AppId: fits,
	}
	name, _ := p.TooLong()
	require.Empty(t, name)
	for want, set := range map[string]*string{
		"content_type": &p.ContentType, "content_encoding": &p.ContentEncoding, "correlation_id": &p.CorrelationId,
		"reply_to": &p.ReplyTo, "expiration": &p.Expiration, "message_id": &p.MessageId, "type": &p.Type, "user_id": &p.UserId, "app_id": &p.AppId,
	} {
		*set += "y"
		name, size := p.TooLong()
		require.Equal(t, want, name)
		require.Equal(t, 256, size)
		*set = fits
	}

	require.True(t, (&message.Properties{Body: []byte("x")}).Plain(), "a body is no property")
	for _, p := range []message.Properties{
		{Headers: table.Table{}}, {DeliveryMode: 1}, {Priority: 1}, {Timestamp: time.Unix(0, 0)}, {AppId: "x"}, {ContentType: "x"},
		{ContentEncoding: "x"}, {CorrelationId: "x"}, {ReplyTo: "x"}, {Expiration: "x"}, {MessageId: "x"}, {Type: "x"}, {UserId: "x"},
	} {
		require.False(t, p.Plain(), "%+v", p)
	}
}

// What an edit of a first death says of its size is what the headers have.
func TestSizeOfADeath(t *testing.T) {
	for _, d := range []message.Death{
		{Queue: "q", Reason: message.DiedExpired, Exchange: "", Keys: []any{"a"}},
		{Queue: "queue", Reason: message.DiedMaxLen, Exchange: "amq.topic", Expiration: "1000", Keys: []any{"a", "bc"}, Time: time.Unix(7, 0)},
	} {
		for _, c := range []message.Content{message.NewPublished(&message.Properties{}), message.NewPublished(&message.Properties{AppId: "a"})} {
			var e message.Edit
			d.Edit(&e, c.Headers())
			p := c.Edited(e).Properties()
			require.Equal(t, p.SizeWith(table.Size(p.Headers)), c.Edited(e).Size())
			d.Edit(&e, p.Headers) // it dies there again
			again := message.NewPublished(&p).Edited(e)
			p = again.Properties()
			require.Equal(t, p.SizeWith(table.Size(p.Headers)), again.Size())
		}
	}
}
