package wire_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// recordedTraffic is what clients have said in testdata/traffic, by client:
// each file has all that one connection sent to the broker, the protocol header
// first.
func recordedTraffic(t testing.TB) map[string][]byte {
	files, err := filepath.Glob("testdata/traffic/*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	said := make(map[string][]byte)
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		said[filepath.Base(name)] = b
	}
	return said
}

// framesOf are the frames of what a client said.
func framesOf(t testing.TB, said []byte) (list []wire.Frame) {
	require.True(t, wire.AcceptProtocol(said[:8]))
	for said = said[8:]; len(said) > 0; {
		f, size, err := wire.ParseFrame(said, 131072)
		require.NoError(t, err)
		require.NotZero(t, size)
		list = append(list, f)
		said = said[size:]
	}
	return list
}

func TestWhatClientsSayIsReadAndSaidAgain(t *testing.T) {
	for name, said := range recordedTraffic(t) {
		methods, headers := 0, 0
		for _, f := range framesOf(t, said) {
			switch f.Type {
			case wire.FrameMethod:
				m, err := parseMethod(f.Payload)
				require.NoError(t, err, name)
				again, err := parseMethod(m.Append(nil))
				require.NoError(t, err, name)
				require.Equal(t, m, again, name)
				methods++
			case wire.FrameHeader:
				h, err := wire.ParseContentHeader(f.Payload)
				require.NoError(t, err, name)
				var p wire.Properties
				require.NoError(t, p.Parse(h.Properties), name)
				require.Equal(t, f.Payload, h.Append(nil), name)
				headers++
			}
		}
		require.Greater(t, methods, 20, name)
		require.Greater(t, headers, 3, name)
	}
}
