package filestest_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
)

const images = 300

// each gives a number of images of a directory.
func each(d *filestest.Dir, yield func(image *filestest.Dir)) {
	for seed := range uint64(images) {
		yield(d.Image(rand.New(rand.NewPCG(seed, 1))))
	}
}

// lengths are the least and the most that a file has in images, -1 if it is not there.
func lengths(d *filestest.Dir, name string) (least, most int) {
	least, most = 1<<30, -1
	each(d, func(image *filestest.Dir) {
		n := -1
		if data := image.Bytes(name); data != nil {
			n = len(data)
		}
		least, most = min(least, n), max(most, n)
	})
	return least, most
}

// pattern is data in which each sector is another and has no zeros.
func pattern(from, n int) []byte {
	data := make([]byte, n)
	for k := range data {
		data[k] = byte(1 + (from+k)/512*7%255)
	}
	return data
}

// contents are all different images of a file as text; "" if it is not there.
func contents(d *filestest.Dir, name string) []string {
	all := make(map[string]bool)
	each(d, func(image *filestest.Dir) { all[string(image.Bytes(name))] = true })
	return slices.Sorted(maps.Keys(all))
}

func TestWhatWasSyncedIsInEachImage(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", string(pattern(0, 700)))
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	_, err := f.Write(pattern(700, 5000))
	require.NoError(t, err)
	all := pattern(0, 5700)
	var nothing, everything, hole, late, longer int
	each(d, func(image *filestest.Dir) {
		data := image.Bytes("a")
		require.GreaterOrEqual(t, len(data), 700)
		require.Equal(t, all[:700], data[:700])
		missing := false
		for from := 700; from < len(data); {
			to := min(from/512*512+512, len(data))
			switch {
			case bytes.Equal(data[from:to], all[from:to]):
				if missing {
					late++
				}
			default:
				require.Equal(t, make([]byte, to-from), data[from:to], "a sector is there as a whole or is zeros")
				hole, missing = hole+1, true
				if to == len(all) {
					longer++
				}
			}
			from = to
		}
		if len(data) == 700 {
			nothing++
		}
		if bytes.Equal(data, all) {
			everything++
		}
	})
	for what, n := range map[string]int{"nothing": nothing, "everything": everything, "a hole": hole, "a later sector without an earlier one": late, "longer than what arrived": longer} {
		require.Positive(t, n, what)
	}
}

func TestASectorMayHoldTheFirstOfTwoWritesAlone(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", "")
	require.NoError(t, d.Sync())
	for _, text := range []string{"one", "two", "three"} {
		_, err := f.Write([]byte(text))
		require.NoError(t, err)
	}
	all := contents(d, "a")
	for _, want := range []string{"", "one", "onetwo", "onetwothree", "one\x00\x00\x00\x00\x00\x00\x00\x00", "onetwo\x00\x00\x00\x00\x00", "onet"} {
		require.Contains(t, all, want)
	}
}

func TestASyncDoesNotMakeGoodForOneThatFailed(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", "synced")
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	_, err := f.Write([]byte("failed"))
	require.NoError(t, err)
	d.FailAt(d.Ops()+1, errors.New("failed"))
	require.Error(t, f.Sync())
	least, _ := lengths(d, "a")
	require.Equal(t, 6, least, "its length did not come to the disk either")
	_, err = f.Write([]byte("later"))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.Equal(t, "syncedfailedlater", string(d.Bytes("a")), "a running system sees it all")
	require.Equal(t, []string{"synced\x00\x00\x00\x00\x00\x00later", "syncedfailedlater"}, contents(d, "a"))
}

func TestAFileIsSyncedByWhoHasOpenedIt(t *testing.T) {
	d := filestest.New()
	create(t, d, "a", "text")
	require.NoError(t, d.Sync())
	f, err := d.Open("a")
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.Equal(t, []string{"text"}, contents(d, "a"))
}

func TestNamesAreSureAfterASyncOfTheDirectory(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", "text")
	require.NoError(t, f.Sync())
	require.Equal(t, []string{"", "text"}, contents(d, "a"), "the file was synced, its name was not")
	require.NoError(t, d.Sync())
	require.Equal(t, []string{"text"}, contents(d, "a"))
	require.NoError(t, d.Remove("a"))
	require.Equal(t, []string{"", "text"}, contents(d, "a"))
	d.FailAt(d.Ops()+1, errors.New("failed"))
	require.Error(t, d.Sync())
	require.Equal(t, []string{"", "text"}, contents(d, "a"))
	require.NoError(t, d.Sync())
	require.Equal(t, []string{""}, contents(d, "a"))
}

func TestARenamedFileHasItsOldNameOrItsNewOne(t *testing.T) {
	d := filestest.New()
	d.Put("a", []byte("new"))
	d.Put("b", []byte("old"))
	require.NoError(t, d.Rename("a", "b"))
	seen := make(map[string]int)
	each(d, func(image *filestest.Dir) {
		seen[fmt.Sprintf("%s %s", image.Bytes("a"), image.Bytes("b"))]++
	})
	require.Equal(t, []string{" new", "new old"}, slices.Sorted(maps.Keys(seen)))

	// Another file has the old name now.
	f := create(t, d, "a", "next")
	require.NoError(t, f.Sync())
	clear(seen)
	each(d, func(image *filestest.Dir) {
		seen[fmt.Sprintf("%s %s", image.Bytes("a"), image.Bytes("b"))]++
	})
	require.Equal(t, []string{" new", "new old", "next new"}, slices.Sorted(maps.Keys(seen)))
}

// TestNoSyncedFileIsLostByRenames changes names at random, and looks in images for each
// file that has been synced, with its name, and was not removed or replaced since.
func TestNoSyncedFileIsLostByRenames(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		d := filestest.New()
		safe := make(map[string]bool) // by what is in it
		sync := func() {
			require.NoError(t, d.Sync())
			for _, name := range d.Names() {
				safe[string(d.Bytes(name))] = true
			}
		}
		any := func() string { return string(rune('a' + rnd.IntN(4))) }
		for step := range 30 {
			switch name := any(); rnd.IntN(8) {
			case 0, 1, 2:
				if f, err := d.Create(name); err == nil {
					_, err := fmt.Fprintf(f, "text %d", step)
					require.NoError(t, err)
					require.NoError(t, f.Sync())
				}
			case 3, 4, 5:
				to := any()
				replaced := string(d.Bytes(to))
				if d.Rename(name, to) == nil && name != to {
					delete(safe, replaced)
				}
			case 6:
				removed := string(d.Bytes(name))
				if d.Remove(name) == nil {
					delete(safe, removed)
				}
			case 7:
				sync()
			}
			for range 3 {
				image := d.Image(rnd)
				found := make(map[string]int)
				for _, name := range image.Names() {
					found[string(image.Bytes(name))]++
				}
				for text := range safe {
					require.Equal(t, 1, found[text], "%q in %v, seed %d, step %d", text, image.Names(), seed, step)
				}
				for text, n := range found {
					require.Equal(t, 1, n, "%q has one name", text)
				}
			}
		}
	}
}

func TestAnImageIsADirectoryOfItsOwn(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", "text")
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	_, err := d.Lock()
	require.NoError(t, err)
	d.Space(0)
	d.Cut()
	image := d.Image(rand.New(rand.NewPCG(1, 1)))
	require.Zero(t, image.Ops())
	_, err = image.Lock()
	require.NoError(t, err)
	require.NoError(t, image.Flip("a", 0))
	require.NoError(t, image.Rename("a", "b"))
	create(t, image, "c", "more")
	require.Equal(t, "text", string(d.Bytes("a")))
	require.Equal(t, []string{"a"}, d.Names())
	again := image.Image(rand.New(rand.NewPCG(1, 1)))
	require.Contains(t, [][]byte{again.Bytes("a"), again.Bytes("b")}, []byte("uext"), "what an image has is on its disk")
}

func TestTheSameSeedGivesTheSameImage(t *testing.T) {
	d := filestest.New()
	d.HoldStale()
	for k := range 20 {
		create(t, d, fmt.Sprint("f", k), string(pattern(k, 2000)))
	}
	require.NoError(t, d.Remove("f3"))
	each(d, func(*filestest.Dir) {})
	one, two := d.Image(rand.New(rand.NewPCG(7, 7))), d.Image(rand.New(rand.NewPCG(7, 7)))
	require.Equal(t, one.Names(), two.Names())
	for _, name := range one.Names() {
		require.Equal(t, one.Bytes(name), two.Bytes(name))
	}
}

func TestHolesMayHaveWhatWasRemoved(t *testing.T) {
	d := filestest.New()
	d.HoldStale()
	create(t, d, "old", string(bytes.Repeat([]byte("stale"), 1000)))
	require.NoError(t, d.Remove("old"))
	f := create(t, d, "a", "synced")
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	_, err := f.Write(pattern(0, 3000))
	require.NoError(t, err)
	stale, zeros := 0, 0
	each(d, func(image *filestest.Dir) {
		data := image.Bytes("a")
		require.Equal(t, "synced", string(data[:6]))
		if bytes.Contains(data, []byte("stale")) {
			stale++
		}
		if bytes.Contains(data, make([]byte, 100)) {
			zeros++
		}
	})
	require.Positive(t, stale)
	require.Positive(t, zeros)
}

func TestACloneIsWhatAnotherProcessFinds(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", "one")
	require.NoError(t, f.Sync())
	require.NoError(t, d.Sync())
	_, err := f.Write([]byte("two"))
	require.NoError(t, err)
	require.NoError(t, d.Rename("a", "b"))
	_, err = d.Lock()
	require.NoError(t, err)

	c := d.Clone()
	_, err = c.Lock()
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, c.Names())
	require.Equal(t, "onetwo", string(c.Bytes("b")), "what was written is there")
	require.Contains(t, contents(c, "a"), "one", "and is still not synced")
	require.Contains(t, contents(c, "b"), "onetwo")
	g, err := c.Open("b")
	require.NoError(t, err)
	require.NoError(t, g.Sync())
	require.NoError(t, c.Sync())
	require.Equal(t, []string{"onetwo"}, contents(c, "b"))
	require.Contains(t, contents(d, "a"), "one", "the other one has its own disk")
}

func TestWhatIsPutIsSynced(t *testing.T) {
	d := filestest.New()
	create(t, d, "a", "old")
	create(t, d, "b", "")
	d.Put("a", []byte("new"))
	require.Equal(t, []string{"new"}, contents(d, "a"))
	each(d, func(image *filestest.Dir) { require.Equal(t, []string{"a", "b"}, image.Names()) })
}
