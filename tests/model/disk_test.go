package model_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/warrenmq/warren"
)

// restartKind says how the server ends before it begins again.
type restartKind uint8

const (
	noRestart   restartKind = iota
	closed                  // by Close
	killed                  // with no warning: what goes on is what its files had then
	killedLater             // the same when nothing was done for a while, so that all is stored
)

// openedServer is a broker with a directory.
type openedServer struct {
	realServer
	base string // has the directories
	n    int    // of them so far
}

// openedSides makes directories in base.
func openedSides(base string) sides {
	return func() (*model, anyServer) {
		dir, err := os.MkdirTemp(base, "run")
		if err != nil {
			panic(err)
		}
		s := &openedServer{base: dir}
		if err := s.open(); err != nil {
			panic(err)
		}
		return newModel(), s
	}
}

func (s *openedServer) dir() string { return filepath.Join(s.base, fmt.Sprint(s.n)) }

func (s *openedServer) open() (err error) {
	s.Broker, err = warren.Open(s.dir(), &warren.Options{Mailbox: mailboxSize, ReplyBuffer: replyBufferSize, DiskLimit: -1})
	return err
}

func (s *openedServer) restart(kind restartKind) error {
	if kind == closed {
		if err := s.Broker.Close(); err != nil {
			return err
		}
		return s.open()
	}
	synctest.Wait()
	old := s.dir()
	s.n++
	if err := os.CopyFS(s.dir(), os.DirFS(old)); err != nil {
		return err
	}
	if err := s.Broker.Close(); err != nil {
		return err
	}
	os.RemoveAll(old)
	return s.open()
}

func (s *openedServer) Close() error {
	err := s.Broker.Close()
	os.RemoveAll(s.base)
	return err
}

func (s *openedServer) Session() (anySession, error) {
	session, err := s.Broker.Session()
	return openedSession{session}, err
}

type (
	openedSession struct{ *warren.Session }
	openedChannel struct{ realChannel }

	openedConsumer struct{ *warren.Consumer }
)

func (s openedSession) Channel() (anyChannel, error) {
	ch, err := s.Session.Channel()
	return openedChannel{realChannel{ch}}, err
}

// PublishConfirm waits until the message is stored.
func (ch openedChannel) PublishConfirm(exchange, key string, msg warren.Message, o warren.PublishOptions) (uint64, bool, error) {
	c, err := ch.Channel.PublishConfirm(context.Background(), exchange, key, msg, o)
	if c == nil {
		return 0, false, err
	}
	synctest.Wait()
	return c.DeliveryTag, c.Acked(), err
}

func (ch openedChannel) Consume(queue string, o warren.ConsumeOptions) (anyConsumer, error) {
	c, err := ch.Channel.Consume(queue, o)
	if err != nil {
		return nil, err
	}
	return openedConsumer{c}, nil
}

// Next waits until messages have come from the disk.
func (c openedConsumer) Next(ctx context.Context) (warren.Delivery, error) {
	synctest.Wait()
	return c.Consumer.Next(ctx)
}

func (g *generator) restarts() int {
	if g.durable {
		return 4
	}
	return 0
}

func (g *generator) restart() operation {
	switch g.IntN(4) {
	case 0:
		return operation{text: "Close, Open", restart: closed}
	case 1:
		return operation{text: "killed when all is stored, Open", restart: killedLater}
	}
	return operation{text: "killed, Open", restart: killed}
}

// An opened broker has the same answers and effects as the model, and keeps what it
// promises when it is closed or killed and opened again.
func TestOpenedBrokerAgreesWithModel(t *testing.T) {
	const chunks = 2
	first, last := uint64(1), *openedCount
	if *onlySeed != 0 {
		first, last = *onlySeed, *onlySeed
	}
	for chunk := range uint64(chunks) {
		t.Run(fmt.Sprint("chunk", chunk), func(t *testing.T) {
			t.Parallel()
			sides := openedSides(t.TempDir())
			if seed, _, short := search(t, sides, first+chunk, last, chunks); short != nil {
				t.Fatalf("seed %d (go test ./tests/model -run TestOpenedBrokerAgreesWithModel -model.seed %d):\n%s", seed, seed, short)
			}
		})
	}
}
