package topology

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/table"
)

func records() []Record {
	args := table.Table{"a": int16(1), "b": []any{"x", nil}, "c": table.Table{"d": uint32(7)}}
	return []Record{
		&VirtualHost{1, "/"}, &VirtualHost{2, "v"}, &VirtualHostGone{3}, &Limits{2, -1, 1 << 40},
		&User{4, "ann", "hash", "sha", []string{"a", "", "c"}}, &User{ID: 5}, &UserGone{6},
		&Permission{PermissionKey{4, 2}, "c", "", "r"}, &PermissionGone{PermissionKey{5, 2}},
		&TopicPermission{TopicPermissionKey{PermissionKey{4, 2}, "x"}, "w", ""}, &TopicPermissionGone{TopicPermissionKey{PermissionKey{4, 2}, "gone"}},
		&Policy{PolicyKey{2, false, "p"}, "^a", "all", -3, args}, &Policy{PolicyKey{2, true, "p"}, "", "", 0, nil},
		&PolicyGone{PolicyKey{2, true, "gone"}},
		&Exchange{16, 2, "x", "topic", true, false, args}, &Exchange{17, 2, "y", "direct", false, true, nil}, &ExchangeGone{18},
		&Queue{19, 2, "q", true, args}, &Queue{20, 1, "", false, nil}, &QueueGone{21},
		&Binding{7, 2, 16, 19, true, "k", args}, &Binding{8, 2, 1, 17, false, "", nil}, &BindingGone{9},
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	for _, r := range records() {
		got, err := parse(r.kind(), r.appendTo(nil))
		require.NoError(t, err)
		require.Equal(t, r, got)
	}
}

// TestAMalformedRecordIsAnError cuts and extends records, and changes their octets.
func TestAMalformedRecordIsAnError(t *testing.T) {
	for _, r := range records() {
		b := r.appendTo(nil)
		for n := range b {
			_, err := parse(r.kind(), b[:n])
			require.ErrorIs(t, err, errMalformed, "%d bytes of %#v", n, r)
		}
		_, err := parse(r.kind(), append(slices.Clone(b), 0))
		require.ErrorIs(t, err, errMalformed)
	}
	for _, k := range []kind{0, kindTopicPermissionGone + 1, 255} {
		_, err := parse(k, []byte{1})
		require.ErrorContains(t, err, "unknown kind")
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range records() {
		f.Add(byte(r.kind()), r.appendTo(nil))
	}
	f.Fuzz(func(t *testing.T, k byte, b []byte) {
		r, err := parse(kind(k), b)
		if err != nil {
			return
		}
		again, err := parse(r.kind(), r.appendTo(nil))
		require.NoError(t, err)
		require.Equal(t, r.appendTo(nil), again.appendTo(nil))
		s := newState()
		r.apply(s)
		s.settle()
	})
}

// TestTheOrderOfRecordsDoesNotMatterForWhatBelongsTogether applies the same records in
// many orders: those of one object in theirs, as a log that is written anew while objects
// change has them.
func TestTheOrderOfRecordsDoesNotMatterForWhatBelongsTogether(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	want := newState()
	for _, r := range records() {
		r.apply(want)
	}
	want.settle()
	for range 100 {
		s := newState()
		for _, i := range rnd.Perm(len(records())) {
			records()[i].apply(s)
		}
		s.settle()
		require.Equal(t, want, s)
	}
	require.Equal(t, uint64(9), want.LastID, "numbers of what is gone are not given again")
	require.Equal(t, uint32(21), want.LastStoredID)
}

func TestWhatBelongsToSomethingGoneIsGone(t *testing.T) {
	for _, c := range []struct {
		gone Record
		left func(s *State) bool
	}{
		{&VirtualHostGone{2}, func(s *State) bool {
			return len(s.Limits)+len(s.Permissions)+len(s.TopicPermissions)+len(s.Policies)+len(s.Exchanges)+len(s.Bindings) > 0 || s.Queues[19] != nil
		}},
		{&UserGone{4}, func(s *State) bool { return len(s.Permissions) > 0 && len(s.TopicPermissions) > 0 }},
		{&ExchangeGone{16}, func(s *State) bool { return s.Bindings[7] != nil }},
		{&ExchangeGone{17}, func(s *State) bool { return s.Bindings[8] != nil }},
		{&QueueGone{19}, func(s *State) bool { return s.Bindings[7] != nil }},
	} {
		s := newState()
		for _, r := range records() {
			r.apply(s)
		}
		s.settle()
		require.True(t, c.left(s))
		c.gone.apply(s)
		s.settle()
		require.False(t, c.left(s), "%#v", c.gone)
	}
}

func openLog(t testing.TB, dir *filestest.Dir) (*Log, *State) {
	t.Helper()
	l, s, err := Open(dir, journal.Options{})
	require.NoError(t, err)
	return l, s
}

// TestALogOfWhatIsGoneIsWrittenAnew declares and deletes queues until more than half of
// the log is of no use, and cuts the power at each operation of its rewriting.
func TestALogOfWhatIsGoneIsWrittenAnew(t *testing.T) {
	dir := filestest.New()
	l, _ := openLog(t, dir)
	living := []Record{&VirtualHost{1, "/"}, &Queue{ID: 16, VirtualHost: 1, Name: "q"}}
	for _, r := range living {
		l.Put(r)
	}
	id := uint32(17)
	for ; !l.Due(); id++ {
		l.Put(&Queue{ID: id, VirtualHost: 1, Name: "a queue that comes and goes"})
		l.Put(&QueueGone{id})
	}
	require.False(t, l.Due(), "one is enough")
	require.NoError(t, l.Wait(t.Context()))
	var mu sync.Mutex // the log writes by itself meanwhile
	var images []*filestest.Dir
	rnd := rand.New(rand.NewPCG(1, 2))
	dir.Before(func(filestest.Op) error {
		mu.Lock()
		defer mu.Unlock()
		images = append(images, dir.Image(rnd), dir.Image(rnd))
		return nil
	})
	all := func(put func(Record)) bool {
		l.Put(&QueueGone{16}) // somebody deletes it meanwhile
		l.Put(&Binding{ID: 2, VirtualHost: 1, Source: 1, Destination: id, ToQueue: true})
		put(living[0])
		l.Put(&Queue{ID: id, VirtualHost: 1, Name: "new"})
		return true
	}
	require.NoError(t, l.Rewrite(t.Context(), all))
	dir.Before(nil)
	require.Less(t, l.bytes, int64(1<<10))
	require.NoError(t, l.Close(t.Context()))
	require.Greater(t, len(images), 4)
	want := func(s *State) {
		require.Len(t, s.VirtualHosts, 1)
		require.GreaterOrEqual(t, s.LastStoredID, uint32(17))
		for _, q := range s.Queues {
			require.Contains(t, []string{"q", "new"}, q.Name)
		}
		if len(s.Bindings) > 0 {
			require.Contains(t, s.Queues, id)
		}
	}
	for _, image := range images {
		l, s := openLog(t, image)
		want(s)
		require.NoError(t, l.Close(t.Context()))
	}
	l, s := openLog(t, dir)
	want(s)
	require.Len(t, s.Queues, 1)
	require.Len(t, s.Bindings, 1)
	require.NoError(t, l.Close(t.Context()))
}

func TestALogThatCouldNotBeWrittenAnewIsAsGoodAsBefore(t *testing.T) {
	dir := filestest.New()
	l, _ := openLog(t, dir)
	l.Put(&VirtualHost{1, "/"})
	l.Put(&Queue{ID: 16, VirtualHost: 1, Name: "q"})
	require.NoError(t, l.Rewrite(t.Context(), func(put func(Record)) bool {
		put(&VirtualHost{1, "/"})
		return false // it was interrupted
	}))
	dir.FailFrom(dir.Ops()+1, filestest.ErrNoSpace)
	require.ErrorIs(t, l.Rewrite(t.Context(), func(put func(Record)) bool {
		put(&VirtualHost{1, "/"})
		return true
	}), filestest.ErrNoSpace)
	dir.Heal()
	require.NoError(t, l.Close(t.Context()))
	l, s := openLog(t, dir)
	require.Len(t, s.Queues, 1)
	require.NoError(t, l.Close(t.Context()))
}
