package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hexad/engine/event"
	"hexad/engine/fail"
)

// A restore replaces the data of a system between two children. Its directory
// holds what was prepared (new), what was there before (old), and the step that
// it has come to (state). Each step can be done again, and each state says
// which of both systems what lies in the data directory belongs to, so that a
// cut anywhere leaves the one or the other:
//
//	ready      new is complete and checked; nothing was touched
//	moving     what is in the data directory is the old system's: it goes to old
//	placing    what is in the data directory is the restored one's: the rest of new joins it
//	trial      the restored system runs and has not yet said that it is whole
//	kept       it has; old stays until the next restore, or a factory reset
//	clearing   it was not: what is in the data directory goes away
//	returning  what is in the data directory is the old system's: the rest of old joins it
//	failed     the old system is back; the rest of the line says why (alarm 15023)
//
// Source: design 6, reference 8.5.
const (
	restoreDir   = "restore"
	restoreState = "state"
	restoreCause = "cause" // why the restored system did not start, as it says itself
	previousDir  = "old"

	restoreReady     = "ready"
	restoreMoving    = "moving"
	restorePlacing   = "placing"
	restoreTrial     = "trial"
	restoreKept      = "kept"
	restoreClearing  = "clearing"
	restoreReturning = "returning"
	restoreFailed    = "failed"
)

const alarmRestoreFailed = 15023

// trialCrashes is how often a restored system may end by itself before the old
// one is put back.
const trialCrashes = 3

// restored are the files of the data directory that belong to a system's
// state, by pattern. The reset folder, the ballast, the locks and damaged
// copies that a person has to look at belong to the machine.
var restored = []string{"local.db", "local.db-wal", "local.db-shm", "local.db-journal", "system.key*", "hexad.id",
	"cluster", openingFile, "config.journal*", "aside", resetMark}

// stageRestore makes what was prepared in dir the next system, from the next
// restart on.
func stageRestore(dataDir, dir string) error {
	to := filepath.Join(dataDir, restoreDir)
	for _, name := range []string{"lock", "serve.lock"} { // of the scratch directory
		if err := os.RemoveAll(filepath.Join(dir, restoredDir, name)); err != nil {
			return fmt.Errorf("prepare the restore: %w", err)
		}
	}
	err := os.Mkdir(filepath.Join(dir, previousDir), 0o700)
	if err == nil {
		err = replaceSynced(filepath.Join(dir, restoreState), restoreReady)
	}
	if err == nil {
		err = errors.Join(syncAll(dir), os.RemoveAll(to))
	}
	if err == nil {
		err = os.Rename(dir, to)
	}
	if err = errors.Join(err, syncDir(dataDir)); err != nil {
		return fmt.Errorf("prepare the restore: %w", err)
	}
	return fail.Point("restore.staged")
}

// restoring is a restore between two children.
type restoring struct{ o Options }

func (r restoring) path(names ...string) string {
	return filepath.Join(append([]string{r.o.DataDir, restoreDir}, names...)...)
}

// state is the step that a restore has come to, "" when there is none, and the
// rest of its line.
func (r restoring) state() (state, why string) {
	text, err := os.ReadFile(r.path(restoreState))
	if err != nil {
		return "", ""
	}
	state, why, _ = strings.Cut(strings.TrimSpace(string(text)), " ")
	return state, why
}

func (r restoring) become(state, why string) error {
	return replaceSynced(r.path(restoreState), strings.TrimSpace(state+" "+strings.ReplaceAll(why, "\n", "; ")))
}

// advance carries a restore on from wherever it was cut off, up to its trial or
// to its end. asked says that a restart was asked for.
func (r restoring) advance(asked bool) error {
	if state, _ := r.state(); state == "" {
		return nil
	}
	if err := r.freed(); err != nil {
		return err
	}
	for {
		state, why := r.state()
		var err error
		switch state {
		case restoreReady:
			err = errors.Join(r.become(restoreMoving, ""), fail.Point("restore.moving"))
		case restoreMoving:
			if err = r.move(r.o.DataDir, r.path(previousDir)); err == nil {
				err = errors.Join(r.become(restorePlacing, ""), fail.Point("restore.placing"))
			}
		case restorePlacing:
			if err = r.move(r.path(restoredDir), r.o.DataDir); err == nil {
				err = errors.Join(r.become(restoreTrial, ""), fail.Point("restore.trial"))
			}
		case restoreClearing:
			if err = r.clear(); err == nil {
				err = errors.Join(r.become(restoreReturning, why), fail.Point("restore.returning"))
			}
		case restoreReturning:
			if err = r.move(r.path(previousDir), r.o.DataDir); err == nil {
				err = errors.Join(r.become(restoreFailed, why), fail.Point("restore.failed"))
			}
		case restoreFailed:
			if asked { // its alarm was seen
				return errors.Join(os.RemoveAll(r.path()), syncDir(r.o.DataDir))
			}
			return nil
		default:
			return nil
		}
		if err != nil {
			return fmt.Errorf("restore, %s: %w", state, err)
		}
	}
}

// freed waits until no child has the data directory open any more: that of a
// parent that was killed may still be ending.
func (r restoring) freed() error {
	f, err := os.OpenFile(filepath.Join(r.o.DataDir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer f.Close()
	for deadline := time.Now().Add(freedWithin); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("restore: the data directory is in use: %w", err)
		}
	}
}

// putBack gives the old system its place back when the restored one, on trial,
// did not come up. false: no restore is on trial.
func (r restoring) putBack(why string) (bool, error) {
	if state, _ := r.state(); state != restoreTrial {
		return false, nil
	}
	if said, err := os.ReadFile(r.path(restoreCause)); err == nil {
		why = strings.TrimSpace(string(said))
	}
	r.o.Log.Error("the restored system did not start; the previous one is put back", "module", "management", "cause", why)
	if err := errors.Join(r.become(restoreClearing, why), fail.Point("restore.clearing")); err != nil {
		return true, err
	}
	return true, r.advance(false)
}

// names are the files of a system in dir.
func (r restoring) names(dir string) []string {
	var out []string
	for _, pattern := range restored {
		found, _ := filepath.Glob(filepath.Join(escape(dir), pattern)) // the patterns are sound ones
		for _, path := range found {
			out = append(out, filepath.Base(path))
		}
	}
	return out
}

// escape makes a path match itself alone.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// move takes the files of a system from one directory to another.
func (r restoring) move(from, to string) error {
	for _, name := range r.names(from) {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
		if err := fail.Point("restore.move"); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(from), syncDir(to))
}

func (r restoring) clear() error {
	for _, name := range r.names(r.o.DataDir) {
		if err := os.RemoveAll(filepath.Join(r.o.DataDir, name)); err != nil {
			return err
		}
	}
	return syncDir(r.o.DataDir)
}

// failedTrial notes why the restored system cannot be used, for the parent. It
// reports whether one is on trial.
func (a *appliance) failedTrial(err error) bool {
	r := restoring{a.o}
	if state, _ := r.state(); state != restoreTrial {
		return false
	}
	_ = replaceSynced(r.path(restoreCause), err.Error()) // without it the parent says the exit status
	return true
}

// onTrial ends the trial of a restored system: it is kept when it has all it
// needs. Otherwise the error ends this process, and the parent puts the
// previous system back.
func (a *appliance) onTrial(ctx context.Context) error {
	r := restoring{a.o}
	switch state, why := r.state(); state {
	case restoreTrial:
		if e := a.storeErr.Load(); e != nil {
			return fmt.Errorf("the restored cluster database cannot be used: %w", e)
		}
		if err := errors.Join(r.become(restoreKept, ""), fail.Point("restore.kept")); err != nil {
			return err
		}
		a.journal.Emit(event.Named("management", "Completed System Restore", fmt.Sprintf("revision %d", a.config.Current().Revision)))
		a.tracker.Lower(ctx, alarmRestoreFailed, "")
	case restoreFailed:
		a.tracker.Raise(ctx, alarmRestoreFailed, "", map[string]string{"detail": why})
	}
	return nil
}

// replaceSynced writes a small file whole or not at all.
func replaceSynced(path, text string) error {
	if err := writeSynced(path+".new", text+"\n"); err != nil {
		return err
	}
	return errors.Join(os.Rename(path+".new", path), syncDir(filepath.Dir(path)))
}

// syncAll puts everything below dir on disk.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncDir(path) // a file is synced in the same way
	})
}
