package sqlstore

import (
	"errors"
	"strings"
	"syscall"

	"hexad/engine"
)

// unopened is the error of a store that could not be opened. A disk that is
// full or fails says nothing about what is on it: that store is not damaged, and
// can be opened once the disk is well.
func unopened(dir string, err error) error {
	if engine.CodeOf(err) == engine.Unavailable {
		return err
	}
	if disk := diskTrouble(err); disk != nil {
		return &engine.Error{
			Code:    engine.Unavailable,
			Message: "the cluster database in " + dir + " cannot be opened: " + err.Error(),
			Remedy:  "free space on the file system of the data directory, or replace the disk; hexad tries again by itself",
			Err:     disk,
		}
	}
	return damaged(dir, err)
}

// diskTrouble is diskFailure for errors of rqlite, which keeps the texts of its
// causes only. It is the one place that knows those words.
func diskTrouble(err error) error {
	if disk := diskFailure(err); disk != nil || err == nil {
		return disk
	}
	text := err.Error()
	for _, words := range []string{syscall.ENOSPC.Error(), syscall.EDQUOT.Error(), "disk is full"} {
		if strings.Contains(text, words) {
			return errors.Join(ErrFull, err)
		}
	}
	for _, words := range []string{syscall.EIO.Error(), syscall.EROFS.Error(), "disk I/O error", "unable to open database file", "attempt to write a readonly database"} {
		if strings.Contains(text, words) {
			return errors.Join(ErrDisk, err)
		}
	}
	return nil
}
