package warren_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestAFileThatIsNoDefinitionsChangesNothing(t *testing.T) {
	deep := strings.Repeat("[", 20000) + strings.Repeat("]", 20000)
	for _, c := range []struct{ text, problem string }{
		{``, "unexpected end of JSON input"},
		{`null`, "null is not an object"},
		{`[]`, "cannot unmarshal array"},
		{`{"users":[{"name":"ann"}]`, "unexpected end of JSON input"},
		{`{"users":[{"name":"ann"}]} {}`, "invalid character '{' after top-level value"},
		{`{"users":[{"name":"ann"}],"queues":{}}`, "cannot unmarshal object"},
		{`{"users":[{"name":"ann"}],"queues":"none"}`, "cannot unmarshal string"},
		{`{"users":[{"name":"ann"}],"queues":[{"name":"a"},{"name":"b","durable":"yes"}]}`, "object 2 of a section: json: cannot unmarshal string into Go struct field Queue.durable of type bool"},
		{`{"users":[{"name":"ann"}],"queues":[{"name":7}]}`, "object 1 of a section"},
		{`{"users":[{"name":"ann"}],"queues":["q"]}`, "object 1 of a section"},
		{`{"users":[{"name":"ann"}],"queues":[{"name":"q","arguments":"x"}]}`, "a table is a longstr"},
		{`{"users":[{"name":"ann"}],"queues":[{"name":"q","arguments":[1]}]}`, "a table is a list, but not of pairs"},
		{`{"users":[{"name":"ann"}],"queues":[{"name":"q","arguments":[[1,2]]}]}`, "a pair of a table has a long for its name"},
		{`{"users":[{"name":"ann"}],"queues":[{"name":"q","arguments":{"n":9223372036854775808}}]}`, "the number 9223372036854775808 is out of range"},
		{`{"users":[{"name":"ann"}],"queues":[{"name":"q","arguments":{"n":[1e999]}}]}`, "the number 1e999 is out of range"},
		{`{"users":[{"name":"ann"}],"queues":[{"name":"q","arguments":{"n":` + deep + `}}]}`, "exceeded max depth"},
		{`{"users":[{"name":"ann","tags":7}]}`, "cannot unmarshal number"},
		{`{"users":[{"name":"ann"}],"policies":[{"name":"p","pattern":".","priority":1.5,"definition":{}}]}`, "cannot unmarshal number 1.5"},
		{`{"users":[{"name":"ann"}],"parameters":[{"component":"operator_policy","name":"p","value":7}]}`, "cannot unmarshal number"},
		{`{"users":[{"name":"ann"}],"parameters":[{"component":"vhost-limits","name":"limits"}]}`, "a parameter of component vhost-limits has no value"},
		{`{"users":[{"name":"ann"}],"bindings":[` + strings.Repeat("{},", 1_000_000) + `{}]}`, "a section has more than 1000000 objects"},
	} {
		if brokertest.Race && len(c.text) > 1<<20 {
			continue // it is slow, and nothing runs at the same time
		}
		b := newBroker(t)
		before := exportText(t, b)
		err := b.DefinitionsImport(strings.NewReader(c.text))
		name := c.text[:min(len(c.text), 100)]
		require.ErrorContains(t, err, "warren: read definitions: ", name)
		require.ErrorContains(t, err, c.problem, name)
		require.Equal(t, before, exportText(t, b), name)
	}
}

func TestLongNamesAndDeepTablesAreProblemsOfTheirObjects(t *testing.T) {
	long := strings.Repeat("ü", 500)
	short := strings.Repeat("ü", 127) + "…"
	nested := strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40)
	require.Equal(t, []string{
		"user '" + short + "': a user's name has 1 to 255 bytes of UTF-8",
		"user '': a user's name has 1 to 255 bytes of UTF-8",
		"vhost '" + short + "': connection.open: 502 SYNTAX_ERROR - vhost name of 1000 bytes exceeds 255",
		"vhost '': connection.open: 530 NOT_ALLOWED - a vhost must have a name",
		"queue '" + short + "': queue.declare: 502 SYNTAX_ERROR - queue name of 1000 bytes exceeds 255",
		"queue 'deep': queue.declare: 502 SYNTAX_ERROR - table nests deeper than 32 levels",
		"binding from exchange 'amq.topic' by key '' to queue '" + short + "': queue.bind: 502 SYNTAX_ERROR - destination of 1000 bytes exceeds 255",
		"binding from exchange 'amq.topic' by key '" + short + "' to queue 'q': queue.bind: 502 SYNTAX_ERROR - routing key of 1000 bytes exceeds 255",
	}, importProblems(t, newBroker(t), fmt.Sprintf(`{
		"users": [{"name":%[1]q},{"name":""}], "vhosts": [{"name":%[1]q},{}],
		"queues": [{"name":%[1]q},{"name":"deep","arguments":%[2]s},{"name":"q"}],
		"bindings": [{"source":"amq.topic","destination":%[1]q,"destination_type":"queue"},{"source":"amq.topic","destination":"q","destination_type":"queue","routing_key":%[1]q}]
	}`, long, nested)))
}

func TestPasswordHashesOfOthersLogIn(t *testing.T) {
	// Of the password secret, with 4 bytes of salt in front.
	const (
		sha256 = "3q2+72ujixejd3k/LsdY3LMRRUYV1+qIgsiPTnDIbeFxMBfW"
		sha512 = "3q2+70VEWE0FqGYZ3RMNvezijod+raacSDqNV7zxX2jCGJrE+Ttmv27xiPDPLrdqK5P9/8A6XJ1WZEfOQ7i70LyGVak="
		md5    = "3q2+72hfYchy3Ny5FXLOhhISoU4="
	)
	b := newBroker(t)
	for _, c := range []struct{ hash, algorithm string }{
		{sha256, "rabbit_password_hashing_sha256"}, {sha256, "SHA256"}, {sha256, ""},
		{sha512, "rabbit_password_hashing_sha512"}, {sha512, "SHA512"},
		{md5, "rabbit_password_hashing_md5"}, {md5, "MD5"},
	} {
		require.NoError(t, b.UserDeclareHash("ann", c.hash, c.algorithm, "management"))
		for range 2 { // the second time from memory
			require.NoError(t, b.Authenticate("ann", "secret"), c.algorithm)
		}
		text := exportText(t, b)
		require.Contains(t, text, `"password_hash": "`+c.hash+`"`, "the hash stays what it is")
		require.NotContains(t, text, "warren_password_hash")

		imported := newBroker(t)
		importText(t, imported, fmt.Sprintf(`{"users":[{"name":"ann","password_hash":%q,"hashing_algorithm":%q,"tags":"management"}]}`, c.hash, c.algorithm))
		require.NoError(t, imported.Authenticate("ann", "secret"), c.algorithm)
		require.Equal(t, text, exportText(t, imported))
	}
	require.ErrorIs(t, b.Authenticate("ann", "Secret"), warren.ErrLoginRefused)
	require.NoError(t, b.UserDeclareHash("ann", "", ""))
	require.ErrorIs(t, b.Authenticate("ann", ""), warren.ErrLoginRefused)
}

func TestPasswordHashesThatCannotBeCheckedAreRefused(t *testing.T) {
	b := newBroker(t)
	require.NoError(t, b.UserDeclare("old", "secret", "monitoring"))
	for _, c := range []struct{ member, problem string }{
		{`"password_hash":"$2a$04$x","hashing_algorithm":"Bcrypt"`, "passwords hashed by 'Bcrypt' cannot be checked"},
		{`"password_hash":"AAAA====","hashing_algorithm":"SHA256"`, "the password hash is not base64: illegal base64 data at input byte 4"},
		{`"password_hash":"AAAAAAAA","hashing_algorithm":"MD5"`, "the password hash has 6 bytes, with rabbit_password_hashing_md5 it is 20"},
		{`"password_hash":"","warren_password_hash":"pbkdf2_sha256$1000001$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`, "the password hash is not pbkdf2_sha256$rounds$salt$hash, with at most 1000000 rounds"},
		{`"warren_password_hash":"pbkdf2_sha256$1$$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`, "the password hash is not pbkdf2_sha256$rounds$salt$hash, with at most 1000000 rounds"},
		{`"warren_password_hash":"scrypt"`, "the password hash is not pbkdf2_sha256$rounds$salt$hash, with at most 1000000 rounds"},
	} {
		require.Equal(t, []string{"user 'new': " + c.problem, "user 'old': " + c.problem},
			importProblems(t, b, `{"users":[{"name":"new",`+c.member+`,"tags":"policymaker"},{"name":"old",`+c.member+`}]}`))
		require.Equal(t, []warren.User{{Name: "guest", Tags: []string{"administrator"}}, {Name: "new", Tags: []string{"policymaker"}}, {Name: "old", Tags: []string{"monitoring"}}}, b.Users())
		require.NoError(t, b.Authenticate("old", "secret"), "who could log in still can")
		require.NoError(t, b.UserDelete("new"))
	}
	importProblems(t, b, `{"users":[{"name":"bare","password_hash":"$2a$04$x","hashing_algorithm":"Bcrypt"}]}`)
	require.ErrorIs(t, b.Authenticate("bare", ""), warren.ErrLoginRefused)
	require.Error(t, b.UserDeclareHash("new", "$2a$04$x", "Bcrypt"))
	require.False(t, b.UserExists("new"))
}

func FuzzImportDefinitions(f *testing.F) {
	f.Add(definitionsFile(f, "rabbitmq-3.10.8.json"))
	f.Add(definitionsFile(f, "lavinmq.json"))
	f.Add(`{"queues":[{"name":"q","arguments":[["a",{"b":[1.0,null,"Not UTF-8, base64 is: /w=="]}]]}],"bindings":[{"source":"amq.headers","destination":"q","destination_type":"queue","arguments":{"a":null}}]}`)
	f.Add(`{"users":[{"name":"u","warren_password_hash":"pbkdf2_sha256$1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		b, again := warren.New(nil), warren.New(nil)
		defer b.Close()
		defer again.Close()
		b.DefinitionsImport(strings.NewReader(text))
		out := exportText(t, b)
		importText(t, again, out)
		require.Equal(t, out, exportText(t, again))
		v, err := again.VirtualHostDeclare("one more")
		require.NoError(t, err)
		v.DefinitionsImport(strings.NewReader(text))
		require.NoError(t, v.DefinitionsExport(io.Discard))
	})
}
