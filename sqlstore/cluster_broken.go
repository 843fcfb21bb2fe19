package sqlstore

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/mattn/go-sqlite3"
)

// A committed entry of the log that the disk did not take is missing in this
// copy, and only in this one: rqlite goes on with the next. Nothing may be read
// from such a copy, and nothing made of it. The owner ends the process, and
// the next builds the database anew from its snapshot and the log.

// written holds the stores that are open, by the file of their database.
var written sync.Map // string to *raftStore

func init() { sqlite3.OnFailure(writeFailed) }

// writeFailed finds the store whose database could not be written.
func writeFailed(file string, err error) {
	if s, ok := written.Load(filepath.Clean(file)); ok {
		s.(*raftStore).breaks(err)
	}
}

// breaks notes the first failure and tells the owner.
func (s *raftStore) breaks(err error) {
	cause := diskTrouble(err)
	if cause == nil {
		cause = errors.Join(ErrDamaged, err)
	}
	if s.broken.CompareAndSwap(nil, &cause) && s.onBroken != nil {
		s.onBroken(cause)
	}
}

// wholeCopy returns why nothing may be made of this copy, nil when it is whole.
func (s *raftStore) wholeCopy() error {
	if err := s.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// ProbeDisk reports whether the disk below dir takes writes: ErrFull or ErrDisk
// when it does not.
func ProbeDisk(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return errors.Join(diskTrouble(err), err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, probeSize))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(diskTrouble(err), err)
	}
	return nil
}

// probeSize is the room without which opening a store is not worth trying.
const probeSize = 1 << 20
