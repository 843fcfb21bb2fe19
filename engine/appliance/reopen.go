package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"hexad/engine"
	"hexad/engine/config"
	"hexad/sqlstore"
)

// reopenEvery is how often a peer whose disk was full or failed while the
// cluster database was opened tries that again.
const reopenEvery = 300 * time.Millisecond

// reopen opens the cluster database once its disk is well again, until ctx ends.
// A store that cannot be used for another reason is not touched.
func (a *appliance) reopen(ctx context.Context) error {
	tick := time.NewTicker(reopenEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if e := a.storeErr.Load(); e != nil && diskAilment(e) {
			a.openAgain(ctx)
		}
	}
}

func diskAilment(err error) bool {
	return errors.Is(err, sqlstore.ErrFull) || errors.Is(err, sqlstore.ErrDisk)
}

// storeBroken ends this process: a committed change is not in its copy of the
// cluster database. The next process builds the copy anew from what was synced.
func (a *appliance) storeBroken(err error) {
	if errors.Is(err, sqlstore.ErrDamaged) {
		panic(err) // counted: a file that is damaged again and again is set aside
	}
	fmt.Fprintf(os.Stderr, "hexad: the cluster database could not be written: %v\n", err) // the event log may be on the same disk
	os.Exit(exitDisk)
}

// openAgain tries once. What depends on the database hears of it as of any change.
func (a *appliance) openAgain(ctx context.Context) {
	if sqlstore.ProbeDisk(a.o.DataDir) != nil {
		return
	}
	if err := a.giveStore(ctx); err != nil {
		if !diskAilment(err) {
			a.storeFailed(err) // from now on for another reason
		}
		return
	}
	a.storeErr.Store(nil)
	a.tracker.Lower(ctx, alarmDatabaseFailure, "")
	a.log.Info("cluster database opened", "module", "clusterdb")
	if err := a.lifecycle.Follow(ctx); err != nil {
		a.log.Debug("policies not read", "module", "policy", "err", err) // again when the copy moves
	}
	a.cluster.StoreChanged(ctx)
	a.lifecycle.Changed()
	a.reload(ctx)
}

// edited is the configuration as administrators change it. Without the cluster
// database the defaults hold: what they would say of a change of a replicated item is
// beside the point, so it is refused before they are asked.
type edited struct {
	*config.Service
	a *appliance
}

func (c edited) Set(ctx context.Context, actor engine.Actor, base int64, changes []engine.Change) (config.Outcome, error) {
	if e := c.a.storeErr.Load(); e != nil {
		for _, change := range changes {
			if m, err := c.Registry().Lookup(change.Path); err == nil && m.Item.Scope == config.Replicated {
				return config.Outcome{}, e
			}
		}
	}
	return c.Service.Set(ctx, actor, base, changes)
}
