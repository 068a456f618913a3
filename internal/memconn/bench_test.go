package memconn_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

// BenchmarkRoundTrip sends 64 bytes to a peer that sends them back.
func BenchmarkRoundTrip(b *testing.B) {
	b.Run("memconn", func(b *testing.B) {
		client, server := memconn.Pipe(0)
		benchRoundTrip(b, client, server, 64)
	})
	b.Run("memconn/512 bytes", func(b *testing.B) {
		client, server := memconn.Pipe(0)
		benchRoundTrip(b, client, server, 512)
	})
	b.Run("net.Pipe", func(b *testing.B) {
		client, server := net.Pipe()
		benchRoundTrip(b, client, server, 64)
	})
	b.Run("channels", func(b *testing.B) {
		there, back := make(chan [64]byte, 1), make(chan [64]byte, 1)
		go func() {
			for m := range there {
				back <- m
			}
		}()
		defer close(there)
		var m [64]byte
		b.ReportAllocs()
		for b.Loop() {
			there <- m
			m = <-back
		}
	})
}

func benchRoundTrip(b *testing.B, client, server net.Conn, size int) {
	defer client.Close()
	go func() {
		defer server.Close()
		p := make([]byte, 4096)
		for {
			n, err := server.Read(p)
			if err != nil {
				return
			}
			server.Write(p[:n])
		}
	}()
	p := make([]byte, size)
	b.ReportAllocs()
	for b.Loop() {
		client.Write(p)
		if _, err := io.ReadFull(client, p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkThroughput writes 32 KiB at a time to a peer that reads as much.
func BenchmarkThroughput(b *testing.B) {
	b.Run("memconn", func(b *testing.B) {
		client, server := memconn.Pipe(0)
		benchThroughput(b, client, server, 32<<10)
	})
	b.Run("memconn/reads of 4 KiB", func(b *testing.B) {
		client, server := memconn.Pipe(0)
		benchThroughput(b, client, server, 4<<10)
	})
	b.Run("net.Pipe", func(b *testing.B) {
		client, server := net.Pipe()
		benchThroughput(b, client, server, 32<<10)
	})
	b.Run("net.Pipe/reads of 4 KiB", func(b *testing.B) {
		client, server := net.Pipe()
		benchThroughput(b, client, server, 4<<10)
	})
}

func benchThroughput(b *testing.B, client, server net.Conn, read int) {
	received := make(chan int)
	go func() {
		sum, p := 0, make([]byte, read)
		for {
			n, err := server.Read(p)
			sum += n
			if err != nil {
				server.Close()
				received <- sum
				return
			}
		}
	}()
	p := make([]byte, 32<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		client.Write(p)
	}
	client.Close()
	require.Equal(b, b.N*len(p), <-received)
}

func BenchmarkPipe(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		memconn.Pipe(0)
	}
}
