// Package kill_test has a child process with an opened broker, publishers that wait for
// confirms and consumers that ack, and kills it at any moment. Then the next child opens
// the same directory, tells what is there, and goes on until it is killed. What the
// broker has promised must be so each time: see ledger_test.go.
//
//	go test ./tests/kill                       # seconds
//	go test ./tests/kill -kill.time=10m        # one seed after another
//	go test ./tests/kill -kill.seed=7          # the seed that a failure names
package kill_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/brokertest"
)

var seeds = brokertest.NewSeeds("kill", 1, 1)

const (
	lives     = 11                      // of children, one after another in a directory; the last one is not killed
	longest   = 1500 * time.Millisecond // that a child may work before it is killed
	patience  = 20 * time.Second        // for a child to do all it has to
	seedLimit = 5 * time.Minute         // real time for one seed, which takes seconds
)

func TestMain(m *testing.M) {
	if life := os.Getenv(lifeVariable); life != "" {
		os.Exit(child(life))
	}
	os.Exit(m.Run())
}

func TestPromisesHoldWhenTheProcessIsKilled(t *testing.T) {
	var all totals
	seeds.Each(t, seedLimit, func(t *testing.T, seed uint64) {
		r := &round{
			t: t, dir: t.TempDir(), seed: seed, ledger: newLedger(),
			rnd: rand.New(rand.NewPCG(seed, 0)),
		}
		for life := range lives {
			r.live(life)
			require.Empty(t, r.failures, "seed %d, life %d", seed, life)
		}
		t.Log(r.totals.String())
		all.add(r.totals)
	})
	t.Log("together:", all.String())
}

// round is one directory and the children that open it.
type round struct {
	*ledger
	t    *testing.T
	dir  string
	seed uint64
	rnd  *rand.Rand
}

// live lets one child live and brings it to its end.
func (r *round) live(life int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", lifeVariable, life, r.seed, r.dir))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	require.NoError(r.t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, cmd.Start())

	// Now and then one ends by Close, the last one of all does, and some are killed
	// while they open.
	closes := life == lives-1 || r.rnd.IntN(12) == 0
	early := !closes && r.rnd.IntN(8) == 0
	wait := time.Duration(r.rnd.Float64() * r.rnd.Float64() * float64(longest))
	end := func() {
		if closes {
			in.Close()
		} else {
			cmd.Process.Kill()
		}
	}
	if early {
		time.AfterFunc(time.Duration(r.rnd.IntN(int(150*time.Millisecond))), end)
	}
	stuck := time.AfterFunc(patience, func() { cmd.Process.Signal(syscall.SIGQUIT) }) // it tells where it stands
	defer stuck.Stop()
	r.begin(life)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // an incomplete line was never said
		}
		if line == "listed\n" && !early {
			time.AfterFunc(wait, end)
		}
		r.hear(strings.TrimSuffix(line, "\n"))
	}
	err = cmd.Wait()
	if closes {
		require.NoError(r.t, err, complaints.String())
		require.True(r.t, r.closed, "it said nothing of its end")
	} else {
		require.NotContains(r.t, complaints.String(), "SIGQUIT", "it stood still")
		require.Equal(r.t, -1, cmd.ProcessState.ExitCode(), "it ended by itself: %s", complaints.String())
		r.totals.kills++
		if early {
			r.totals.early++
		}
	}
}
