// Durable shows what a confirm is worth. A second process publishes to a durable
// queue and tells which messages are confirmed, until it is killed at a random
// moment. Then its directory is opened again: every message that was confirmed
// is there, in order.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/warrenmq/warren"
	"golang.org/x/sync/errgroup"
)

const (
	queue   = "orders"
	window  = 1000                   // messages on their way to the disk
	longest = 500 * time.Millisecond // of a publisher's life, from its first confirm on
)

func main() {
	log.SetFlags(0)
	dir := flag.String("publish", "", "be the publisher, in this directory, until somebody kills the process")
	flag.Parse()
	work := run
	if *dir != "" {
		work = func() error { return publish(context.Background(), *dir) }
	}
	if err := work(); err != nil {
		log.Fatal("durable: ", err)
	}
}

// run has a publisher killed, and looks at what it leaves.
func run() error {
	parent, err := os.MkdirTemp("", "durable")
	if err != nil {
		return err
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "broker")

	confirmed, err := publishUntilKilled(dir)
	if err != nil {
		return err
	}
	found, err := take(dir)
	if err != nil {
		return err
	}
	if found < confirmed {
		return fmt.Errorf("%d messages were confirmed, and %d are there", confirmed, found)
	}
	fmt.Printf("killed after %d confirms; all %d messages are there, in order, and %d that were still on their way\n", confirmed, confirmed, found-confirmed)
	return nil
}

// publishUntilKilled runs a publisher and kills it. It returns how many messages
// were confirmed.
func publishUntilKilled(dir string) (confirmed int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(program, "-publish", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); confirmed++ {
		if confirmed == 0 {
			time.AfterFunc(rand.N(longest), func() { cmd.Process.Kill() }) // no defer, no Close: nothing more is done there
		}
		if lines.Text() != strconv.Itoa(confirmed) {
			return 0, fmt.Errorf("confirm %d is of message %q", confirmed, lines.Text())
		}
	}
	if cmd.Wait() == nil || confirmed == 0 {
		return 0, errors.New("the publisher ended before it was killed")
	}
	return confirmed, nil
}

// publish publishes the numbers from 0 and prints each when it is confirmed.
func publish(ctx context.Context, dir string) error {
	b, err := warren.Open(dir, nil)
	if err != nil {
		return err
	}
	defer b.Close()
	ch, err := b.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(queue, warren.QueueOptions{Durable: true}); err != nil {
		return err
	}
	if err := ch.Confirm(); err != nil {
		return err
	}
	confirms := make(chan *warren.Confirmation, window)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(confirms)
		for n := 0; ; n++ {
			order := warren.Message{Body: []byte(strconv.Itoa(n)), DeliveryMode: warren.Persistent}
			c, err := ch.PublishConfirm(ctx, "", queue, order, warren.PublishOptions{})
			if err != nil {
				return err
			}
			select {
			case confirms <- c:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	group.Go(func() error {
		n := 0
		for c := range confirms {
			if err := c.Wait(ctx); err != nil {
				return err
			}
			if _, err := fmt.Println(n); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return group.Wait()
}

// take opens the directory again, takes all messages, and wants the numbers from
// 0 in order. It returns how many there are.
func take(dir string) (found int, err error) {
	b, err := warren.Open(dir, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	ch, err := b.Channel()
	if err != nil {
		return 0, err
	}
	for ; ; found++ {
		d, ok, err := ch.Get(queue, true)
		if err != nil || !ok {
			return found, err
		}
		if string(d.Body) != strconv.Itoa(found) {
			return found, fmt.Errorf("message %d is %q", found, d.Body)
		}
	}
}
