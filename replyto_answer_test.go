package warren_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// Calls that are answered, given up, refused, failed and dropped use slots in turn, and
// each gets its own answer.
func TestEachCallGetsItsOwnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		defer b.Close()
		_, err := b.Handle("echo", func(ctx context.Context, r *warren.Request) (warren.Message, error) {
			switch r.Type {
			case "fail":
				return warren.Message{Headers: warren.Table{"h": int64(1)}}, fmt.Errorf("failed %s", r.Body)
			case "whole":
				return warren.Message{Body: r.Body, Headers: warren.Table{"id": string(r.Body)}, AppId: "a"}, nil
			case "wait":
				<-ctx.Done()
				return warren.Message{Body: []byte("late"), AppId: "late", Headers: warren.Table{"late": true}}, nil
			case "pass":
				ch, err := b.Channel()
				if err != nil {
					return warren.Message{}, err
				}
				defer ch.Close()
				err = ch.Publish(ctx, "", r.ReplyTo, warren.Message{Body: r.Body, CorrelationId: r.CorrelationId, MessageId: "direct"}, warren.PublishOptions{})
				return warren.Message{Body: []byte("too late"), UserId: "x"}, err
			}
			return warren.Message{Body: r.Body}, nil
		})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				for i := range 300 {
					kind := []string{"", "fail", "whole", "wait", "pass"}[(g+i)%5]
					body := fmt.Sprint(g, "/", i)
					ctx, cancel := context.WithCancel(t.Context())
					if kind == "wait" {
						go cancel()
					}
					r, err := b.Call(ctx, "echo", warren.Message{Body: []byte(body), Type: kind})
					cancel()
					switch kind {
					case "fail":
						assert.ErrorContains(t, err, "failed "+body)
						assert.Zero(t, r)
					case "wait":
						if err == nil {
							assert.Equal(t, "late", string(r.Body))
						} else {
							assert.ErrorIs(t, err, context.Canceled)
							assert.Zero(t, r)
						}
					case "whole":
						assert.NoError(t, err)
						assert.Equal(t, body, r.Headers["id"])
						assert.Equal(t, body, string(r.Body))
					case "pass":
						assert.NoError(t, err)
						assert.Equal(t, body, string(r.Body))
						assert.Equal(t, "direct", r.MessageId)
						assert.Empty(t, r.Headers)
					default:
						assert.NoError(t, err)
						assert.Equal(t, body, string(r.Body))
						assert.Empty(t, r.Headers)
						assert.Empty(t, r.AppId)
					}
				}
			})
		}
		wg.Wait()
	})
}
