package argument_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"
)

const century = 100 * 365 * 24 * time.Hour

// TestAges: RabbitMQ's units, and ages that are too long to be told.
func TestAges(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "90m": 90 * time.Minute, "2h": 2 * time.Hour, "7D": 7 * 24 * time.Hour, "1M": 30 * 24 * time.Hour, "1Y": 365 * 24 * time.Hour,
		"101Y": century, "99999999999999999999999Y": century, "99999999999999999999s": century,
		"": 0, "s": 0, "0s": 0, "-1s": 0, "+1s": 0, "1": 0, "1S": 0, "1d": 0, "1.5h": 0, " 1h": 0, "1h ": 0,
	} {
		p := argument.CheckQueue(like.Warren(), table.Table{"x-queue-type": "stream", "x-max-age": text})
		if want == 0 {
			require.Equal(t, &argument.Problem{Arg: "x-max-age", Text: "invalid_max_age"}, p, "%q", text)
			continue
		}
		require.Nil(t, p, text)
		require.Equal(t, want, argument.Rules(table.Table{"x-max-age": text}).MaxAge, text)
	}
	require.Equal(t, "2s", argument.FormatAge(time.Second+1))
	require.Equal(t, "1s", argument.FormatAge(time.Second))
}

func TestCheckQueueFindsWhatRabbitMQFinds(t *testing.T) {
	for _, tt := range []struct {
		args table.Table
		want *argument.Problem
	}{
		{nil, nil},
		{table.Table{"x-unknown": []any{}}, nil},
		{table.Table{"x-message-ttl": 0, "x-max-length": int8(0), "x-expires": 1, "x-max-priority": 255}, nil},
		{table.Table{"x-expires": 0}, &argument.Problem{Arg: "x-expires", Text: "{value_zero,0}"}},
		{table.Table{"x-expires": -1}, &argument.Problem{Arg: "x-expires", Text: "{value_negative,-1}"}},
		{table.Table{"x-message-ttl": int64(315360000000)}, nil},
		{table.Table{"x-message-ttl": int64(315360000001)}, &argument.Problem{Arg: "x-message-ttl", Text: "{value_too_large,315360000001}"}},
		{table.Table{"x-message-ttl": "5"}, &argument.Problem{Arg: "x-message-ttl", Text: `"expected integer, got longstr"`}},
		{table.Table{"x-max-priority": 256}, &argument.Problem{Arg: "x-max-priority", Text: "{max_value_exceeded,256}"}},
		{table.Table{"x-overflow": "drop"}, &argument.Problem{Arg: "x-overflow", Text: "invalid_overflow"}},
		{table.Table{"x-overflow": 1}, &argument.Problem{Arg: "x-overflow", Text: "{unacceptable_type,long}"}},
		{table.Table{"x-dead-letter-routing-key": "k"}, &argument.Problem{Arg: "x-dead-letter-routing-key", Text: "routing_key_but_no_dlx_defined"}},
		{table.Table{"x-dead-letter-routing-key": "k", "x-dead-letter-exchange": ""}, nil},
		{table.Table{"x-dead-letter-exchange": 1}, &argument.Problem{Arg: "x-dead-letter-exchange", Text: "long", WrongType: true}},
		{table.Table{"x-single-active-consumer": "true"}, &argument.Problem{Arg: "x-single-active-consumer", Text: "{unacceptable_type,longstr}"}},
		{table.Table{"x-queue-type": "other"}, &argument.Problem{Arg: "x-queue-type", Text: `"unsupported queue type 'other'"`}},
		{table.Table{"x-max-age": "bad"}, &argument.Problem{Arg: "x-max-age", QueueType: "rabbit_classic_queue"}},
		{table.Table{"x-max-age": "1D", "x-queue-type": "quorum"}, &argument.Problem{Arg: "x-max-age", QueueType: "rabbit_quorum_queue"}},
		{table.Table{"x-message-ttl": "bad", "x-queue-type": "stream"}, &argument.Problem{Arg: "x-message-ttl", QueueType: argument.StreamName}},
		{table.Table{"x-max-age": "1D", "x-max-length": -1}, &argument.Problem{Arg: "x-max-length", Text: "{value_negative,-1}"}},
		{table.Table{"x-cache-size": 0}, &argument.Problem{Arg: "x-cache-size", Text: "{value_zero,0}"}},
		{table.Table{"x-cache-size": int64(math.MaxUint32)}, nil},
		{table.Table{"x-cache-size": int64(math.MaxUint32 + 1)}, &argument.Problem{Arg: "x-cache-size", Text: "{value_too_large,4294967296}"}},
	} {
		require.Equal(t, tt.want, argument.CheckQueue(like.Warren(), tt.args), "%v", tt.args)
	}
}

func TestRulesOfArguments(t *testing.T) {
	require.Nil(t, argument.Rules(nil))
	require.Nil(t, argument.Rules(table.Table{"x-max-priority": 3, "x-queue-mode": "lazy"}), "these make no rules")
	want := queue.NoRules()
	want.TTL, want.MaxLength, want.Overflow = 0, 7, queue.RejectToDeadLetter
	want.DeadLetter = &queue.DeadLetter{Exchange: "x", RoutingKey: "", Keyed: true}
	require.Equal(t, &want, argument.Rules(table.Table{
		"x-message-ttl": 0, "x-max-length": uint8(7), "x-overflow": "reject-publish-dlx",
		"x-dead-letter-exchange": "x", "x-dead-letter-routing-key": "",
	}))
}

// TestPoliciesAndArgumentsTogether: of two numbers the smaller one counts, of
// other settings the argument.
func TestPoliciesAndArgumentsTogether(t *testing.T) {
	args := table.Table{"x-max-length": 10, "x-message-ttl": 5, "x-overflow": "reject-publish", "x-max-age": "2h"}
	policies := table.Table{"max-length": int64(3), "message-ttl": int64(9), "overflow": "drop-head", "max-age": "90m", "dead-letter-routing-key": "k"}
	r := argument.RulesBeside(args, policies)
	require.Equal(t, int64(3), r.MaxLength)
	require.Equal(t, 5*time.Millisecond, r.TTL)
	require.Equal(t, queue.Reject, r.Overflow)
	require.Equal(t, 90*time.Minute, r.MaxAge)
	require.Nil(t, r.DeadLetter, "a routing key without an exchange means nothing")
	require.Equal(t, table.Table{"x-max-length": 10, "x-message-ttl": 5, "x-overflow": "reject-publish", "x-max-age": "2h"}, args, "the arguments do not change")

	policies["dead-letter-exchange"] = "x"
	require.Equal(t, &queue.DeadLetter{Exchange: "x", RoutingKey: "k", Keyed: true}, argument.RulesBeside(args, policies).DeadLetter)
	require.Equal(t, argument.Rules(args), argument.RulesBeside(args, nil))
	far := argument.RulesBeside(nil, table.Table{"message-ttl": int64(math.MaxInt64)})
	require.Equal(t, 10*365*24*time.Hour, far.TTL, "times of policies are bounded here")
}

func TestCheckPolicy(t *testing.T) {
	for _, tt := range []struct {
		operator   bool
		definition table.Table
		unfit      argument.Kinds
		problem    string
	}{
		{false, nil, 0, "no policy provided"},
		{false, table.Table{"max-length": int64(1)}, 0, ""},
		{false, table.Table{"max-length": int64(1), "expires": int64(1)}, argument.Stream, ""},
		{false, table.Table{"max-age": "1h", "expires": int64(1)}, argument.Queue, ""},
		{false, table.Table{"expires": int64(0)}, 0, "0 is not a valid queue expiry"},
		{false, table.Table{"expires": 1.5}, 0, "1.5 is not a valid queue expiry"},
		{false, table.Table{"overflow": "x"}, 0, "<<\"x\">> is not a valid overflow value"},
		{false, table.Table{"b": nil, "a": "x"}, 0, `[{<<"a">>,<<"x">>},{<<"b">>,null}] are not recognised policy settings`},
		{true, table.Table{"dead-letter-exchange": "x"}, 0, `[{<<"dead-letter-exchange">>,<<"x">>}] are not recognised policy settings`},
		{true, table.Table{"max-length": int64(1)}, 0, ""},
	} {
		unfit, problem := argument.CheckPolicy(like.Warren(), tt.operator, tt.definition)
		require.Equal(t, tt.problem, problem, "%v", tt.definition)
		require.Equal(t, tt.unfit, unfit, "%v", tt.definition)
	}
}

func TestDifferencesOfDeclarations(t *testing.T) {
	for _, tt := range []struct {
		received, current table.Table
		want              *argument.Difference
	}{
		{nil, nil, nil},
		{table.Table{"x-max-length": int8(5)}, table.Table{"x-max-length": int64(5)}, nil},
		{table.Table{"x-unknown": 1}, nil, nil},
		{table.Table{"x-queue-type": "classic"}, nil, nil},
		{nil, table.Table{"x-queue-type": "classic"}, nil},
		{table.Table{"x-queue-type": "quorum"}, nil, &argument.Difference{Arg: "x-queue-type", Received: "the value 'quorum' of type 'longstr'", Current: "none"}},
		{table.Table{"x-max-length": 5}, table.Table{"x-max-length": 6}, &argument.Difference{Arg: "x-max-length", Received: "'5'", Current: "'6'"}},
		{nil, table.Table{"x-max-length": int32(6)}, &argument.Difference{Arg: "x-max-length", Received: "none", Current: "the value '6' of type 'signedint'"}},
	} {
		require.Equal(t, tt.want, argument.QueueDifference(like.Warren(), tt.received, tt.current), "%v, %v", tt.received, tt.current)
	}
	require.Nil(t, argument.ExchangeDifference(table.Table{"alternate-exchange": "a"}, nil), "it is compared on its own")
	require.NotNil(t, argument.ExchangeDifference(table.Table{"x-delayed-type": "a"}, nil))
	require.Nil(t, argument.AlternateDifference("a", "a"))
	require.Equal(t, &argument.Difference{Arg: "alternate-exchange", Received: "none", Current: "the value 'a' of type 'longstr'"}, argument.AlternateDifference("", "a"))
}

func TestArgumentsOfExchanges(t *testing.T) {
	name, said, p := argument.AlternateOf(table.Table{"alternate-exchange": "rabbit", "x-alternate-exchange": "lavin"})
	require.Equal(t, []any{"rabbit", true, (*argument.Problem)(nil)}, []any{name, said, p}, "with both, RabbitMQ's name counts")
	_, said, p = argument.AlternateOf(table.Table{"x-alternate-exchange": 1})
	require.True(t, said)
	require.Equal(t, &argument.Problem{Arg: "x-alternate-exchange", Text: "long", WrongType: true}, p)
	name, said, _ = argument.AlternateOf(table.Table{"alternate-exchange": ""})
	require.Equal(t, []any{"", true}, []any{name, said})

	header, property := argument.HashOf(table.Table{"x-hash-on": "lavin"})
	require.Equal(t, []string{"lavin", ""}, []string{header, property})
	header, _ = argument.HashOf(table.Table{"x-hash-on": "lavin", "hash-header": "rabbit"})
	require.Equal(t, "rabbit", header)
	require.Empty(t, argument.CheckHash(table.Table{"hash-property": "timestamp"}))
	require.Equal(t, "Unsupported property: app_id", argument.CheckHash(table.Table{"hash-property": "app_id"}))
	require.Equal(t, "hash-header and hash-property are mutually exclusive", argument.CheckHash(table.Table{"hash-property": "timestamp", "x-hash-on": "h"}))

	for key, want := range map[string]string{
		"1": "", "4294967295": "", "4294967296": "The binding key must not exceed 4294967295", "99999999999999999999": "The binding key must not exceed 4294967295",
		"0": "The binding key must be greater than 0", "-1": "The binding key must be greater than 0", "x": `The binding key must be an integer: <<"x">>`,
	} {
		require.Equal(t, want, argument.CheckWeight(key), key)
	}
	for _, match := range []any{"all", "any", "all-with-x", "any-with-x"} {
		require.Empty(t, argument.CheckHeaders(like.Warren(), table.Table{"x-match": match}))
	}
	require.Empty(t, argument.CheckHeaders(like.Warren(), nil))
	require.NotEmpty(t, argument.CheckHeaders(like.Warren(), table.Table{"x-match": "none"}))
	require.Equal(t, "Invalid x-match field type table (value []); expected longstr", argument.CheckHeaders(like.Warren(), table.Table{"x-match": table.Table{}}))
}

func TestReadersOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wants := func(values ...string) map[string]struct{} {
			m := map[string]struct{}{}
			for _, v := range values {
				m[v] = struct{}{}
			}
			return m
		}
		at := time.Unix(7, 0)
		for _, tt := range []struct {
			args table.Table
			want argument.Reader
		}{
			{nil, argument.Reader{}},
			{table.Table{"x-stream-offset": int8(-3)}, argument.Reader{Start: int64(-3)}},
			{table.Table{"x-stream-offset": []byte("last")}, argument.Reader{Start: "last"}},
			{table.Table{"x-stream-offset": at}, argument.Reader{Start: at}},
			{table.Table{"x-stream-offset": "1h"}, argument.Reader{Start: time.Now().Add(-time.Hour)}},
			{table.Table{"x-stream-filter": "a"}, argument.Reader{Filter: wants("a")}},
			{table.Table{"x-stream-filter": []any{}}, argument.Reader{}},
			{table.Table{"x-stream-filter": []any{}, "x-stream-match-unfiltered": true}, argument.Reader{}},
			{table.Table{"x-stream-filter": []any{"a", "b"}, "x-stream-match-unfiltered": true}, argument.Reader{Filter: wants("a", "b", "")}},
			{table.Table{"x-stream-filter": "a", "x-stream-match-unfiltered": false}, argument.Reader{Filter: wants("a")}},
		} {
			got, p := argument.ParseReader(tt.args)
			require.Nil(t, p, "%v", tt.args)
			require.Equal(t, &tt.want, got, "%v", tt.args)
		}
		for _, tt := range []struct {
			args      table.Table
			arg, text string
		}{
			{table.Table{"x-stream-offset": "soon"}, "x-stream-offset", `{invalid_stream_offset_arg,{longstr,<<"soon">>}}`},
			{table.Table{"x-stream-offset": true}, "x-stream-offset", "{invalid_stream_offset_arg,{unacceptable_type,bool}}"},
			{table.Table{"x-stream-filter": []any{"a", 1}}, "x-stream-filter", "{unacceptable_type,long}"},
			{table.Table{"x-stream-match-unfiltered": "true"}, "x-stream-match-unfiltered", "{unacceptable_type,longstr}"},
		} {
			_, p := argument.ParseReader(tt.args)
			require.Equal(t, &argument.Problem{Arg: tt.arg, Text: tt.text}, p)
		}
	})
}

func TestDeduplicationIsOffUnlessItIsAskedFor(t *testing.T) {
	for _, args := range []table.Table{nil, {"x-message-deduplication": false}, {"x-cache-size": 5}} {
		_, ok := argument.Duplicates(args)
		require.False(t, ok, "%v", args)
	}
	o, ok := argument.Duplicates(table.Table{"x-message-deduplication": true})
	require.True(t, ok)
	require.Equal(t, duplicates.Options{Header: "x-deduplication-header", Size: 128, TTL: -1}, o)
	o, _ = argument.Duplicates(table.Table{"x-message-deduplication": true, "x-cache-size": 5, "x-cache-ttl": 0, "x-deduplication-header": "id"})
	require.Equal(t, duplicates.Options{Header: "id", Size: 5, TTL: 0}, o)
}
