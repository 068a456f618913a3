package warren

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/password"
)

// User is an account for clients of the listener. Code in this process needs none.
type User struct {
	Name string
	Tags []string
}

// ErrLoginRefused: there is no such user, or the password is wrong.
var ErrLoginRefused = errors.New("warren: login refused: the user or the password is wrong")

// UserDeclare makes an account, or changes the password and the tags of an existing
// one; its permissions stay. A new user may do nothing until
// [VirtualHost.PermissionsSet]. The password is stored as a hash (PBKDF2 with
// SHA-256). An account with an empty password cannot log in by password.
func (b *Broker) UserDeclare(name, password string, tags ...string) error {
	return b.stored(b.declareUser(name, b.passwords.New(password), tags))
}

// UserDeclareHash is UserDeclare with the hash of a password, in the form of
// RabbitMQ and LavinMQ: the base64 encoding of 4 bytes of salt followed by the
// digest of salt and password. The algorithm is rabbit_password_hashing_sha256,
// _sha512 or _md5, or LavinMQ's SHA256, SHA512 or MD5. An empty algorithm means
// SHA-256. Other algorithms, such as Bcrypt, are an error. An account with an empty
// hash cannot log in by password.
func (b *Broker) UserDeclareHash(name, hash, algorithm string, tags ...string) error {
	p, err := storedHash(hash, algorithm)
	if err != nil {
		return err
	}
	return b.stored(b.declareUser(name, p, tags))
}

func (b *Broker) declareUser(name string, p *password.Password, tags []string) error {
	if name == "" || !names.IsValid(name) {
		b.passwords.Forget(p)
		return fmt.Errorf("warren: a user's name has 1 to %d bytes of UTF-8", names.MaxLen)
	}
	b.passwords.Add(p)
	b.mu.Lock()
	users := b.usersLocked()
	u := users[name]
	if u == nil {
		u = &account{id: b.nextID(), name: name, grants: make(map[*VirtualHost]*grant)}
		users[name] = u
	}
	old := u.password
	u.password, u.tags = p, slices.Clone(tags)
	for v, g := range u.grants {
		u.setGrant(v, g.renewed())
		b.updateGrants(u, v)
	}
	b.recordChange(change{kind: userDeclared, user: name, account: u})
	b.mu.Unlock()
	b.passwords.Forget(old)
	b.notifyReaders()
	return nil
}

func storedHash(text, algorithm string) (*password.Password, error) {
	if text == "" {
		return nil, nil
	}
	return password.ParseForeign(text, algorithm)
}

// UserDelete removes an account and ends its sessions. It fails with [ErrNotFound]
// if there is no user of this name.
func (b *Broker) UserDelete(name string) error {
	b.mu.Lock()
	users := b.usersLocked()
	u := users[name]
	if u == nil {
		b.mu.Unlock()
		return errNoUser(name)
	}
	delete(users, name)
	sessions := b.sessionsWhere(func(s *Session) bool { return s.user == u })
	b.recordChange(change{kind: userDeleted, user: name, account: u})
	b.mu.Unlock()
	b.passwords.Forget(u.password)
	for _, s := range sessions {
		s.end(fmt.Sprintf("user '%s' was deleted", name))
	}
	b.notifyReaders()
	return b.stored(nil)
}

// Users returns the accounts, sorted by name.
func (b *Broker) Users() []User {
	b.mu.Lock()
	defer b.mu.Unlock()
	users := b.usersLocked()
	list := make([]User, 0, len(users))
	for _, u := range slices.SortedFunc(maps.Values(users), func(x, y *account) int { return cmp.Compare(x.name, y.name) }) {
		list = append(list, User{Name: u.name, Tags: slices.Clone(u.tags)})
	}
	return list
}

// Authenticate checks a user's password. It fails with [ErrLoginRefused]. It is fast
// but for hashes of Warren's own that came with [Broker.DefinitionsImport]: until the
// right password of each has come once, these and every wrong password take a few
// hundredths of a second of work, on half of the processors at most.
func (b *Broker) Authenticate(name, password string) error {
	return b.AuthenticateFrom(context.Background(), name, password, "")
}

// AuthenticateFrom is Authenticate for a server that lets others log in. Where a
// password cannot be checked at once, origins, such as addresses of clients, take turns,
// so that one of them does not hold up the others. The wait ends with ctx. It fails with
// [ErrLoginRefused], which is also ctx's error if that ended the wait, and if too many
// wait.
func (b *Broker) AuthenticateFrom(ctx context.Context, name, password, origin string) error {
	err := b.authenticate(ctx, name, password, origin)
	b.churn.countLogin(err == nil)
	return err
}

func (b *Broker) authenticate(ctx context.Context, name, password, origin string) error {
	b.mu.Lock()
	u := b.usersLocked()[name]
	stored := u.storedPassword()
	b.mu.Unlock()
	if err := b.passwords.Verify(ctx, stored, password, origin); err != nil {
		return fmt.Errorf("%w (%w)", ErrLoginRefused, err)
	}
	return nil
}

// Authenticate is Broker.AuthenticateFrom, but it does not count.
func (l *brokerLink) Authenticate(ctx context.Context, name, password, origin string) error {
	return (*Broker)(l).authenticate(ctx, name, password, origin)
}

// CountLogin counts a login of a connection.
func (l *brokerLink) CountLogin(accepted bool) { l.churn.countLogin(accepted) }

// UserHash returns the hash of a user's password and the name of its algorithm, as
// [Broker.DefinitionsExport] writes them for RabbitMQ and [Broker.UserDeclareHash] reads
// them. The hash is empty for a user who cannot log in by password, and for a password
// of [Broker.UserDeclare], whose hash no other broker can check. It fails with
// [ErrNotFound] if there is no user of this name.
func (b *Broker) UserHash(name string) (hash, algorithm string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.usersLocked()[name]
	if u == nil {
		return "", "", errNoUser(name)
	}
	hash, algorithm = u.password.Foreign()
	return hash, algorithm, nil
}

// UserExists reports whether there is an account of this name.
func (b *Broker) UserExists(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.usersLocked()[name] != nil
}
