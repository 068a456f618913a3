package remote_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/remote"
)

// Requests whose handlers return while Close is under way are answered, or come again.
func TestCloseWhileManyHandlersReturn(t *testing.T) {
	for range 10 {
		with(t, func(t *testing.T, _ *warren.Broker, client, server *remote.Broker) {
			_, err := server.Handle("q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
				time.Sleep(50 * time.Millisecond) // whatever its context says
				return req.Message, nil
			})
			require.NoError(t, err)
			const calls = 100
			ended := make(chan error, calls)
			for i := range calls {
				go func() {
					_, err := client.Call(t.Context(), "q", warren.Message{Body: fmt.Append(nil, i)})
					ended <- err
				}()
			}
			time.Sleep(50 * time.Millisecond)
			require.NoError(t, server.Close())
			_, err = client.Handle("q", echo)
			require.NoError(t, err)
			for range calls {
				select {
				case err := <-ended:
					require.NoError(t, err)
				case <-time.After(time.Hour):
					require.NoError(t, errors.New("a request was acknowledged without an answer"))
				}
			}
		})
	}
}
