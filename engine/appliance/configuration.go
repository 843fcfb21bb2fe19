package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
	"hexad/engine/cluster"
	"hexad/engine/config"
	"hexad/sqlstore"
)

// changes tells the console when anything that it shows may have changed.
type changes struct {
	mu sync.Mutex
	ch chan struct{}
}

// next is closed at the next change.
func (c *changes) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch == nil {
		c.ch = make(chan struct{})
	}
	return c.ch
}

func (c *changes) happened() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch != nil {
		close(c.ch)
		c.ch = nil
	}
}

// newCluster makes the configuration and the clustering, which ask each other.
func (a *appliance) newCluster() {
	secrets := config.Sealed(a.registry, replicated{a}, a.keys.ring, a.log.With("module", "configuration"))
	a.config = config.New(a.registry, secrets, localItems{a.local}, page{a}, a.judgeConfiguration, a.log.With("module", "configuration"))
	a.cluster = cluster.New(cluster.Options{
		Node: a.identity.now().Node, Release: a.o.Release, Pages: pages{a.local}, Store: a.store, Group: a.store, Refill: a.store, Digests: a.store, Link: a.peers,
		Rules: rules{a}, Config: clusterConfig{a}, Alarms: alarms{a}, Emit: a.journal.Emit, Log: a.log,
		Host: a.hostFacts, Names: a.resolver, Adopt: a.adopt, Generations: generations{a}, Recovery: a.link.RecoveryClient, Identity: a.identity.cluster, Restart: a.requestRestart,
		Certificate: a.certificateFor, LastChange: a.lastChange, ResetImage: func() bool { return haveResetImage(a.o.DataDir) }, KeepMembers: a.identity.founded, Departed: a.directory.departed,
		Remedy: remedy, Lines: a.lines, Lost: lostPeers{a},
	})
	a.procedures = a.newProcedures()
}

// lastChange is when the replicated configuration was changed last, as this
// copy has it; zero when it cannot be read.
func (a *appliance) lastChange(ctx context.Context) time.Time {
	if a.storeErr.Load() != nil {
		return time.Time{}
	}
	entries, err := a.store.History(ctx, sqlstore.RevisionFilter{Limit: 1})
	if err != nil || len(entries) == 0 {
		return time.Time{}
	}
	return entries[0].Time
}

// reload makes what the stores hold the present configuration; follow does
// after a change of cluster.db alone.
func (a *appliance) reload(ctx context.Context) { a.read(ctx, a.config.Reload) }
func (a *appliance) follow(ctx context.Context) { a.read(ctx, a.config.Follow) }

func (a *appliance) read(ctx context.Context, read func(context.Context) ([]engine.Change, error)) {
	if _, err := read(ctx); err != nil {
		a.log.Debug("configuration not reloaded", "module", "configuration", "err", err)
		return
	}
	a.changes.happened()
}

// followAtMost is how long after a change the next is followed at the
// earliest: changes that come faster are followed together.
const followAtMost = 10 * time.Millisecond

// followConfiguration brings each change into effect on this machine, whoever
// made it, until ctx ends.
func (a *appliance) followConfiguration(ctx context.Context) error {
	for {
		a.configured(ctx)
		if !pause(ctx, followAtMost) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.config.Changed():
		}
	}
}

// configured lets everybody who follows the configuration know what changed.
func (a *appliance) configured(ctx context.Context) {
	changed := a.config.TakeChanged()
	if len(changed) == 0 {
		return
	}
	if slices.ContainsFunc(changed, func(c engine.Change) bool { return hostItem(c.Path) }) {
		a.hostConfigured()
	}
	a.awaitRestart(ctx, changed)
	a.followMaintenance(ctx)
	a.cluster.ConfigurationChanged(ctx, changed)
	a.writeChanges(ctx)
}

// restartItems are this peer's own items that were changed since the start and
// take effect with a restart. running is the configuration that is in effect.
type restartItems struct {
	running *config.View
	changed map[string]int // path to the alarm that holds until then
}

// beginRestartItems takes the present configuration as the one in effect.
func (a *appliance) beginRestartItems(ctx context.Context) {
	a.pending = restartItems{running: a.config.Current(), changed: map[string]int{}}
	a.tracker.Settle(ctx, a.registry.RestartAlarms())
}

// awaitRestart raises "Restart required" for items whose value is not the one in
// effect, and lowers it when they have that again. The clustering page has its own.
func (a *appliance) awaitRestart(ctx context.Context, changed []engine.Change) {
	r := a.pending
	if r.running == nil {
		return
	}
	for _, c := range changed {
		if m, err := a.registry.Lookup(c.Path); err == nil && m.Item.Scope == config.PeerSpecific {
			if _, alarms := a.registry.Restart([]engine.Change{c}); len(alarms) > 0 {
				r.changed[c.Path] = alarms[0]
			}
		}
	}
	now, raised := a.config.Current(), map[int]bool{}
	var conditions []alarm.Condition
	for path, id := range r.changed {
		was, _, err := r.running.Get(path)
		is, _, err2 := now.Get(path)
		if err == nil && err2 == nil && was != is && !raised[id] {
			raised[id] = true
			conditions = append(conditions, alarm.Condition{ID: id})
		}
	}
	a.tracker.Reconcile(ctx, "items", conditions)
}

// hostItem reports whether an item concerns names and time on this machine.
func hostItem(path string) bool {
	for _, area := range []string{"DNS ", "NTP ", "IP DNS ", "ClusterConfiguration "} {
		if strings.HasPrefix(path, area) {
			return true
		}
	}
	return false
}

// writeChanges writes the lines of each revision that this peer has not told
// of yet. A TLS mode has lines of its own.
func (a *appliance) writeChanges(ctx context.Context) {
	now := a.config.Current().Revision
	last := a.revision.Swap(now)
	if last == 0 || now <= last {
		return
	}
	entries, err := a.store.History(ctx, sqlstore.RevisionFilter{After: last})
	if err != nil {
		a.log.Debug("history not read", "module", "configuration", "err", err)
		return
	}
	node := a.identity.now().Node
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		if e.Path == cluster.ItemTLS {
			continue
		}
		if e.Peer == node {
			a.emit(a.lines.Saved([]engine.HistoryEntry{e}))
			continue
		}
		a.emit(a.lines.Followed([]engine.HistoryEntry{e}))
	}
}

func (a *appliance) emit(events []engine.Event) {
	for _, e := range events {
		a.journal.Emit(e)
	}
}

// seed gives a system of its own the default configuration once.
func (a *appliance) seed(ctx context.Context) error {
	agreed, err := a.store.Agreed(ctx)
	if err != nil || agreed.Revision != 0 || agreed.Primary != a.identity.now().Node {
		return err
	}
	save, err := a.config.Seed()
	if err != nil {
		return err
	}
	_, err = a.store.SaveConfiguration(ctx, save) // no secrets among the defaults
	return err
}

// judgeConfiguration asks the rules of clustering about an edit that concerns them.
func (a *appliance) judgeConfiguration(ctx context.Context, next *config.View) ([]engine.Finding, error) {
	value := func(path string) string {
		v, _, err := next.Get(path)
		if err != nil {
			return ""
		}
		return v
	}
	return a.cluster.JudgeItems(ctx, engine.TLSMode(value(cluster.ItemTLS)), value(cluster.ItemH323)), nil
}

// replicated is cluster.db as the configuration keeps its items there.
type replicated struct{ a *appliance }

func (r replicated) Configuration(ctx context.Context) (engine.Configuration, error) {
	if r.a.storeErr.Load() != nil {
		return engine.Configuration{}, nil // without the database the defaults hold
	}
	return r.a.store.Configuration(ctx)
}

func (r replicated) ConfigurationSince(ctx context.Context, generation string, revision int64) (engine.ConfigurationStep, bool, error) {
	if r.a.storeErr.Load() != nil {
		return engine.ConfigurationStep{}, false, nil
	}
	return r.a.store.ConfigurationSince(ctx, generation, revision)
}

// mayEdit refuses at once what cannot be saved here now.
func (a *appliance) mayEdit() error {
	if e := a.storeErr.Load(); e != nil {
		return e
	}
	return a.cluster.MayEdit()
}

func (r replicated) SaveConfigurations(ctx context.Context, saves []engine.Save) ([]engine.Saved, error) {
	if err := r.a.mayEdit(); err != nil {
		return nil, err
	}
	saved, err := r.a.store.SaveConfigurations(ctx, saves)
	r.a.wrote(err)
	return saved, err
}

func (r replicated) SaveConfiguration(ctx context.Context, s engine.Save) (engine.Saved, error) {
	if err := r.a.mayEdit(); err != nil {
		return engine.Saved{}, err
	}
	saved, err := r.a.store.SaveConfiguration(ctx, s)
	r.a.wrote(err)
	return saved, err
}

// localItems is local.db as the configuration keeps this peer's own items there.
type localItems struct{ *sqlstore.Local }

func (l localItems) SaveItems(ctx context.Context, s engine.Save) error {
	_, err := l.Local.SaveItems(ctx, s.Changes, s.Actor, s.Time, s.Comment)
	return err
}

// page is the clustering page as the configuration edits it.
type page struct{ a *appliance }

func (p page) Entered() engine.Clustering { return p.a.cluster.Entered() }

func (p page) SaveClustering(ctx context.Context, actor engine.Actor, c engine.Clustering) (engine.ClusteringSaved, error) {
	return p.a.cluster.Save(ctx, actor, c)
}

// clusterConfig is the little of the configuration that clustering needs.
type clusterConfig struct{ a *appliance }

func (c clusterConfig) Get(path string) string {
	v, _, err := c.a.config.Current().Get(path)
	if err != nil {
		return ""
	}
	return v
}

func (c clusterConfig) Revision() int64 { return c.a.config.Current().Revision }

func (c clusterConfig) Neighbours() []engine.NeighbourRecord {
	return c.a.config.Current().Neighbours()
}

func (c clusterConfig) SetReplicated(ctx context.Context, actor engine.Actor, items []engine.Change) (engine.Saved, error) {
	out, err := c.a.config.Set(ctx, actor, 0, items)
	if err != nil || out.Saved == nil {
		return engine.Saved{}, err
	}
	return *out.Saved, nil
}

// pages keeps the clustering page in local.db.
type pages struct{ local *sqlstore.Local }

func (p pages) Page(ctx context.Context) (cluster.Page, error) {
	stored, err := p.local.Page(ctx)
	out := cluster.Page{Entered: stored.Entered, Running: stored.Running, SavedAt: stored.SavedAt, Reset: stored.Reset}
	if err != nil {
		return out, err
	}
	text, err := p.local.State(ctx, stateLeaving)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &out.Leaving)
	}
	return out, err
}

// stateLeaving is, in local.db, who was taken off the list and may be a member
// still. It is written before the page: whoever is on both stays.
const stateLeaving = "cluster.leaving"

func (p pages) PutPage(ctx context.Context, c cluster.Page) error {
	stored, err := p.local.Page(ctx)
	if err != nil {
		return err
	}
	leaving := ""
	if len(c.Leaving) > 0 {
		text, err := json.Marshal(c.Leaving)
		if err != nil {
			return err
		}
		leaving = string(text)
	}
	if before, err := p.local.State(ctx, stateLeaving); err != nil || before != leaving {
		if err := errors.Join(err, p.local.PutState(ctx, stateLeaving, leaving)); err != nil {
			return err
		}
	}
	stored.Entered, stored.Running, stored.SavedAt, stored.Reset = c.Entered, c.Running, c.SavedAt, c.Reset
	return p.local.PutPage(ctx, stored)
}
