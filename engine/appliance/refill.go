package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
)

// quarantineMost is how many damaged copies are kept. None is ever deleted by
// hexad: with so many there, a person has to look before another is repaired.
const quarantineMost = 5

// rebuiltAlarmFor is how long the alarm of a database that was rebuilt stands.
const rebuiltAlarmFor = 10 * time.Minute

// The alarm of a damaged copy that is being, or was, made anew.
const refillKey = "refill"

// stateSole is, in local.db, the generation of which this peer is known to be
// the only voter: nobody else can ever have confirmed anything in it.
const stateSole = "cluster.sole"

// isDamage reports whether a store that did not open is to be repaired. A disk
// that is full or fails is tried again instead.
func isDamage(err error, id sqlstore.Identity) bool {
	for _, other := range []error{sqlstore.ErrFull, sqlstore.ErrDisk, syscall.EIO, syscall.ENOSPC, syscall.EROFS, syscall.EACCES, syscall.EMFILE} {
		if errors.Is(err, other) {
			return false
		}
	}
	return errors.Is(err, sqlstore.ErrDamaged) || engine.CodeOf(err) == engine.NotFound && id.StoreDir != ""
}

// repair sets a damaged store aside and makes another one: a sole voter rebuilds
// its database as a new generation, any other is filled by its group.
//
// Source: design 2; reference/faults.md 2.5.
func (a *appliance) repair(ctx context.Context, why error) error {
	id := a.identity.now()
	kept, err := a.setAside(id.Generation)
	if err != nil {
		return errors.Join(why, err)
	}
	sole, err := a.soleVoter(ctx, id)
	if err != nil {
		return errors.Join(why, err)
	}
	where := "it is gone"
	if kept != "" {
		where = "it is kept in " + kept
	}
	if sole {
		how, err := a.rebuild(ctx, id, kept)
		if err != nil {
			return errors.Join(why, err)
		}
		a.repaired(ctx, fmt.Sprintf("%v; %s; the database was rebuilt %s", why, where, how))
		lower := time.AfterFunc(rebuiltAlarmFor, func() { a.tracker.Lower(context.WithoutCancel(ctx), alarmDatabaseFailure, refillKey) })
		context.AfterFunc(ctx, func() { lower.Stop() })
		return nil
	}
	if err := a.store.Refill(ctx, id.Generation, kept); err != nil {
		return errors.Join(why, err)
	}
	a.beginRefill(ctx, fmt.Sprintf("%v; %s; the group fills another one", why, where))
	return nil
}

// repaired says what was damaged and what was done about it.
func (a *appliance) repaired(ctx context.Context, detail string) {
	a.log.Error("damaged cluster database set aside", "module", "clusterdb", "detail", detail)
	a.tracker.Raise(ctx, alarmDatabaseFailure, refillKey, map[string]string{"detail": detail})
}

// setAside moves the store of generation g to the quarantine, and returns the
// newest copy of that generation there, "" for none: a start before this one may
// have been cut short after the move.
func (a *appliance) setAside(g engine.Generation) (string, error) {
	entries, err := os.ReadDir(a.o.quarantine())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	suffix, newest := fmt.Sprintf("-%d-%s", g.Number, g.ID), ""
	for _, e := range entries { // in the order of their times
		if strings.HasSuffix(e.Name(), suffix) {
			newest = filepath.Join(a.o.quarantine(), e.Name())
		}
	}
	from := a.store.Directory(g)
	if _, err := os.Lstat(from); errors.Is(err, os.ErrNotExist) {
		return newest, nil
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), purgedPrefix) }) // not damaged
	if len(entries) >= quarantineMost {
		return "", engine.Errorf(engine.Exhausted, "%d damaged copies are kept in %s already", len(entries), a.o.quarantine()).
			With("", "see why the disk damages files; remove the copies there that were examined, then restart this system")
	}
	to := filepath.Join(a.o.quarantine(), time.Now().UTC().Format(asideTime)+suffix)
	return to, a.store.Quarantine(g, to)
}

// soleVoter reports whether nobody but this peer can have confirmed a change of
// its generation.
func (a *appliance) soleVoter(ctx context.Context, id sqlstore.Identity) (bool, error) {
	members, err := a.local.Members(ctx)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(members, func(m engine.Member) bool { return m.Node != id.Node }) {
		return true, nil
	}
	sole, err := a.local.State(ctx, stateSole)
	return sole == id.Generation.ID, err
}

// rebuild founds the next generation on what is left of this one.
func (a *appliance) rebuild(ctx context.Context, id sqlstore.Identity, kept string) (how string, err error) {
	path := filepath.Join(a.o.store(), "rebuilt.sqlite")
	if err := errors.Join(os.MkdirAll(a.o.store(), 0o700), os.RemoveAll(path)); err != nil {
		return "", err
	}
	defer os.Remove(path)
	made, err := sqlstore.Rebuild(ctx, sqlstore.Remains{Dir: kept, Journal: a.o.journal(), Generation: id.Generation}, path)
	if err != nil {
		return "", err
	}
	if kept != "" {
		journal := filepath.Join(kept, filepath.Base(a.o.journal()))
		if err := os.Link(a.o.journal(), journal); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
			a.log.Warn("configuration journal not kept beside the damaged copy", "module", "clusterdb", "err", err)
		}
	}
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	next := engine.Generation{Number: id.Generation.Number + 1, ID: randomID(), Parent: id.Generation.ID}
	err = a.store.Refound(ctx, next, sqlstore.Refounding{From: from, Commit: func(engine.Founding) error {
		return a.identity.rebuilt(context.WithoutCancel(ctx), next, a.store.Directory(next))
	}})
	if err != nil {
		return "", err
	}
	a.tracker.Republish()
	return fmt.Sprintf("up to revision %d as generation %d (copy: entry %d, log after it: %t, journal: revision %d)",
		made.Revision, next.Number, made.Copy, made.Log, made.Journal), nil
}

// beginRefill notes that this peer's copy is filled by the group. Without an
// older copy to read nothing that depends on it works.
func (a *appliance) beginRefill(ctx context.Context, detail string) {
	a.store.refilling.Store(true)
	a.repaired(ctx, detail)
	if _, err := a.store.Cluster.Agreed(ctx); err != nil {
		a.storeErr.Store(&engine.Error{Code: engine.Unavailable, Message: "this system's copy of the cluster database is being filled by the other peers", Err: err,
			Remedy: "wait until it has arrived; see alarm 15005"})
	}
}

// endRefill lowers the alarm once the copy is as new as the group's.
func (a *appliance) endRefill(ctx context.Context) {
	if !a.store.refilling.Load() || a.store.Lost() {
		return
	}
	if st := a.store.Status(); !st.Caught || st.Database != sqlstore.DatabaseActive || !a.store.refilling.Swap(false) {
		return
	}
	failed := a.storeErr.Swap(nil)
	a.tracker.Lower(ctx, alarmDatabaseFailure, refillKey)
	a.log.Info("cluster database filled again", "module", "clusterdb")
	if failed != nil {
		if err := a.lifecycle.Follow(ctx); err != nil {
			a.log.Debug("policies not read", "module", "policy", "err", err) // again when the copy moves
		}
		a.reload(ctx)
	}
}

// Reconcile keeps in local.db whether this peer is the only voter: before
// another can become one it is not, afterwards it is when it remained so. While
// the system key is lost nobody lets this peer in, and nothing can be noted.
func (s *store) Reconcile(ctx context.Context, members []string, primary string, reachable func(node string) bool) (string, error) {
	if s.a.local.LostKey() {
		return "", nil
	}
	node, generation := s.a.identity.now().Node, s.a.identity.now().Generation.ID
	alone := primary == node && len(members) <= 2
	if !alone {
		if err := s.noteSole(ctx, ""); err != nil {
			return "", err
		}
	}
	step, err := s.Cluster.Reconcile(ctx, members, primary, reachable)
	if err == nil && step == "" && alone && slices.Equal(s.Status().Voters, []string{node}) {
		err = s.noteSole(ctx, generation)
	}
	return step, err
}

// noteSole writes what is not written yet.
func (s *store) noteSole(ctx context.Context, generation string) error {
	if known := s.sole.Load(); known != nil && *known == generation {
		return nil
	}
	if err := s.a.local.PutState(ctx, stateSole, generation); err != nil {
		return err
	}
	s.sole.Store(&generation)
	return nil
}
