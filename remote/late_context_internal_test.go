package remote

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestALateContextIsLikeAnyOther(t *testing.T) {
	for name, early := range map[string]bool{"asked before its end": true, "asked after its end": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := new(lateContext)
				require.Nil(t, c.Value("key"))
				var child context.Context
				var cancel context.CancelFunc
				if early {
					child, cancel = context.WithCancel(c)
					require.NoError(t, child.Err())
					require.NoError(t, c.Err())
				}
				c.end()
				if !early {
					child, cancel = context.WithCancel(c)
				}
				defer cancel()
				<-child.Done()
				<-c.Done()
				require.ErrorIs(t, c.Err(), context.Canceled)
				require.ErrorIs(t, child.Err(), context.Canceled)
				_, ok := c.Deadline()
				require.False(t, ok)
				c.end()
			})
		})
	}
}

func TestALateContextEndsWhileItIsAskedFor(t *testing.T) {
	for range 100 {
		c := new(lateContext)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				child, cancel := context.WithCancel(c)
				<-child.Done()
				cancel()
			})
			all.Go(func() { <-c.Done() })
		}
		all.Go(c.end)
		all.Wait()
	}
}
