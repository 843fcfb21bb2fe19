package appliance

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hexad/engine"
	"hexad/engine/fail"
	"hexad/sqlstore"
)

// Files of a factory reset. Source: reference 2.12; design 6.
const (
	resetDir     = "reset"
	resetImage   = "hexad-image"   // the software that the reset installs
	resetKey     = "rk"            // its release key, 16 characters
	resetMark    = "reset.state"   // the node id that this system had when a reset was begun
	resetAsked   = "reset.request" // the reset that root asked for: see resetRequest
	progressFile = "progress"      // what the last reset or purge did
)

// installResetImage puts this binary and a release key into the reset folder
// at the first start, so that a machine that was never upgraded can be reset.
// The folder appears with both files in it: a start that is cut off begins again,
// and what an administrator takes away later stays away.
func installResetImage(dataDir string) error {
	dir := filepath.Join(dataDir, resetDir)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	const doing = "make the reset folder: %w"
	made := dir + ".new"
	if err := errors.Join(os.RemoveAll(made), os.Mkdir(made, 0o700)); err != nil {
		return fmt.Errorf(doing, err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	image := filepath.Join(made, resetImage)
	if err := os.Link(self, image); err != nil {
		if err := copyFile(self, image); err != nil {
			return fmt.Errorf("put the software into the reset folder: %w", err)
		}
	}
	var random [10]byte
	rand.Read(random[:]) // never fails
	if err := writeSynced(filepath.Join(made, resetKey), base32.StdEncoding.EncodeToString(random[:])+"\n"); err != nil {
		return fmt.Errorf(doing, err)
	}
	return errors.Join(os.Rename(made, dir), syncDir(dataDir))
}

// haveResetImage reports whether both files of a reset are there.
func haveResetImage(dataDir string) bool {
	for _, name := range []string{resetImage, resetKey} {
		info, err := os.Stat(filepath.Join(dataDir, resetDir, name))
		if err != nil || info.Size() == 0 {
			return false
		}
	}
	return true
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), resetImage+"-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) // gone already when renamed
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o755), out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}

// betweenChildren carries out an armed factory reset, or finishes one that was
// cut off. It is safe to be cut off anywhere: the one transaction of local.db is
// what makes the reset happen, and removing the stores is repeated until the
// mark is gone. It returns why an armed reset was not carried out, "" otherwise;
// the system is then as it was, and the next child raises alarm 15013.
func betweenChildren(ctx context.Context, o Options, out io.Writer) string {
	if _, err := os.Stat(filepath.Join(o.DataDir, "local.db")); errors.Is(err, fs.ErrNotExist) {
		return "" // never started
	}
	local, err := openFreed(ctx, o)
	if err != nil {
		return "" // the child says what is wrong
	}
	defer local.Close()
	if err := (purge{o, local, progress{o, "removal of the cluster database", 3}}).carryOut(ctx); err != nil {
		o.Log.Error("the cluster database was not removed", "module", "management", "err", err)
	}
	r := factoryReset{o: o, local: local, out: out, progress: progress{o, "factory reset", 4}}
	if err := r.carryOut(ctx); err != nil {
		r.failed(err)
		o.Log.Error("factory reset failed", "module", "management", "err", err)
		return err.Error()
	}
	return ""
}

// factoryReset is one factory reset, begun or to be begun.
type factoryReset struct {
	o     Options
	local *sqlstore.Local
	out   io.Writer
	progress
}

// carryOut tells from the mark and the node id, which the transaction replaces,
// how far a reset has come. One that root asked for is carried out now or never:
// when it cannot be, the answers do not wait for another restart.
func (r factoryReset) carryOut(ctx context.Context) error {
	id, err := r.local.Identity(ctx)
	if err != nil {
		return nil // the child says what is wrong
	}
	page, err := r.local.Page(ctx)
	if err != nil {
		return nil
	}
	mark, request := filepath.Join(r.o.DataDir, resetMark), filepath.Join(r.o.DataDir, resetAsked)
	begun, err := os.ReadFile(mark)
	if err == nil && strings.TrimSpace(string(begun)) != id.Node {
		return r.finish(mark, id.StoreDir)
	}
	asked, err2 := readResetRequest(request)
	if asked != nil && asked.Node != id.Node { // of a system that was restored over, or reset
		asked, err2 = nil, os.Remove(request)
	}
	if err2 != nil {
		return fmt.Errorf("factory reset: %w", err2)
	}
	switch {
	case asked != nil:
		return errors.Join(r.begin(ctx, mark, id.Node, asked.Keep, asked.By), removeIfThere(request))
	case page.Reset != nil:
		return r.begin(ctx, mark, id.Node, page.Reset.Keep, "the empty peer list")
	case err == nil:
		return os.Remove(mark) // begun, not carried out, and cancelled since
	}
	return nil
}

// begin carries out a reset of the system that is node.
func (r factoryReset) begin(ctx context.Context, mark, node string, keep []string, by string) error {
	if !haveResetImage(r.o.DataDir) {
		return noImage(r.o.DataDir)
	}
	if err := writeSynced(mark, node+"\n"); err != nil {
		return err
	}
	if err := fail.Point("reset.marked"); err != nil {
		return err
	}
	r.step(1, "begun by "+by+"; kept: "+strings.Join(keep, ", "))
	printAlarm(r.out, r.o.LogFormat, alarmResetStarted, true, "kept: "+strings.Join(keep, ", "))
	if err := r.local.Reset(ctx, keep); err != nil {
		return errors.Join(fmt.Errorf("factory reset: %w", err), os.Remove(mark))
	}
	if err := fail.Point("reset.emptied"); err != nil {
		return err
	}
	return r.finish(mark, "")
}

// noImage is why a reset cannot be carried out without its files.
func noImage(dataDir string) error {
	return engine.Errorf(engine.Unavailable, "the reset folder %s lacks the software image %s or its release key %s", filepath.Join(dataDir, resetDir), resetImage, resetKey).
		With("reset", "put both files there and restart, or restore the peer addresses to cancel the reset")
}

// finish removes the copies of cluster.db but one that was made since, the
// journal and the damaged copies with them, and then the mark.
func (r factoryReset) finish(mark, keep string) error {
	r.step(2, "this system's own data is reset; removing the cluster database")
	stores, err := os.ReadDir(r.o.store())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the cluster database: %w", err)
	}
	for _, s := range stores {
		if keep != "" && s.Name() == filepath.Base(keep) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(r.o.store(), s.Name())); err != nil {
			return fmt.Errorf("remove the cluster database: %w", err)
		}
	}
	r.step(3, "removing the configuration journal and the copies of the configuration")
	if keep == "" {
		journals, _ := filepath.Glob(r.o.journal() + "*") // the pattern is a sound one
		for _, path := range append(journals, r.o.quarantine()) {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("remove the configuration journal: %w", err)
			}
		}
	}
	if err := errors.Join(os.RemoveAll(r.o.aside()), os.RemoveAll(filepath.Join(r.o.DataDir, restoreDir))); err != nil {
		return fmt.Errorf("remove the copies of the configuration: %w", err)
	}
	if err := syncDir(r.o.DataDir); err != nil {
		return err
	}
	if err := fail.Point("reset.removed"); err != nil {
		return err
	}
	// The request goes first: without the mark it would begin another reset.
	if err := errors.Join(removeIfThere(filepath.Join(r.o.DataDir, resetAsked)), os.Remove(mark)); err != nil {
		return fmt.Errorf("end the factory reset: %w", err)
	}
	r.step(4, "done; starting with the defaults")
	printAlarm(r.out, r.o.LogFormat, alarmResetStarted, false, "")
	r.o.Log.Warn("factory reset done", "module", "management")
	return syncDir(r.o.DataDir)
}

// Alarms of a factory reset. Source: reference 4.3.
const (
	alarmResetStarted = 15009
	alarmResetFailed  = 15013
)

// noteReset raises 15013 when a factory reset was not carried out. It lowers it
// when the armed one is cancelled; that of one that root asked for stands until
// the next restart.
func (a *appliance) noteReset(ctx context.Context) error {
	if a.o.ResetFailed == "" {
		return nil
	}
	changed := a.cluster.Watch(ctx)
	a.tracker.Raise(ctx, alarmResetFailed, "", map[string]string{"detail": a.o.ResetFailed})
	for armed := a.cluster.Armed(); !armed || a.cluster.Armed(); {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
	a.tracker.Lower(ctx, alarmResetFailed, "")
	return nil
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
