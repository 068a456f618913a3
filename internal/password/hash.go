package password

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/internal/names"
)

// digest is a way in which RabbitMQ and LavinMQ hash passwords: a hash function
// is applied once, to the salt and the password.
type digest struct {
	name string // in RabbitMQ
	kind string // end of its name in both brokers, in lower case
	size int
	new  func() hash.Hash
}

var digests = [...]digest{
	{"rabbit_password_hashing_sha256", "sha256", sha256.Size, sha256.New},
	{"rabbit_password_hashing_sha512", "sha512", sha512.Size, sha512.New},
	{"rabbit_password_hashing_md5", "md5", md5.Size, md5.New},
}

// usualDigest is the one that counts where none is named.
var usualDigest = &digests[0]

// digestNamed finds a digest by its name in RabbitMQ or LavinMQ. It returns nil if
// there is none, and usualDigest for an empty name.
func digestNamed(name string) *digest {
	if name == "" {
		return usualDigest
	}
	for i := range digests {
		if strings.HasSuffix(strings.ToLower(name), digests[i].kind) {
			return &digests[i]
		}
	}
	return nil
}

// of hashes the salt and the text.
func (d *digest) of(salt []byte, text string) []byte {
	h := d.new()
	h.Write(salt)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// foreignSalt is the number of bytes of salt in front of a digest.
const foreignSalt = 4

// ParseForeign reads a hash that RabbitMQ or LavinMQ has made: the base64 of the
// salt and the digest. It fails if the algorithm is unknown or the hash malformed.
func ParseForeign(text, algorithm string) (*Password, error) {
	d := digestNamed(algorithm)
	if d == nil {
		return nil, fmt.Errorf("warren: passwords hashed by '%s' cannot be checked", names.Shorten(algorithm))
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("warren: the password hash is not base64: %w", err)
	}
	if len(raw) != foreignSalt+d.size {
		return nil, fmt.Errorf("warren: the password hash has %d bytes, with %s it is %d", len(raw), d.name, foreignSalt+d.size)
	}
	return &Password{digest: d, salt: raw[:foreignSalt], hash: raw[foreignSalt:]}, nil
}

// Known makes the password of a text that everybody knows, such as that of the
// user guest. It is hashed as RabbitMQ does, so that a broker that imports the
// definitions can check it, and with a fixed salt.
func Known(text string) *Password {
	salt := make([]byte, foreignSalt)
	return &Password{digest: usualDigest, salt: salt, hash: usualDigest.of(salt, text)}
}

// Foreign returns the hash for RabbitMQ and LavinMQ, and the name of its
// algorithm. The hash is empty if these brokers cannot check it; then the user
// cannot log in there.
func (p *Password) Foreign() (text, algorithm string) {
	if p == nil || p.digest == nil {
		return "", usualDigest.name
	}
	raw := append(append([]byte(nil), p.salt...), p.hash...)
	return base64.StdEncoding.EncodeToString(raw), p.digest.name
}

const (
	ownHashing = "pbkdf2_sha256"
	maxRounds  = 1_000_000
)

// Own returns the hash that only Warren can check. It is empty for a nil password
// and for a hash that came from another broker.
func (p *Password) Own() string {
	if p == nil || p.digest != nil {
		return ""
	}
	return fmt.Sprintf("%s$%d$%s$%s", ownHashing, p.rounds,
		base64.StdEncoding.EncodeToString(p.salt), base64.StdEncoding.EncodeToString(p.hash))
}

// ParseOwn reads a hash that Own has returned.
func ParseOwn(text string) (*Password, error) {
	bad := fmt.Errorf("warren: the password hash is not %s$rounds$salt$hash, with at most %d rounds", ownHashing, maxRounds)
	part := strings.Split(text, "$")
	if len(part) != 4 || part[0] != ownHashing {
		return nil, bad
	}
	rounds, err := strconv.Atoi(part[1])
	if err != nil || rounds < 1 || rounds > maxRounds {
		return nil, bad
	}
	salt, err := base64.StdEncoding.DecodeString(part[2])
	if err != nil || len(salt) == 0 || len(salt) > names.MaxLen {
		return nil, bad
	}
	key, err := base64.StdEncoding.DecodeString(part[3])
	if err != nil || len(key) != sha256.Size {
		return nil, bad
	}
	return &Password{rounds: rounds, salt: salt, hash: key}, nil
}
