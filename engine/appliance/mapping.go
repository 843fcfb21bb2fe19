package appliance

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"

	"hexad/engine"
	"hexad/engine/host"
)

// stateMapping is, in local.db, the address mapping that was in effect last.
const stateMapping = "cluster.mapping"

// mapping is the address mapping that counts here.
//
// A member that starts has an older copy of the configuration until the group
// has confirmed what is in it, and it finds the group by the names that are
// mapped: DNS may lead elsewhere. So the mapping is kept beside the copy.
//
// Source: the seed, "Cluster address mapping"; reference 1.10.
type mapping struct {
	kept    atomic.Pointer[keptMapping]
	waiting atomic.Bool // that of the configuration is not known to be in effect
}

type keptMapping struct {
	Mode  bool
	Pairs []engine.Mapping
}

// openMapping reads what was kept at the end of the last run; it is in effect
// before anything on this peer looks for another one.
func (a *appliance) openMapping(ctx context.Context) {
	a.mapping.waiting.Store(true)
	text, err := a.local.State(ctx, stateMapping)
	var kept keptMapping
	if err == nil && text != "" {
		if err = json.Unmarshal([]byte(text), &kept); err == nil {
			a.mapping.kept.Store(&kept)
			a.resolver.Set(host.Names{Mapping: kept.Mode, Mappings: kept.Pairs})
		}
	}
	if err != nil {
		a.log.Warn("kept address mapping not read", "module", "resolver", "err", err)
	}
}

// mappings are those of the configuration, or those that were kept as long as
// this copy of it may be an old one. Connections ask, so it waits for nothing.
func (a *appliance) mappings() (bool, []engine.Mapping) {
	if kept := a.mapping.kept.Load(); kept != nil && !a.store.CaughtNow() {
		a.mapping.waiting.Store(true)
		return kept.Mode, kept.Pairs
	}
	return a.cluster.Mappings()
}

// settleMapping brings the mapping of the configuration into effect once the
// group has confirmed what this copy holds.
func (a *appliance) settleMapping() {
	if a.mapping.waiting.Load() && a.store.Status().Caught && a.mapping.waiting.Swap(false) {
		a.hostConfigured()
	}
}

// keepMapping writes the present mapping down for the next start.
func (a *appliance) keepMapping(ctx context.Context) {
	if !a.store.Status().Caught {
		return
	}
	now := keptMapping{}
	now.Mode, now.Pairs = a.cluster.Mappings()
	if was := a.mapping.kept.Load(); was != nil && was.Mode == now.Mode && slices.Equal(was.Pairs, now.Pairs) {
		return
	}
	text, err := json.Marshal(now)
	if err == nil {
		err = a.local.PutState(ctx, stateMapping, string(text))
	}
	if err != nil {
		a.log.Warn("address mapping not kept for the next start", "module", "resolver", "err", err)
		return
	}
	a.mapping.kept.Store(&now)
}
