package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/internal/files"
)

// Recovery tells how a journal was found.
type Recovery struct {
	New     bool // there was none
	Clean   bool // it had been closed
	Records int  // that were replayed
	// Torn are records that were being written when the journal's last user ended
	// without Close, and what was behind them: unsynced, so nobody was told that they
	// are stored. They do not count any more.
	Torn *DamagedError
	// Damaged is what Salvage has passed over.
	Damaged []*DamagedError
}

// Recovery tells how the journal was found.
func (j *Journal) Recovery() Recovery { return j.recovery }

// Open opens the journal with a prefix in a directory that nobody else uses, or begins
// it, and gives all its records to replay, in order. replay keeps nothing of record,
// and its error ends Open.
//
// What a crash has left half written is cut off: see [Recovery]. What had been synced
// and cannot be read is told as *[DamagedError], by errors.Join if there are several;
// nothing is changed then. With Options.Salvage it is copied to a file of its own, and
// the records around it are replayed, now and whenever the journal is opened later.
// Another error is *[FormatError].
func Open(dir files.Dir, opt Options, replay func(seq Seq, kind byte, record []byte) error) (*Journal, error) {
	if opt.FileSize <= 0 {
		opt.FileSize = defaultFileSize
	}
	if opt.Buffer <= 0 {
		opt.Buffer = defaultBuffer
	}
	j := &Journal{
		dir: dir, opt: opt, next: 1, taken: 1, stored: 1, number: 1,
		wake: make(chan struct{}, 1), abandon: make(chan struct{}), done: make(chan struct{}),
		running: true, // until all is replayed
	}
	if err := j.recover(replay); err != nil {
		for _, f := range j.files {
			if f.f != nil {
				_ = f.f.Close()
			}
		}
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running = false
	if len(j.pending) > 0 {
		j.call()
	}
	return j, nil
}

// recover is Open's work.
func (j *Journal) recover(replay func(seq Seq, kind byte, record []byte) error) error {
	names, err := j.dir.List()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	logs := make(map[uint32]string)
	for _, name := range names {
		if n, ok := j.opt.number(name); ok {
			logs[n] = name
		}
	}
	if !slices.Contains(names, j.opt.manifestName()) && len(logs) == 0 {
		j.recovery.New, j.recovery.Clean = true, true
		_, _ = rand.Read(j.id[:]) // it never fails
		return j.lockedManifest(true)
	}
	r := &recoverer{j: j, logs: logs}
	if err := r.open(); err != nil {
		return err
	}
	if len(r.damages) > 0 {
		if !j.opt.Salvage {
			return r.error()
		}
		if err := r.setAside(); err != nil {
			return err
		}
	}
	// Whoever wrote the manifest may have been killed before its name was on the disk.
	if err := j.dir.Sync(); err != nil {
		return &FailedError{"sync of the directory", j.opt.manifestName(), err}
	}
	for _, f := range j.files {
		if err := j.replayFile(f, replay); err != nil {
			return err
		}
	}
	return r.takeTail(replay)
}

// lockedManifest writes the manifest of the files there are.
func (j *Journal) lockedManifest(clean bool) error {
	j.manifest.Lock()
	defer j.manifest.Unlock()
	return j.writeManifest(j.files, clean)
}

// number is the number of the log file with a name.
func (o *Options) number(name string) (n uint32, ok bool) {
	digits, ok := strings.CutPrefix(name, o.Prefix)
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutSuffix(digits, ".log"); !ok {
		return 0, false
	}
	v, err := strconv.ParseUint(digits, 10, 32)
	return uint32(v), err == nil && o.fileName(uint32(v)) == name
}

// replayFile gives a file's records numbers, and to replay.
func (j *Journal) replayFile(f *file, replay func(seq Seq, kind byte, record []byte) error) error {
	j.mu.Lock()
	f.first = j.next
	f.runs = []run{{f.first, fileHeader}}
	j.next += Seq(f.end - fileHeader)
	j.taken, j.stored = j.next, j.next
	j.mu.Unlock()
	r, err := newReader(f.f, f.name, newSalt(j.id, f.number))
	if err != nil {
		return err
	}
	return r.walk(fileHeader, f.end, f.skip, func(off int64, rec []byte) error {
		if rec[8] > MaxKind {
			return nil
		}
		j.recovery.Records++
		return replay(f.seq(off), rec[8], rec[recordHeader:])
	}, func(gap) {})
}

// readManifest reads the manifest. With Salvage, and if it is not what was written, all
// files count.
func (r *recoverer) readManifest() error {
	j := r.j
	name := j.opt.manifestName()
	d := damage{DamagedError: DamagedError{File: name, Reason: "it says which files there are, and is missing"}}
	f, err := j.dir.Open(name)
	switch {
	case err == nil:
		defer func() { _ = f.Close() }()
		size, err := f.Size()
		if err != nil {
			return readError(name, err)
		}
		data, err := readAll(f, size, maxManifest)
		if err != nil {
			return readError(name, err)
		}
		ok, err := r.useManifest(decode(data))
		if err != nil {
			return err
		}
		d.Reason = "its checksum does not fit"
		if ok {
			by, err := r.stale()
			if by == "" || err != nil {
				return err
			}
			d.Reason = "it is older than " + by
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("journal: %w", err)
	}
	r.damages = append(r.damages, d)
	if !j.opt.Salvage {
		return r.error()
	}
	return r.guessManifest()
}

func (r *recoverer) useManifest(m *manifest) (ok bool, err error) {
	if m == nil {
		return false, nil
	}
	if m.Format != format {
		return false, &FormatError{r.j.opt.manifestName(), m.Format, format}
	}
	id, err := hex.DecodeString(m.ID)
	if err != nil || len(id) != len(r.j.id) {
		return false, nil
	}
	copy(r.j.id[:], id)
	r.lines, r.j.number, r.j.clean, r.j.recovery.Clean = m.Files, m.Next, m.Clean, m.Clean
	return true, nil
}
