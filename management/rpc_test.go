package management_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

func TestRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		r := s.want(200, "GET", "/api/warren/rpc", "").object()
		require.Equal(t, object{"waiting": 0.0, "oldest_ms": 0.0}, r["calls"])
		require.Empty(t, r["handlers"])
		require.Empty(t, r["reply_consumers"])
		time.Sleep(time.Second)
		fail := errors.New("no")
		_, err := s.b.Handle("price", func(_ context.Context, q *warren.Request) (warren.Message, error) {
			time.Sleep(40 * time.Millisecond)
			if string(q.Body) == "fail" {
				return warren.Message{}, &warren.RemoteError{Code: "sold-out", Err: fail}
			}
			return warren.Message{Body: q.Body}, nil
		}, warren.HandleOptions{Concurrency: 4})
		require.NoError(t, err)
		for range 18 {
			_, err := s.b.Call(t.Context(), "price", warren.Message{Body: []byte("ok")})
			require.NoError(t, err)
		}
		for range 2 {
			_, err := s.b.Call(t.Context(), "price", warren.Message{Body: []byte("fail")})
			require.Error(t, err)
		}
		time.Sleep(200 * time.Millisecond) // one second in all
		r = s.get("/api/warren/rpc").object()
		require.Equal(t, 20.0, r["replies"])
		require.Equal(t, 10.0, rate(t, r, "", "replies"))
		h := r["handlers"].([]any)[0].(object)
		for member, want := range (object{
			"vhost": "/", "queue": "price", "concurrency": 4.0, "serving": 0.0, "ready": 0.0, "served": 20.0, "failed": 2.0, "gone": 0.0,
			"errors": object{"sold-out": 2.0}, "timed": 20.0,
		}) {
			require.Equal(t, want, h[member], member)
		}
		require.NotEmpty(t, h["tag"])
		require.InEpsilon(t, 40.0, h["p50_ms"], 0.13)
		require.InEpsilon(t, 40.0, h["p99_ms"], 0.13)
		require.Equal(t, 10.0, rate(t, h, "", "served"))
		require.Equal(t, 1.0, rate(t, h, "", "failed"))
		for range 30 {
			time.Sleep(3 * time.Second)
			h = s.get("/api/warren/rpc?vhost=%2F").object()["handlers"].([]any)[0].(object)
		}
		require.Equal(t, 0.0, h["timed"], "nothing was served in the last minute")
		require.Equal(t, 20.0, h["served"])
		s.want(404, "GET", "/api/warren/rpc?vhost=none", "")
	})
}

func TestCallsAndReplyConsumersAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		s.get("/api/warren/rpc") // somebody looks
		session, err := s.b.Session()
		require.NoError(t, err)
		ch, err := session.Channel()
		require.NoError(t, err)
		_, err = ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true, Tag: "replies"})
		require.NoError(t, err)
		s.want(201, "PUT", "/api/queues/%2F/slow", "{}")
		ctx, cancel := context.WithCancel(t.Context())
		go s.b.Call(ctx, "slow", warren.Message{})
		synctest.Wait()
		time.Sleep(1500 * time.Millisecond)
		r := s.get("/api/warren/rpc").object()
		require.Equal(t, object{"waiting": 1.0, "oldest_ms": 1500.0}, r["calls"])
		require.Equal(t, []any{object{"vhost": "/", "user": "", "connection": session.ID(), "channel": 1.0, "tag": "replies"}}, r["reply_consumers"])
		require.Empty(t, s.get("/api/consumers").list(), "it has no queue")
		cancel()
		synctest.Wait()
	})
}
