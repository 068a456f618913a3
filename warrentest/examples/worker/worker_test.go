package worker_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
	"github.com/warrenmq/warren/warrentest/examples/worker"
)

func TestX(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() {
			worker.Run(ctx, worker.Config{Dial: b.Dial, Do: func(j []byte) []byte { return append(j, '!') }, Log: func(err error) { t.Log(err) }})
			close(done)
		}()
		synctest.Wait()
		root, _ := b.VirtualHost("/")
		ch, err := b.Channel()
		require.NoError(t, err)
		for i := range 10 {
			require.NoError(t, ch.Publish(ctx, "", worker.Jobs, warren.Message{MessageId: strconv.Itoa(i), Body: []byte(strconv.Itoa(i))}, warren.PublishOptions{Mandatory: true}))
		}
		synctest.Wait()
		q, err := root.Queue("results")
		require.NoError(t, err)
		require.Equal(t, 10, q.Ready)
		cancel()
		<-done
	})
}
