package warren_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// badArg is what is said of an argument for the stream s with a bad value.
func badArg(name, problem string) string {
	return "PRECONDITION_FAILED - invalid arg '" + name + "' for queue 's' in vhost '/': " + problem
}

// foreignArg is what is said of an argument that streams do not have.
func foreignArg(name string) string {
	return "PRECONDITION_FAILED - invalid arg '" + name + "' for queue 's' in vhost '/' of queue type rabbit_stream_queue"
}

func TestStreamsRefuseWhatTheyCannotBe(t *testing.T) {
	arg := func(name string, v any) warren.QueueOptions {
		return warren.QueueOptions{Durable: true, Args: warren.Table{name: v}}
	}
	property := func(name string) string {
		return "PRECONDITION_FAILED - invalid property '" + name + "' for queue 's' in vhost '/'"
	}
	type rule struct {
		o    warren.QueueOptions
		text string
	}
	rules := map[string]rule{
		"transient":            {warren.QueueOptions{}, property("non-durable")},
		"auto-delete":          {warren.QueueOptions{Durable: true, AutoDelete: true, Exclusive: true}, property("auto-delete")},
		"exclusive":            {warren.QueueOptions{Durable: true, Exclusive: true}, property("exclusive-owner")},
		"arguments come first": {warren.QueueOptions{Args: warren.Table{"x-max-age": "x"}}, badArg("x-max-age", "invalid_max_age")},
		"age of another type":  {arg("x-max-age", 5), badArg("x-max-age", "{unacceptable_type,long}")},
		"negative length":      {arg("x-max-length", -1), badArg("x-max-length", "{value_negative,-1}")},
		"negative bytes":       {arg("x-max-length-bytes", int8(-1)), badArg("x-max-length-bytes", "{value_negative,-1}")},
		"text for bytes":       {arg("x-max-length-bytes", "x"), badArg("x-max-length-bytes", `"expected integer, got longstr"`)},
		"negative segment":     {arg("x-stream-max-segment-size-bytes", -1), badArg("x-stream-max-segment-size-bytes", "{value_negative,-1}")},
		"text for a segment":   {arg("x-stream-max-segment-size-bytes", "x"), badArg("x-stream-max-segment-size-bytes", `"expected integer, got longstr"`)},
		"huge segment":         {arg("x-stream-max-segment-size-bytes", int64(3000000001)), "PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes"},
		"leader of nowhere":    {arg("x-queue-leader-locator", "x"), badArg("x-queue-leader-locator", "invalid_queue_locator_arg")},
		"no cluster":           {arg("x-initial-cluster-size", 0), badArg("x-initial-cluster-size", "{value_zero,0}")},
		"small filter":         {arg("x-stream-filter-size-bytes", 15), "PRECONDITION_FAILED - Invalid value for  x-stream-filter-size-bytes"},
		"dead letters of another type": {arg("x-dead-letter-exchange", 5),
			"PRECONDITION_FAILED - invalid type 'long' for arg 'x-dead-letter-exchange' in queue 's' in vhost '/'"},
		"a foreign argument, whatever its value": {arg("x-expires", "x"), foreignArg("x-expires")},
	}
	for _, age := range []string{"", "1", "h", "0s", "1x", "1H", "-1s", "+1s", "1h2m", " 1h"} {
		rules["age "+age] = rule{arg("x-max-age", age), badArg("x-max-age", "invalid_max_age")}
	}
	foreignArgs := warren.Table{
		"x-expires": 1000, "x-message-ttl": 1000, "x-dead-letter-exchange": "x", "x-overflow": "drop-head", "x-delivery-limit": 5,
		"x-max-priority": 5, "x-single-active-consumer": false, "x-queue-mode": "lazy", "x-queue-version": 1,
		"x-queue-master-locator": "client-local", "x-quorum-initial-group-size": 1, "x-dead-letter-strategy": "at-most-once",
	}
	for name, v := range foreignArgs {
		rules[name] = rule{arg(name, v), foreignArg(name)}
	}
	for name, c := range rules {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				c.o.Type = warren.Stream
				_, err := brokertest.Channel(t, b).QueueDeclare("s", c.o)
				brokertest.Fails(t, err, 406, 50, 10, c.text)
			})
		})
	}
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := ch.QueueDeclare("", warren.QueueOptions{Type: warren.Stream, Durable: true})
		brokertest.Fails(t, err, 406, 50, 10, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue")
	})
}

func TestStreamsTakeTheirArguments(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		for _, args := range []warren.Table{
			{"x-max-age": "1h"}, {"x-max-age": "99999999999999999999Y"}, {"x-max-length-bytes": 0}, {"x-max-length": 10},
			{"x-stream-max-segment-size-bytes": int64(3000000000)}, {"x-stream-max-segment-size-bytes": 0}, {"x-stream-filter-size-bytes": 16},
			{"x-initial-cluster-size": 1}, {"x-queue-leader-locator": "client-local"}, {"x-unknown": true},
		} {
			brokertest.Stream(t, ch, "s", warren.QueueOptions{Args: args})
			brokertest.Put(t, ch, "", "s", "m")
			n, err := ch.QueueDelete("s", warren.QueueDeleteOptions{})
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
	})
}

func TestStreamOptionsAreArguments(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		for _, c := range []struct {
			o    warren.QueueOptions
			args warren.Table
		}{
			{warren.QueueOptions{MaxAge: time.Hour}, warren.Table{"x-max-age": "3600s"}},
			{warren.QueueOptions{MaxAge: 1500 * time.Millisecond}, warren.Table{"x-max-age": "2s"}},
			{warren.QueueOptions{MaxSegmentBytes: 5000}, warren.Table{"x-stream-max-segment-size-bytes": uint16(5000)}},
			{warren.QueueOptions{MaxLength: 5, MaxLengthBytes: 6}, warren.Table{"x-max-length": 5, "x-max-length-bytes": 6}},
		} {
			brokertest.Stream(t, ch, "s", c.o)
			c.args["x-queue-type"] = "stream"
			brokertest.Queue(t, ch, "s", warren.QueueOptions{Durable: true, Args: c.args})
			_, err := ch.QueueDelete("s", warren.QueueDeleteOptions{})
			require.NoError(t, err)
		}
		_, err := ch.QueueDeclare("s", warren.QueueOptions{Type: warren.Stream, Durable: true, MaxAge: -time.Second})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		for _, kind := range []warren.QueueType{warren.Classic, warren.Quorum} {
			_, err := ch.QueueDeclare(string(kind), warren.QueueOptions{Type: kind})
			require.NoError(t, err)
			brokertest.Put(t, ch, "", string(kind), "m")
			require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, string(kind)))
		}
	})
}

func TestAStreamIsDeclaredAgainAsItIs(t *testing.T) {
	inequivalent := func(arg, how string) string {
		return "PRECONDITION_FAILED - inequivalent arg '" + arg + "' for queue 's' in vhost '/': received " + how
	}
	stream := func(args warren.Table) warren.QueueOptions {
		return warren.QueueOptions{Type: warren.Stream, Durable: true, Args: args}
	}
	for name, c := range map[string]struct {
		was, is warren.QueueOptions
		text    string
	}{
		"age is new": {stream(nil), stream(warren.Table{"x-max-age": "1h"}),
			inequivalent("x-max-age", "the value '1h' of type 'longstr' but current is none")},
		"age has gone": {stream(warren.Table{"x-max-age": "1h"}), stream(nil),
			inequivalent("x-max-age", "none but current is the value '1h' of type 'longstr'")},
		"same age, other text": {stream(warren.Table{"x-max-age": "1h"}), stream(warren.Table{"x-max-age": "60m"}),
			inequivalent("x-max-age", "'60m' but current is '1h'")},
		"bytes": {stream(warren.Table{"x-max-length-bytes": 100}), stream(warren.Table{"x-max-length-bytes": 200}),
			inequivalent("x-max-length-bytes", "'200' but current is '100'")},
		"segment": {stream(warren.Table{"x-stream-max-segment-size-bytes": 1000}), stream(warren.Table{"x-stream-max-segment-size-bytes": 2000}),
			inequivalent("x-stream-max-segment-size-bytes", "'2000' but current is '1000'")},
		"cluster": {stream(warren.Table{"x-initial-cluster-size": 1}), stream(warren.Table{"x-initial-cluster-size": 3}),
			inequivalent("x-initial-cluster-size", "'3' but current is '1'")},
		"classic": {stream(nil), warren.QueueOptions{Durable: true},
			inequivalent("x-queue-type", "none but current is the value 'stream' of type 'longstr'")},
		"stream": {warren.QueueOptions{Durable: true}, stream(nil),
			inequivalent("x-queue-type", "the value 'stream' of type 'longstr' but current is none")},
		"transient":   {stream(nil), warren.QueueOptions{Type: warren.Stream}, inequivalent("durable", "'false' but current is 'true'")},
		"auto-delete": {stream(nil), warren.QueueOptions{Type: warren.Stream, Durable: true, AutoDelete: true}, inequivalent("auto_delete", "'true' but current is 'false'")},
		"foreign":     {stream(nil), stream(warren.Table{"x-expires": 1000}), ""},
		"unknown":     {stream(warren.Table{"x-foo": 1}), stream(warren.Table{"x-foo": 2}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				_, err := ch.QueueDeclare("s", c.was)
				require.NoError(t, err)
				_, err = ch.QueueDeclare("s", c.is)
				if c.text == "" {
					require.NoError(t, err)
				} else {
					brokertest.Fails(t, err, 406, 50, 10, c.text)
				}
			})
		})
	}
}

func TestOtherQueuesRefuseArgumentsOfStreams(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		args := warren.Table{"x-max-age": 5, "x-stream-max-segment-size-bytes": "x", "x-stream-filter-size-bytes": 1, "x-initial-cluster-size": 0,
			"x-quorum-initial-group-size": 3, "x-dead-letter-strategy": "at-most-once", "x-max-in-memory-length": 5, "x-max-in-memory-bytes": 5}
		for name, v := range args {
			_, err := ch.QueueDeclare("q", warren.QueueOptions{Args: warren.Table{name: v}})
			brokertest.Fails(t, err, 406, 50, 10, "PRECONDITION_FAILED - invalid arg '"+name+"' for queue 'q' in vhost '/' of queue type rabbit_classic_queue")
		}
		brokertest.Queues(t, ch, "q")
		for name, o := range map[string]warren.ConsumeOptions{
			"x-stream-offset":           {Offset: warren.StreamNext()},
			"x-stream-filter":           {Filter: []string{"a"}},
			"x-stream-match-unfiltered": {Args: warren.Table{"x-stream-match-unfiltered": math.Pi}},
		} {
			_, err := ch.Consume("q", o)
			brokertest.Fails(t, err, 406, 60, 20, "PRECONDITION_FAILED - invalid arg '"+name+"' for queue 'q' in vhost '/' of queue type rabbit_classic_queue")
		}
	})
}
