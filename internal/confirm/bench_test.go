package confirm

import (
	"testing"
)

type nobody struct{}

func (nobody) Answered(first, last uint64, err error) {}

func (nobody) Answer(err error) {}

// BenchmarkLine lets 1000 publishes at a time wait: by number, or with an Answerer each.
func BenchmarkLine(b *testing.B) {
	for name, to := range map[string]Answerer{"numbers": nil, "answerers": nobody{}} {
		b.Run(name, func(b *testing.B) {
			d := &script{stored: 1}
			l := New(d, nobody{}, nil)
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				n++
				l.Add(n, n, to)
				if n%1000 == 0 {
					d.store(n + 1)
				}
			}
		})
	}
}
