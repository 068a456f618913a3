package management_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// rate returns the rate of a counter of an object.
func rate(t *testing.T, o object, stats, name string) float64 {
	t.Helper()
	if stats != "" {
		o = o[stats].(object)
	}
	return o[name+"_details"].(object)["rate"].(float64)
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		s.want(201, "PUT", "/api/queues/%2F/q", "{}")
		s.publish("", "q", "before")
		require.Equal(t, 0.0, rate(t, s.get("/api/queues/%2F/q").object(), "message_stats", "publish"), "nothing is known yet")
		time.Sleep(2 * time.Second)
		for range 20 {
			s.publish("", "q", "m")
		}
		q := s.get("/api/queues/%2F/q").object()
		require.Equal(t, 10.0, rate(t, q, "message_stats", "publish"))
		require.Equal(t, 10.0, rate(t, q, "", "messages"))
		require.Equal(t, 21.0, q["message_stats"].(object)["publish"])
		o := s.get("/api/overview").object()
		require.Equal(t, 10.0, rate(t, o, "message_stats", "publish"))
		require.Equal(t, 21.0, o["message_stats"].(object)["publish"], "with what came before anybody looked")
		require.Equal(t, 10.0, rate(t, o, "queue_totals", "messages_ready"))
		x := s.get("/api/exchanges/%2F/amq.default").object()
		require.Equal(t, 10.0, rate(t, x, "message_stats", "publish_in"))
		require.Equal(t, 10.0, rate(t, x, "message_stats", "publish_out"))
		v := s.get("/api/vhosts/%2F").object()
		require.Equal(t, 10.0, rate(t, v, "message_stats", "publish"))
		time.Sleep(20 * time.Second)
		require.Equal(t, 0.0, rate(t, s.get("/api/queues/%2F/q").object(), "message_stats", "publish"))
		s.want(201, "PUT", "/api/queues/%2F/young", "{}")
		time.Sleep(time.Second)
		for range 12 {
			s.publish("", "young", "m")
		}
		require.Greater(t, rate(t, s.get("/api/queues/%2F/young").object(), "message_stats", "publish"), 1.0, "it had nothing before")
	})
}

func TestSortingByRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		for _, name := range []string{"a", "b", "c"} {
			s.want(201, "PUT", "/api/queues/%2F/"+name, "{}")
		}
		s.get("/api/queues")
		time.Sleep(time.Second)
		s.publish("", "c", "1", "2")
		s.publish("", "a", "1")
		list := s.get("/api/queues?sort=message_stats.publish_details.rate&sort_reverse=true&columns=name").list()
		require.Equal(t, []string{"c", "a", "b"}, names(list, "name"))
	})
}

// samples returns samples of a number, oldest first.
func samples(t *testing.T, o object, stats, name string) (values []float64, at []int64) {
	t.Helper()
	if stats != "" {
		o = o[stats].(object)
	}
	list := o[name+"_details"].(object)["samples"].([]any)
	for i := range list {
		one := list[len(list)-1-i].(object)
		values = append(values, one["sample"].(float64))
		at = append(at, int64(one["timestamp"].(float64)))
	}
	return values, at
}

func TestSamplesOfAMinuteTenMinutesAndAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		s.want(201, "PUT", "/api/queues/%2F/q", "{}")
		const minute = "/api/queues/%2F/q?lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5"
		s.want(200, "GET", minute, "")
		for range 3600 / 5 {
			time.Sleep(5 * time.Second)
			s.publish("", "q", "m")
			s.get("/api/queues/%2F/q?lengths_age=60&lengths_incr=5") // somebody keeps looking
		}
		for _, row := range []struct{ age, step, count int }{{60, 5, 13}, {600, 30, 21}, {3600, 120, 31}} {
			q := s.get(fmt.Sprintf("/api/queues/%%2F/q?lengths_age=%d&lengths_incr=%d&msg_rates_age=%d&msg_rates_incr=%d", row.age, row.step, row.age, row.step)).object()
			values, at := samples(t, q, "message_stats", "publish")
			require.Len(t, values, row.count)
			require.Equal(t, 720.0, values[row.count-1])
			require.Equal(t, time.Now().UnixMilli(), at[row.count-1])
			require.Equal(t, int64(row.step)*1000, at[1]-at[0])
			for i, v := range values {
				want := 720 - float64(row.count-1-i)*float64(row.step)/5
				require.InDelta(t, want, v, 2, "sample %d of %d s", i, row.age)
			}
			require.InDelta(t, 0.2, q["message_stats"].(object)["publish_details"].(object)["avg_rate"], 0.02)
			lengths, _ := samples(t, q, "", "messages")
			require.Len(t, lengths, row.count)
		}
		o := s.get("/api/overview?msg_rates_age=60&msg_rates_incr=5").object()
		require.InDelta(t, 0.3, rate(t, o, "message_stats", "publish"), 0.15, "one or two messages in the last five to ten seconds")
		for _, bad := range []string{"lengths_age=60", "lengths_age=x&lengths_incr=5", "lengths_age=60&lengths_incr=0", "lengths_age=86400&lengths_incr=1", "lengths_age=-5&lengths_incr=1"} {
			require.Equal(t, 400, s.get("/api/queues/%2F/q?"+bad).Code, bad)
		}
	})
}

func TestSamplesEndWhenNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		s.want(201, "PUT", "/api/queues/%2F/q", "{}")
		const path = "/api/queues/%2F/q?lengths_age=3600&lengths_incr=60"
		s.want(200, "GET", path, "")
		time.Sleep(4 * time.Minute)
		values, _ := samples(t, s.get(path).object(), "", "messages")
		require.Len(t, values, 5)
		s.publish("amq.fanout", "", "m")
		require.Equal(t, uint64(1), s.b.Stats().Received, "exchanges count while somebody looks")
		time.Sleep(6 * time.Minute)
		s.publish("amq.fanout", "", "m")
		require.Equal(t, uint64(1), s.b.Stats().Received, "nobody has looked for a while")
		values, _ = samples(t, s.get(path).object(), "", "messages")
		require.Len(t, values, 1, "the history has begun anew")
	})
}

func TestADeletedObjectHasNoHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		s.want(201, "PUT", "/api/queues/%2F/q", "{}")
		const path = "/api/queues/%2F/q?lengths_age=60&lengths_incr=5"
		s.publish("", "q", "m")
		s.want(200, "GET", path, "")
		time.Sleep(10 * time.Second)
		s.want(204, "DELETE", "/api/queues/%2F/q", "")
		time.Sleep(10 * time.Second)
		s.want(201, "PUT", "/api/queues/%2F/q", "{}")
		values, _ := samples(t, s.get(path).object(), "", "messages")
		require.Equal(t, []float64{0}, values)
	})
}

func TestSamplesOfOtherVirtualHostsAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		s.want(201, "PUT", "/api/vhosts/other", "")
		s.user("m", warren.Management, "other")
		s.want(201, "PUT", "/api/queues/%2F/q", "{}")
		const path = "/api/overview?lengths_age=60&lengths_incr=5"
		s.publish("", "q", "m")
		s.get(path)
		time.Sleep(30 * time.Second)
		s.publish("", "q", "m")
		o := s.get(path, as("m", "m")).object()
		require.Equal(t, 0.0, o["queue_totals"].(object)["messages"])
		require.Equal(t, 0.0, rate(t, o, "queue_totals", "messages"))
		values, _ := samples(t, o, "queue_totals", "messages")
		require.NotEmpty(t, values)
		for _, v := range values {
			require.Zero(t, v)
		}
	})
}
