package message_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
)

func TestModeIsADeliveryModeAndNothingElse(t *testing.T) {
	for mode := range uint8(255) {
		p := message.Properties{DeliveryMode: mode + 1}
		m, ok := p.OnlyMode()
		require.True(t, ok)
		full := message.NewPublished(&p)
		require.Equal(t, full.AppendTo(nil), m.AppendTo(nil))
		require.Equal(t, full.Persistent(), m.Persistent())
		require.Equal(t, full.Properties(), m.Properties())
		require.Equal(t, full.Shown(), m.Shown())
		again, ok := message.ModeOf(m.AppendTo(nil))
		require.True(t, ok)
		require.Equal(t, m, again)
		edit := message.SetHeader("a", int64(1))
		require.Equal(t, full.Edited(edit).Properties(), m.Edited(edit).Properties())
	}
	for _, p := range []message.Properties{{Priority: 1}, {ContentType: "a"}, {UserId: "a"}, {Headers: map[string]any{}}, {DeliveryMode: 2, AppId: "a"}} {
		_, ok := p.OnlyMode()
		require.False(t, ok, "%v", p)
	}
	for _, raw := range [][]byte{nil, {0, 0}, {0x10, 0, 0}, {0x10, 1, 2}, {0x18, 0, 2}, {0x10, 0, 2, 0}} {
		_, ok := message.ModeOf(raw)
		require.False(t, ok, "%v", raw)
	}
	require.Zero(t, testing.AllocsPerRun(10, func() {
		p := message.Properties{DeliveryMode: 2}
		m, _ := p.OnlyMode()
		var c message.Content = m
		if !c.Persistent() {
			t.Fail()
		}
	}))
}
