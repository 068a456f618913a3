package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/journal"
)

// smallStore is a journal of a few files with few records that was closed, and what
// is known of it. It is made in a bubble.
func smallStore(t *testing.T) (*filestest.Dir, *world) {
	dir := filestest.New()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, journal.Options{Prefix: "m-", FileSize: 150})
		for range 2 {
			require.NoError(t, w.open())
			for i := range 4 {
				w.append(30 * i)
				require.NoError(t, w.wait(w.append(i)))
			}
			time.Sleep(time.Second)
			require.NoError(t, w.close(time.Second))
		}
	})
	return dir, knowledge(t, dir)
}

// knowledge reads what is stored.
func knowledge(t *testing.T, dir *filestest.Dir) *world {
	w := newWorld(t, dir, journal.Options{Prefix: "m-"})
	j, err := journal.Open(dir, w.opt, func(seq journal.Seq, kind byte, rec []byte) error {
		w.records = append(w.records, &record{text: string(rec), kind: kind, seq: seq, stored: true})
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, j.Close(t.Context()))
	require.NotEmpty(t, w.records)
	return w
}

func TestEachFlippedBitOfAClosedJournalIsDetected(t *testing.T) {
	dir, w := smallStore(t)
	require.Greater(t, len(dir.Names()), 4)
	for _, name := range dir.Names() {
		for bit := range int64(8 * len(dir.Bytes(name))) {
			require.NoError(t, dir.Flip(name, bit))
			replayed := 0
			_, err := journal.Open(dir, w.opt, func(journal.Seq, byte, []byte) error { replayed++; return nil })
			var damaged *journal.DamagedError
			require.ErrorAs(t, err, &damaged, "%s, bit %d", name, bit)
			require.Equal(t, name, damaged.File)
			require.LessOrEqual(t, damaged.Offset, bit/8)
			require.Zero(t, replayed, "nothing is replayed of a damaged journal")
			require.NoError(t, dir.Flip(name, bit))
		}
	}
	changes := changesOf(dir)
	require.NoError(t, w.open())
	require.Zero(t, *changes, "nothing was changed")
	require.NoError(t, w.close(time.Minute))
}

func TestSalvageGoesOnWithoutWhatAFlippedBitHasSpoilt(t *testing.T) {
	dir, w := smallStore(t)
	for _, name := range dir.Names() {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		for bit := int64(3); bit < int64(8*len(dir.Bytes(name))); bit += 23 {
			image := dir.Clone()
			require.NoError(t, image.Flip(name, bit))
			o := w.fork(t, image, 1)
			o.opt.Salvage = true
			var got []string
			collect := func(_ journal.Seq, _ byte, rec []byte) error { got = append(got, string(rec)); return nil }
			j, err := journal.Open(image, o.opt, collect)
			require.NoError(t, err)
			damaged := j.Recovery().Damaged
			require.Len(t, damaged, 1)
			require.Equal(t, name, damaged[0].File)
			aside := image.Bytes(damaged[0].Aside)
			require.EqualValues(t, damaged[0].Bytes, len(aside))
			require.Equal(t, image.Bytes(name)[damaged[0].Offset:damaged[0].Offset+damaged[0].Bytes], aside)
			require.NoError(t, j.Close(t.Context()))

			require.GreaterOrEqual(t, len(got), len(w.records)-1, "one record at most is lost")
			k := 0
			for _, text := range got {
				for w.records[k].text != text {
					k++ // it runs out if a record is wrong or out of its order
				}
				k++
			}
			first := got
			got = nil
			o.opt.Salvage = false
			j, err = journal.Open(image, o.opt, collect)
			require.NoError(t, err, "it is damaged no more")
			require.Empty(t, j.Recovery().Damaged)
			require.Equal(t, first, got)
			require.NoError(t, j.Close(t.Context()))
		}
	}
}

func TestWhatIsMissingIsDamage(t *testing.T) {
	dir, w := smallStore(t)
	for _, name := range dir.Names() {
		image := dir.Clone()
		require.NoError(t, image.Remove(name))
		var damaged *journal.DamagedError
		require.ErrorAs(t, w.fork(t, image, 1).open(), &damaged)
		require.Equal(t, name, damaged.File)
		require.Contains(t, damaged.Error(), "missing")

		got := 0
		opt := w.opt
		opt.Salvage = true
		j, err := journal.Open(image, opt, func(journal.Seq, byte, []byte) error { got++; return nil })
		require.NoError(t, err)
		require.Len(t, j.Recovery().Damaged, 1)
		if strings.HasSuffix(name, ".log") {
			require.Less(t, got, len(w.records))
		} else {
			require.Equal(t, len(w.records), got)
		}
		require.NoError(t, j.Close(t.Context()))
		j, err = journal.Open(image, w.opt, func(journal.Seq, byte, []byte) error { got--; return nil })
		require.NoError(t, err)
		require.Zero(t, got)
		require.NoError(t, j.Close(t.Context()))
	}
}

func TestAClosedFileThatEndsTooEarlyIsDamageAtEveryByte(t *testing.T) {
	dir, w := smallStore(t)
	for _, name := range dir.Names() {
		data := dir.Bytes(name)
		for n := range data {
			dir.Put(name, data[:n])
			var damaged *journal.DamagedError
			require.ErrorAs(t, w.open(), &damaged, "%s at %d", name, n)
			require.Equal(t, name, damaged.File)
			require.LessOrEqual(t, damaged.Offset, int64(n))
		}
		dir.Put(name, data)
	}
	require.NoError(t, w.open())
	require.NoError(t, w.close(time.Minute))
}

// crashed is a journal with one file that was not closed: some of its records are
// known to be synced, and others are behind these.
func crashed(t *testing.T) (dir *filestest.Dir, w *world, known int) {
	synctest.Test(t, func(t *testing.T) {
		live := filestest.New()
		w = newWorld(t, live, journal.Options{})
		require.NoError(t, w.open())
		require.NoError(t, w.wait(w.append(10)))
		require.NoError(t, w.wait(w.append(20)))
		time.Sleep(time.Second) // there is a mark
		known = len(live.Bytes("00000001.log"))
		for i := range 5 {
			w.append(4 * i)
		}
		time.Sleep(15 * time.Millisecond)
		dir = live.Clone()
		running := w
		w = w.fork(t, dir, 1)
		require.NoError(t, running.close(time.Second))
	})
	return dir, w, known
}

func TestATornTailIsCutAtEveryByteAndTold(t *testing.T) {
	dir, w, known := crashed(t)
	const name = "00000001.log"
	data := dir.Bytes(name)
	for n := range data {
		image := dir.Clone()
		image.Put(name, data[:n])
		synctest.Test(t, func(t *testing.T) {
			o := w.fork(t, image, uint64(n))
			if n < known { // a disk that loses what it had synced
				o.records[1].stored = false
			}
			err := o.open()
			var damaged *journal.DamagedError
			if n < known && errors.As(err, &damaged) {
				return
			}
			require.NoError(t, err)
			rec := o.j.Recovery()
			require.False(t, rec.Clean)
			require.Equal(t, len(o.records), rec.Records)
			if rec.Torn != nil {
				require.EqualValues(t, n, rec.Torn.Offset+rec.Torn.Bytes)
			}
			require.NoError(t, o.close(time.Second))
			o.lives("cut")
		})
	}
}

func TestAFlippedBitBelowAMarkIsDamageAndBehindItATornTail(t *testing.T) {
	dir, w, known := crashed(t)
	const name = "00000001.log"
	for bit := range int64(8 * len(dir.Bytes(name))) {
		image := dir.Clone()
		require.NoError(t, image.Flip(name, bit))
		synctest.Test(t, func(t *testing.T) {
			o := w.fork(t, image, uint64(bit))
			err := o.open()
			if bit/8 < int64(known)-20 {
				var damaged *journal.DamagedError
				require.ErrorAs(t, err, &damaged, "bit %d", bit)
				return
			}
			require.NoError(t, err)
			require.NotNil(t, o.j.Recovery().Torn, "bit %d", bit)
			require.NoError(t, o.close(time.Second))
		})
	}
}

func TestRecordsAreGoodInTheirPlaceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Two records of one length, in two files, of two journals.
		var bytes [2][3][]byte
		var dirs [2]*filestest.Dir
		for k := range dirs {
			dirs[k] = filestest.New()
			j, err := journal.Open(dirs[k], journal.Options{}, ignore)
			require.NoError(t, err)
			for range 2 {
				j.Append(1, []byte("same"), nil)
				require.NoError(t, j.Wait(t.Context(), j.Append(1, []byte("same"), nil)))
				j.Roll()
			}
			require.NoError(t, j.Close(t.Context()))
			for f := 1; f <= 2; f++ {
				bytes[k][f] = dirs[k].Bytes(fmt.Sprintf("%08d.log", f))
			}
		}
		const head, rec = 32, 16
		moved := func(what string, put []byte) {
			dir := dirs[0].Clone()
			data := append([]byte{}, bytes[0][1]...)
			copy(data[head:head+rec], put)
			dir.Put("00000001.log", data)
			_, err := journal.Open(dir, journal.Options{}, ignore)
			var damaged *journal.DamagedError
			require.ErrorAs(t, err, &damaged, what)
			require.EqualValues(t, head, damaged.Offset)
			require.EqualValues(t, rec, damaged.Bytes)
		}
		moved("another offset", bytes[0][1][head+rec:head+2*rec])
		moved("another file", bytes[0][2][head:head+rec])
		moved("another journal", bytes[1][1][head:head+rec])
		moved("a hole", make([]byte, rec))

		dirs[0].Put("00000001.log", bytes[1][1])
		_, err := journal.Open(dirs[0], journal.Options{}, ignore)
		require.ErrorContains(t, err, "00000001.log is damaged at offset 0")
	})
}

func TestANewerFormatIsNotTouched(t *testing.T) {
	dir, w := smallStore(t)
	var m map[string]any
	line, _, _ := strings.Cut(string(dir.Bytes("m-manifest")), "\n")
	require.NoError(t, json.Unmarshal([]byte(line), &m))
	m["format"] = 7
	data, err := json.Marshal(m)
	require.NoError(t, err)
	data = append(data, '\n')
	data = fmt.Appendf(data, "%08x\n", crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	dir.Put("m-manifest", data)
	ops := dir.Ops()
	for _, salvage := range []bool{false, true} {
		w.opt.Salvage = salvage
		var fe *journal.FormatError
		require.ErrorAs(t, w.open(), &fe)
		require.Equal(t, 7, fe.Format)
	}
	require.Equal(t, ops, dir.Ops())
}

// TestAManifestThatIsOlderThanAFileIsDamage: as in a copy that was made file by file
// while the journal went on.
func TestAManifestThatIsOlderThanAFileIsDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		w := newWorld(t, dir, journal.Options{})
		require.NoError(t, w.open())
		require.NoError(t, w.wait(w.append(10)))
		old := dir.Bytes("manifest")
		w.j.Roll()
		require.NoError(t, w.wait(w.append(10)))
		time.Sleep(time.Second)
		image := dir.Clone()
		require.NoError(t, w.close(time.Second))
		image.Put("manifest", old)
		o := w.fork(t, image, 1)
		var damaged *journal.DamagedError
		require.ErrorAs(t, o.open(), &damaged)
		require.Equal(t, "manifest", damaged.File)
		require.Contains(t, damaged.Reason, "00000002.log")
		o.opt.Salvage = true
		require.NoError(t, o.open())
		require.NoError(t, o.close(time.Second))
		o.opt.Salvage = false
		o.lives("with a manifest that was made of the files")
	})
}
