package message_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// narrowProperties are properties whose headers have narrow integers.
func narrowProperties() message.Properties {
	return message.Properties{
		Headers:  table.Table{"n": int32(7), "deep": []any{int8(1)}, "text": "x"},
		Priority: 3, ReplyTo: "r", Timestamp: time.Unix(7, 0),
	}
}

var wideHeaders = table.Table{"n": int64(7), "deep": []any{int64(1)}, "text": "x"}

// contents are one message's properties in all forms in which they come.
func contents() map[string]message.Content {
	p := narrowProperties()
	raw := wire.RawProperties(p.AppendTo(nil))
	return map[string]message.Content{
		"published": message.NewPublished(&p),
		"checked":   message.NewChecked(&p, table.Checked{Narrow: true}),
		"encoded":   &message.Encoded{Raw: raw},
		"addressed": &message.Addressed{Encoded: message.Encoded{Raw: raw}},
		"blind":     &message.Blind{Content: &message.Encoded{Raw: raw}},
	}
}

// TestUsersSeeWideIntegersAndTheBrokerThoseThatCame covers all forms of
// content, each also as a stream lends it.
func TestUsersSeeWideIntegersAndTheBrokerThoseThatCame(t *testing.T) {
	p := narrowProperties()
	for name, c := range contents() {
		for range 2 { // the second look finds what the first has made
			require.Equal(t, wideHeaders, c.Shown().Headers, name)
			require.Equal(t, p, withLocalTime(c.Properties()), name)
			require.Equal(t, p.Headers, c.Headers(), name)
		}
		require.Equal(t, uint8(3), c.Priority(), name)
		require.Equal(t, p, withLocalTime(parse(t, c.AppendTo(nil))), name)

		lent := message.NewLent(c, 17)
		for range 2 {
			require.Equal(t, table.Join(table.Clone(wideHeaders), table.Table{message.OffsetHeader: int64(17)}), lent.Shown().Headers, name)
			require.Equal(t, table.Join(table.Clone(p.Headers), table.Table{message.OffsetHeader: int64(17)}), lent.Properties().Headers, name)
			require.Equal(t, lent.Properties().Headers, lent.Headers(), name)
		}
		require.Equal(t, "r", lent.Shown().ReplyTo, name)
		require.Equal(t, uint8(3), lent.Priority(), name)
		before := []byte("before")
		require.Equal(t, "before", string(lent.AppendTo(before)[:len(before)]), name)
		require.Equal(t, lent.Properties().Headers, parse(t, lent.AppendTo(nil)).Headers, name)
		require.Equal(t, p.Headers, c.Headers(), "%s: the stream's own headers do not change", name)
	}
}

// withLocalTime makes timestamps comparable.
func withLocalTime(p message.Properties) message.Properties {
	p.Timestamp = p.Timestamp.Local()
	return p
}

func parse(t *testing.T, raw []byte) message.Properties {
	var w wire.Properties
	require.NoError(t, w.Parse(raw))
	return message.Properties{Headers: w.Headers, Priority: w.Priority, ReplyTo: w.ReplyTo, Timestamp: w.Timestamp}
}

// TestEditedContent: what is edited is set, the rest stays, and headers that are
// added on the way may have narrow integers, too.
func TestEditedContent(t *testing.T) {
	e := message.SetHeader("added", int16(9))
	e.Narrow = true
	e.Set = append(e.Set, wire.Header{Name: "text", Value: "y"})
	e.Remove = []string{"deep"}
	for name, c := range contents() {
		d := c.Edited(e)
		require.Equal(t, table.Table{"n": int64(7), "text": "y", "added": int64(9)}, d.Shown().Headers, name)
		require.Equal(t, table.Table{"n": int32(7), "text": "y", "added": int16(9)}, d.Headers(), name)
		require.Equal(t, []any{uint8(3), "r"}, []any{d.Priority(), d.Properties().ReplyTo}, name)
		require.Equal(t, narrowProperties().Headers, c.Headers(), "%s: it does not change itself", name)
	}
	var plain message.Entry
	require.Equal(t, table.Table{"added": int64(9), "text": "y"}, plain.Edited(e).Shown().Headers)
}

func TestEditedContentLosesItsExpiration(t *testing.T) {
	p := message.Properties{Expiration: "5", MessageId: "m"}
	for _, c := range []message.Content{message.NewPublished(&p), &message.Encoded{Raw: p.AppendTo(nil)}} {
		var e message.Edit
		require.Equal(t, "5", c.Edited(e).Properties().Expiration)
		e.WithoutExpiration = true
		d := c.Edited(e).Properties()
		require.Equal(t, []string{"", "m"}, []string{d.Expiration, d.MessageId})
	}
}

func TestContentOfAStreamWithoutPropertiesTellsItsOffset(t *testing.T) {
	lent := message.NewLent(nil, 3)
	want := table.Table{message.OffsetHeader: int64(3)}
	require.Equal(t, message.Properties{Headers: want}, lent.Properties())
	require.Equal(t, message.Properties{Headers: want}, lent.Shown())
	require.Equal(t, want, parse(t, lent.AppendTo(nil)).Headers)
	require.Zero(t, lent.Priority())
}

// TestManyLookAtOnce is for the race detector: content is shared.
func TestManyLookAtOnce(t *testing.T) {
	all := contents()
	all["lent"] = message.NewLent(all["encoded"], 1)
	var wg sync.WaitGroup
	for _, c := range all {
		for range 4 {
			wg.Go(func() {
				if c.Shown().Headers["n"] != int64(7) || c.Properties().Headers["n"] != int32(7) {
					t.Errorf("%T shows something else", c)
				}
			})
		}
	}
	wg.Wait()
}

func TestContentHasNoBody(t *testing.T) {
	p := message.Properties{ContentType: "text/plain", Body: []byte("body")}
	e := message.Entry{Body: []byte("another"), Content: message.NewPublished(&p)}
	require.Nil(t, e.Content.Properties().Body)
	require.Equal(t, "another", string(e.Properties().Body))
	require.Equal(t, "another", string(e.Shown().Body))
	e.Content = nil
	require.Equal(t, message.Properties{Body: e.Body}, e.Shown())
	require.Equal(t, message.Properties{Body: e.Body}, e.Properties())
}

func TestFilterValueOfAllForms(t *testing.T) {
	for _, tt := range []struct {
		header any
		want   string
	}{{"red", "red"}, {"", ""}, {int64(1), ""}, {nil, ""}} {
		p := message.Properties{Headers: table.Table{message.FilterHeader: tt.header, "other": "x"}}
		raw := wire.RawProperties(p.AppendTo(nil))
		require.Equal(t, tt.want, message.FilterValue(message.NewPublished(&p)))
		require.Equal(t, tt.want, message.FilterValue(&message.Encoded{Raw: raw}))
		require.Equal(t, tt.want, message.FilterValue(&message.Addressed{Encoded: message.Encoded{Raw: raw}}))
		require.Equal(t, tt.want, message.FilterValue(&message.Blind{Content: &message.Encoded{Raw: raw}}))
	}
	require.Empty(t, message.FilterValue(nil))
	require.Empty(t, message.FilterValue(&message.Encoded{Raw: []byte{0, 0}}))
}

func TestReturnsAreCountedInAHeader(t *testing.T) {
	p := narrowProperties()
	it := message.Item{Entry: message.Entry{Content: message.NewPublished(&p)}}
	require.Equal(t, it.Content, it.Outgoing(), "a message that never came back is as it was")
	it.Returns = 2
	require.Equal(t, int64(2), it.Outgoing().Headers()["x-delivery-count"])
	require.Equal(t, wideHeaders["n"], it.Outgoing().Shown().Headers["n"])
	require.NotContains(t, it.Content.Headers(), "x-delivery-count", "what is kept does not change")
	plain := message.Item{Returns: 1}
	require.Equal(t, table.Table{"x-delivery-count": int64(1)}, plain.Outgoing().Shown().Headers)
}
