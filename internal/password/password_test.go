package password_test

import (
	"context"
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/password"
)

// verifier checks texts from nowhere.
type verifier struct{ password.Verifier }

func newVerifier() *verifier { return &verifier{password.Verifier{Rounds: 2}} }

func (v *verifier) verify(p *password.Password, text string) bool {
	return v.Verify(context.Background(), p, text, "") == nil
}

func TestOnlyTheTextIsThePassword(t *testing.T) {
	v := newVerifier()
	p := v.New("secret")
	for range 2 { // the second time it is known
		require.False(t, v.verify(p, "Secret"))
		require.False(t, v.verify(p, ""))
		require.True(t, v.verify(p, "secret"))
	}
	require.False(t, v.verify(v.New("other"), "secret"), "what is known of one password is no other's")
	v.Forget(p)
	require.False(t, v.verify(p, "Secret"))
	require.True(t, v.verify(p, "secret"), "it is the password still")

	require.Nil(t, v.New(""))
	require.False(t, v.verify(nil, ""), "without a password nobody logs in")
	require.False(t, v.verify(nil, "secret"))
}

// TestAKnownPasswordNeedsNoDerivation would take years.
func TestAKnownPasswordNeedsNoDerivation(t *testing.T) {
	v := newVerifier()
	p := v.New("secret")
	v.Add(p)
	v.Rounds = math.MaxInt
	require.True(t, v.verify(p, "secret"), "the first time, too")
	require.False(t, v.verify(p, "Secret"))
	require.False(t, v.verify(nil, "secret"))
	require.True(t, v.verify(password.Known("guest"), "guest"))
	require.False(t, v.verify(password.Known("guest"), "Guest"))
}

func TestAnAddedPasswordIsDerivedOnce(t *testing.T) {
	foreign, err := password.ParseOwn(newVerifier().New("secret").Own())
	require.NoError(t, err)
	v := newVerifier()
	v.Add(foreign)
	require.False(t, v.verify(foreign, "Secret"))
	require.True(t, v.verify(foreign, "secret"))
	v.Rounds = math.MaxInt
	require.True(t, v.verify(foreign, "secret"))
	require.False(t, v.verify(foreign, "Secret"), "and none other is to be hidden")
	require.False(t, v.verify(nil, "secret"))
}

func TestPasswordsOfOneTextHaveSaltsOfTheirOwn(t *testing.T) {
	v := newVerifier()
	require.NotEqual(t, v.New("secret").Own(), v.New("secret").Own())
}

func TestOwnHashesAreReadBack(t *testing.T) {
	v := newVerifier()
	own := v.New("secret").Own()
	p, err := password.ParseOwn(own)
	require.NoError(t, err)
	require.Equal(t, own, p.Own())
	require.True(t, newVerifier().verify(p, "secret"))
	require.False(t, newVerifier().verify(p, "other"))
	text, algorithm := p.Foreign()
	require.Empty(t, text, "other brokers cannot check it")
	require.Equal(t, "rabbit_password_hashing_sha256", algorithm)

	part := strings.Split(own, "$")
	with := func(i int, s string) string {
		changed := append([]string(nil), part...)
		changed[i] = s
		return strings.Join(changed, "$")
	}
	for _, bad := range []string{
		"", own + "$", strings.Join(part[:3], "$"), with(0, "pbkdf2_sha512"),
		with(1, "0"), with(1, "-1"), with(1, "1000001"), with(1, "x"),
		with(2, ""), with(2, "?"), with(2, base64.StdEncoding.EncodeToString(make([]byte, 256))),
		with(3, ""), with(3, "?"), with(3, base64.StdEncoding.EncodeToString(make([]byte, 31))),
	} {
		_, err := password.ParseOwn(bad)
		require.Error(t, err, "%q", bad)
	}
	_, err = password.ParseOwn(with(1, "1000000"))
	require.NoError(t, err)
}

// TestForeignHashesAreRabbitMQs uses the example of RabbitMQ's documentation.
func TestForeignHashesAreRabbitMQs(t *testing.T) {
	const example = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
	for _, algorithm := range []string{"", "rabbit_password_hashing_sha256", "SHA256"} {
		p, err := password.ParseForeign(example, algorithm)
		require.NoError(t, err, algorithm)
		v := newVerifier()
		require.False(t, v.verify(p, "test13"))
		require.True(t, v.verify(p, "test12"))
		text, name := p.Foreign()
		require.Equal(t, example, text)
		require.Equal(t, "rabbit_password_hashing_sha256", name)
		require.Empty(t, p.Own())
	}
	for _, bad := range [][2]string{{example, "bcrypt"}, {example, "rabbit_password_hashing_md5"}, {example[4:], ""}, {"?", ""}, {"", ""}} {
		_, err := password.ParseForeign(bad[0], bad[1])
		require.Error(t, err, "%q", bad)
	}
}

func TestKnownPasswordsHaveOneHash(t *testing.T) {
	text, algorithm := password.Known("guest").Foreign()
	again, _ := password.Known("guest").Foreign()
	require.Equal(t, text, again)
	p, err := password.ParseForeign(text, algorithm)
	require.NoError(t, err)
	require.True(t, newVerifier().verify(p, "guest"))
	require.True(t, newVerifier().verify(password.Known("guest"), "guest"))
}
