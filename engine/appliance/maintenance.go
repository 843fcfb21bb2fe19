package appliance

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"hexad/engine"
	"hexad/engine/event"
)

// itemMaintenance is the item that takes this peer out of service.
const itemMaintenance = "SystemUnit Maintenance Mode"

const alarmMaintenance = 15015

// maintenance says whether this peer takes new work. Source: reference 2.18.
type maintenance struct{ on atomic.Bool }

// Admit asks whether a new call or registration may begin here: whoever starts
// one asks this, and nothing else. Those that are there run on.
//
// Errors: Unavailable.
func (m *maintenance) Admit() error {
	if !m.on.Load() {
		return nil
	}
	return engine.Errorf(engine.Unavailable, "this peer is in maintenance mode and takes no new calls or registrations").
		With(itemMaintenance, "use another peer of the cluster, or switch maintenance mode off")
}

// endMaintenance switches the mode off: it never outlives a restart.
func (a *appliance) endMaintenance(ctx context.Context) error {
	items, err := a.local.Items(ctx)
	if err != nil || items[itemMaintenance] != "On" {
		return err
	}
	actor := engine.Actor{User: "system", Via: "start"}
	off := []engine.Change{{Path: itemMaintenance, Value: "Off"}}
	if _, err := a.local.SaveItems(ctx, off, actor, time.Now(), "a restart ends maintenance mode"); err != nil {
		return fmt.Errorf("end maintenance mode: %w", err)
	}
	a.journal.Emit(event.By(actor, "System Configuration Changed", "maintenance mode ended by a restart"))
	return nil
}

// followMaintenance brings the item into effect.
func (a *appliance) followMaintenance(ctx context.Context) {
	on := (clusterConfig{a}).Get(itemMaintenance) == "On"
	if a.maintenance.on.Swap(on) == on {
		return
	}
	if on {
		a.tracker.Raise(ctx, alarmMaintenance, "", nil)
	} else {
		a.tracker.Lower(ctx, alarmMaintenance, "")
	}
	a.changes.happened()
}
