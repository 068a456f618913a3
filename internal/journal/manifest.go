package journal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"

	"github.com/warrenmq/warren/internal/files"
)

const (
	format      = 1        // the highest that this program knows
	maxManifest = 64 << 20 // bytes
)

// manifest says which files there are and where they end.
type manifest struct {
	Format int        `json:"format"`
	ID     string     `json:"id"`   // of the journal, in hexadecimal
	Next   uint32     `json:"next"` // no file has this number or a higher one
	Clean  bool       `json:"clean"`
	Files  []fileLine `json:"files"`
}

type fileLine struct {
	Number uint32 `json:"number"`
	End    int64  `json:"end,omitempty"`    // what is behind does not count; 0 for the file that is being written
	Synced int64  `json:"synced,omitempty"` // of the file that is being written
	Skip   []gap  `json:"skip,omitempty"`   // damaged, and known to be
}

// gap is a part of a file without records.
type gap struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

func (o *Options) manifestName() string { return o.Prefix + "manifest" }

// writeManifest replaces the manifest by one with these files, and removes what it
// does not name any more. Unless it is clean, the last one is the one that is being
// written, or was until it failed. The lock manifest is held.
func (j *Journal) writeManifest(all []*file, clean bool) error {
	m := manifest{Format: format, ID: hex.EncodeToString(j.id[:]), Next: j.number, Clean: clean, Files: []fileLine{}}
	j.mu.Lock()
	for i, f := range all {
		line := fileLine{Number: f.number, Skip: f.skip}
		switch {
		case clean || f.sealed || i < len(all)-1:
			line.End = f.end
		case f.named:
			line.Synced = f.synced
		default:
			line.Synced = f.end
		}
		m.Files = append(m.Files, line)
	}
	j.mu.Unlock()
	data, err := m.encode()
	if err != nil {
		return err
	}
	j.clean = false
	if err := replace(j.dir, j.opt.manifestName(), data); err != nil {
		return err
	}
	j.clean = clean
	j.discard = slices.DeleteFunc(j.discard, func(name string) bool {
		err := j.dir.Remove(name)
		return err == nil || errors.Is(err, fs.ErrNotExist)
	})
	return nil
}

func (m *manifest) encode() ([]byte, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	data = append(data, '\n')
	return fmt.Appendf(data, "%08x\n", crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))), nil
}

// decode is the opposite of encode; nil if it is not one.
func decode(data []byte) *manifest {
	i := bytes.IndexByte(data, '\n') + 1
	if string(data[i:]) != fmt.Sprintf("%08x\n", crc32.Checksum(data[:i], crc32.MakeTable(crc32.Castagnoli))) {
		return nil
	}
	m := new(manifest)
	if json.Unmarshal(data[:i], m) != nil {
		return nil
	}
	return m
}

// readAll reads a file that is at most limit bytes long.
func readAll(f io.ReaderAt, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("%d bytes are too many", size)
	}
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, err
	}
	return data, nil
}

// replace gives the file with a name other content: after a power cut it has the old
// or the new one.
func replace(dir files.Dir, name string, data []byte) error {
	fresh := name + ".new"
	if err := dir.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &FailedError{"removal", fresh, err}
	}
	if err := writeFile(dir, fresh, data); err != nil {
		return err
	}
	if err := dir.Rename(fresh, name); err != nil {
		return &FailedError{"renaming", fresh, err}
	}
	if err := dir.Sync(); err != nil {
		return &FailedError{"sync of the directory", name, err}
	}
	return nil
}

// writeFile makes a file and syncs it, but not its name.
func writeFile(dir files.Dir, name string, data []byte) error {
	f, err := dir.Create(name)
	if err != nil {
		return &FailedError{"creation", name, err}
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return &FailedError{"write", name, err}
	}
	return nil
}
