package names_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/wire"
)

func TestNamesAreBoundedInBytes(t *testing.T) {
	longest := strings.Repeat("é", 127) + "x"
	for name, want := range map[string]uint16{
		"": 0, longest: 0, longest + "x": wire.CodeSyntaxError, "a\xff": wire.CodeFrameError, "line\nend": 0,
	} {
		code, problem := names.Check("queue name", name)
		require.Equal(t, want, code, "%q", name)
		require.Equal(t, want == 0, problem == "", "%q", name)
		require.Equal(t, want == 0, names.IsValid(name), "%q", name)
	}
	_, problem := names.Check("queue name", longest+"x")
	require.Equal(t, "queue name of 256 bytes exceeds 255", problem)
}

func TestReservedNames(t *testing.T) {
	for name, want := range map[string]bool{"": true, "amq.": true, "amq.direct": true, "amq": false, "AMQ.direct": false, "my.amq.": false} {
		require.Equal(t, want, names.IsReserved(name), name)
	}
}

func TestCleanTakesOutLineEndsOnly(t *testing.T) {
	require.Equal(t, "ab c\td", names.Clean("\r\na\nb c\td\r"))
	require.Equal(t, "same", names.Clean("same"))
}

func TestShortenCutsBetweenCharacters(t *testing.T) {
	fits := strings.Repeat("x", names.MaxLen)
	require.Equal(t, fits, names.Shorten(fits))
	require.Equal(t, fits+"…", names.Shorten(fits+"y"))
	require.Equal(t, strings.Repeat("€", 85)+"…", names.Shorten(strings.Repeat("€", 86)))
	require.Equal(t, "x"+strings.Repeat("€", 84)+"…", names.Shorten("x"+strings.Repeat("€", 85)), "no half of a character")
}

func TestNewNamesDiffer(t *testing.T) {
	a, b := names.New("amq.gen-"), names.New("amq.gen-")
	require.NotEqual(t, a, b)
	require.Len(t, a, len("amq.gen-")+22)
	require.True(t, strings.HasPrefix(a, "amq.gen-"))
}
