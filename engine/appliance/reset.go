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

	"hexad/engine"
	"hexad/sqlstore"
)

// Files of a factory reset. Source: reference 2.12; design 6.
const (
	resetDir   = "reset"
	resetImage = "hexad-image" // the software that the reset installs
	resetKey   = "rk"          // its release key, 16 characters
	resetMark  = "reset.state" // a reset was begun and is to be finished
)

// installResetImage puts this binary and a release key into the reset folder
// at the first start, so that a machine that was never upgraded can be reset.
func installResetImage(dataDir string) error {
	dir := filepath.Join(dataDir, resetDir)
	if _, err := os.Stat(dir); err == nil {
		return nil // what an administrator took away or put there stays so
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the reset folder: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	image := filepath.Join(dir, resetImage)
	if err := os.Link(self, image); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := copyFile(self, image); err != nil {
			return fmt.Errorf("put the software into the reset folder: %w", err)
		}
	}
	var random [10]byte
	rand.Read(random[:]) // never fails
	return os.WriteFile(filepath.Join(dir, resetKey), []byte(base32.StdEncoding.EncodeToString(random[:])+"\n"), 0o600)
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

// betweenChildren carries out an armed factory reset. It is safe to be cut off
// anywhere: the mark says that a reset is under way, the one transaction of
// local.db is what makes it happen, and removing the stores is repeated until
// the mark is gone.
//
// Errors: Unavailable when the reset cannot be carried out; the system is then
// as it was, and alarm 15013 is raised by the next child.
func betweenChildren(ctx context.Context, o Options) error {
	mark := filepath.Join(o.DataDir, resetMark)
	_, err := os.Stat(filepath.Join(o.DataDir, "local.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // never started
	}
	local, err := sqlstore.OpenLocal(ctx, sqlstore.LocalOptions{Dir: o.DataDir, Logger: o.Log})
	if err != nil {
		return nil // the child says what is wrong
	}
	defer local.Close()
	page, err := local.Page(ctx)
	if err != nil {
		return nil
	}
	_, begun := os.Stat(mark)
	if page.Reset == nil {
		if begun == nil {
			return finishReset(o, mark)
		}
		return nil
	}
	if !haveResetImage(o.DataDir) {
		return engine.Errorf(engine.Unavailable, "the reset folder %s lacks the software image or its release key", filepath.Join(o.DataDir, resetDir)).
			With("reset", "put both files there, or restore the peer addresses to cancel the reset")
	}
	if err := writeSynced(mark, "begun\n"); err != nil {
		return err
	}
	o.Log.Warn("factory reset started", "module", "management", "kept", page.Reset.Keep)
	if err := local.Reset(ctx, page.Reset.Keep); err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	return finishReset(o, mark)
}

// finishReset removes the copies of cluster.db and then the mark.
func finishReset(o Options, mark string) error {
	if err := os.RemoveAll(o.store()); err != nil {
		return fmt.Errorf("remove the cluster database: %w", err)
	}
	if err := syncDir(o.DataDir); err != nil {
		return err
	}
	if err := os.Remove(mark); err != nil {
		return fmt.Errorf("end the factory reset: %w", err)
	}
	o.Log.Warn("factory reset done", "module", "management")
	return syncDir(o.DataDir)
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
