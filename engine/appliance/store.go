package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/sqlstore"
)

// upkeepEvery is how often a peer looks whether the schema of cluster.db can
// be brought forward.
const upkeepEvery = 5 * time.Second

// store is cluster.db as the other parts use it: it answers from the copies in
// local.db while the database is not open.
type store struct {
	*sqlstore.Cluster
	a         *appliance
	opening   atomic.Bool            // not known yet to be sound
	refilling atomic.Bool            // damaged, and filled by the group
	sole      atomic.Pointer[string] // what local.db has as stateSole; nil until it is known
}

// Agreed is what the cluster agreed on. Until the group has confirmed what this
// copy of the database holds, the members are those of local.db: that list is
// written at once, and with too old a one this peer would not find the others.
func (s *store) Agreed(ctx context.Context) (engine.Agreed, error) {
	caught := s.Status().Caught // before the rows are read
	agreed, err := s.Cluster.Agreed(ctx)
	if err == nil && agreed.Cluster != "" && caught {
		return agreed, nil
	}
	// The identity is read first: together with a list from before this peer was
	// admitted to another cluster, the new one would make members of nobody else.
	id := s.a.identity.now()
	members, localErr := s.a.local.Members(ctx)
	if err == nil && agreed.Cluster != "" {
		if localErr == nil && len(members) > 0 {
			agreed.Members = members
		}
		return agreed, nil
	}
	if localErr != nil {
		return engine.Agreed{}, errors.Join(err, localErr)
	}
	return engine.Agreed{Cluster: id.Cluster, Generation: id.Generation, Members: members}, nil
}

// Servers is the Raft group as engine/cluster needs it.
func (s *store) Servers() cluster.Servers {
	st := s.Status()
	return cluster.Servers{
		Leader: st.Leader, LeaderHere: st.LeaderHere, Voters: st.Voters, Nonvoters: st.Nonvoters,
		Applied: st.Applied, State: st.Database, Behind: st.Behind, Err: st.Cause,
	}
}

func (a *appliance) group() cluster.Servers { return a.store.Servers() }

// openStore makes the store; startStore opens it.
func (a *appliance) openStore() {
	id := a.identity.now()
	a.store = &store{a: a, Cluster: sqlstore.NewCluster(sqlstore.ClusterOptions{
		Dir: a.o.store(), Node: id.Node, Release: a.o.Release, Logger: a.log.With("module", "clusterdb"),
		Layer: func(g engine.Generation) sqlstore.Layer { return a.link.RaftOf(g) },
		Forward: func(ctx context.Context, leader string, batch []byte) ([]byte, error) {
			return a.cluster.Forward(ctx, leader, batch)
		},
		OnBroken: a.storeBroken, OnLead: func() { a.cluster.Leads() }, OnApplied: a.storeApplied, OnChange: a.storeChanged, Journal: a.o.journal(), OnJournal: a.journalled,
	})}
}

// startStore gives the store its data at the start of the process. It returns
// why it has none.
func (a *appliance) startStore(ctx context.Context) error {
	if a.o.Cause == causeDisk { // it says nothing of the store, so it is not counted
		if err := sqlstore.ProbeDisk(a.o.DataDir); err != nil {
			return &engine.Error{Code: engine.Unavailable, Message: "the cluster database is not opened, the disk takes no writes: " + err.Error(), Err: err,
				Remedy: "free space on the file system of the data directory, or replace the disk; hexad tries again by itself"}
		}
		return a.giveStore(ctx)
	}
	if err := a.beginOpening(a.identity.now().Generation); err != nil {
		if err = a.repair(ctx, err); err != nil {
			return fmt.Errorf("open the cluster database: %w", err)
		}
		_ = os.Remove(filepath.Join(a.o.DataDir, openingFile)) // another store: the count begins anew
		return nil
	}
	return a.giveStore(ctx)
}

// giveStore opens the store of this peer's generation.
//
// A store is founded only while the identity says that none ever was: a
// directory that is gone later is damage and not a first start.
func (a *appliance) giveStore(ctx context.Context) error {
	id := a.identity.now()
	a.sweep()
	err := a.store.Open(ctx, id.Generation)
	if engine.CodeOf(err) == engine.NotFound && id.StoreDir == "" {
		self := engine.Member{Node: id.Node, Address: a.o.Address, Fingerprint: a.link.Credentials().Fingerprint(), Release: a.o.Release}
		if err = a.store.Found(ctx, id.Generation, id.Cluster, self); err == nil {
			err = a.identity.stored(ctx, a.store.Directory(id.Generation))
		}
	}
	if isDamage(err, id) {
		err = a.repair(ctx, err)
	} else if err == nil && a.store.Lost() && !a.store.refilling.Load() {
		a.beginRefill(ctx, "this system's copy was damaged before; the group fills another one")
	}
	if err != nil {
		return fmt.Errorf("open the cluster database: %w", err)
	}
	if a.store.refilling.Load() {
		return nil
	}
	a.endOpening()
	return a.seed(ctx)
}

// openingFile counts the processes in a row that ended by themselves before
// the cluster database was known to be sound: some damage is found only by Raft
// as it carries out the log, and ends the process.
const (
	openingFile = "cluster.opening"
	openingMost = 3
)

// beginOpening refuses the store after openingMost such ends, until a restart
// that somebody asks for.
func (a *appliance) beginOpening(g engine.Generation) error {
	path := filepath.Join(a.o.DataDir, openingFile)
	ended := 0
	if text, err := os.ReadFile(path); err == nil && a.o.Crashes > 0 {
		ended, _ = strconv.Atoi(string(text)) // 0 when it is cut short
	}
	if ended >= openingMost {
		return a.store.Refuse(g, fmt.Errorf("the process ended %d times while it carried out the log: %s", ended, a.o.Cause))
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(ended+1)), 0o600); err != nil {
		a.log.Debug("begin of opening not noted", "module", "clusterdb", "err", err)
	}
	a.store.opening.Store(true)
	return nil
}

// endOpening notes that all of the log was carried out, once it was.
func (a *appliance) endOpening() {
	if a.store.opening.Load() && a.store.Status().Caught && a.store.opening.Swap(false) {
		_ = os.Remove(filepath.Join(a.o.DataDir, openingFile)) // what stays counts only if the process ends by itself
	}
}

// Alarms of the databases. Source: reference 4.3.
const (
	alarmApplication     = 15004
	alarmDatabaseFailure = 15005
	alarmLocalDatabase   = 15008
)

// storeFailed notes that the cluster database cannot be used, and raises the alarm.
func (a *appliance) storeFailed(err error) {
	e := &engine.Error{Code: engine.Unavailable, Message: err.Error(), Err: err,
		Remedy: "keep its directory for examination; get a copy from the primary, or restore a backup"}
	var cause *engine.Error
	if errors.As(err, &cause) {
		e.Message = cause.Message
		if cause.Remedy != "" {
			e.Remedy = cause.Remedy
		}
	}
	a.storeErr.Store(e)
	a.tracker.Raise(context.Background(), alarmDatabaseFailure, "", map[string]string{"detail": err.Error()})
}

// wrote follows whether writing works: a full or failing disk raises the alarm
// of the database, a write that succeeds lowers it.
func (a *appliance) wrote(err error) {
	if a.storeErr.Load() != nil {
		return
	}
	ctx := context.Background()
	if errors.Is(err, sqlstore.ErrFull) {
		a.space.met()
	}
	switch {
	case err == nil:
		a.tracker.Lower(ctx, alarmDatabaseFailure, "disk")
	case errors.Is(err, sqlstore.ErrFull), errors.Is(err, sqlstore.ErrDisk):
		a.tracker.Raise(ctx, alarmDatabaseFailure, "disk", map[string]string{"detail": err.Error()})
	}
}

// journalled raises the alarm of a configuration journal that cannot be written,
// and lowers it when it can again.
func (a *appliance) journalled(err error) {
	ctx := context.Background()
	if err == nil {
		a.tracker.Lower(ctx, alarmDatabaseFailure, "journal")
		return
	}
	a.tracker.Raise(ctx, alarmDatabaseFailure, "journal", map[string]string{"detail": "the configuration journal cannot be written: " + err.Error()})
}

// recordsSettled is how long after a start the records of local.db are examined:
// it reads the whole file, and other things come first then.
const recordsSettled = 20 * time.Second

// checkRecords examines once what a start leaves out. The peer serves with a damaged
// event log: nothing is decided by it.
func (a *appliance) checkRecords(ctx context.Context) error {
	if !pause(ctx, recordsSettled) {
		return nil
	}
	err := a.local.CheckRecords(ctx)
	switch {
	case errors.Is(err, sqlstore.ErrDamaged):
		a.tracker.Raise(ctx, alarmDatabaseFailure, "records", map[string]string{"detail": "the event log or the record of decisions: " + err.Error()})
	case err != nil && ctx.Err() == nil:
		a.log.Warn("the event log was not examined", "module", "management", "err", err)
	case err == nil:
		a.tracker.Lower(ctx, alarmDatabaseFailure, "records")
	}
	return nil
}

// storeApplied tells the leader how far this copy is, when it waits for that.
func (a *appliance) storeApplied(index uint64) {
	a.applied.Store(index)
	go func() {
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		a.cluster.ReportApplied(ctx, index)
	}()
}

// storeChanged follows a moved index: what the cluster agreed on is read anew
// at once, and the rest when the copy has caught up.
func (a *appliance) storeChanged(n sqlstore.ChangeNotice) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	a.endOpening()
	a.endRefill(ctx)
	a.cluster.StoreChanged(ctx)
	a.keys.changed()
	if a.store.Status().Caught {
		a.followStore(ctx)
		return
	}
	select {
	case a.unsettled <- struct{}{}:
	default:
	}
}

// followStore brings configuration, policies and procedures to what the copy holds.
func (a *appliance) followStore(ctx context.Context) {
	a.lifecycle.Changed()
	a.procedures.Changed()
	a.follow(ctx)
	a.settleMapping()
}

// settleLook is how often a copy that catches up is looked at.
const settleLook = 20 * time.Millisecond

// settle follows a copy once it has caught up. One that is being filled goes
// through everything that the cluster ever was: none of it is to be brought into
// effect on the way, nor written to the event log.
func (a *appliance) settle(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.unsettled:
		}
		for !a.store.Status().Caught {
			if !pause(ctx, settleLook) {
				return nil
			}
		}
		a.followStore(ctx)
	}
}
