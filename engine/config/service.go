package config

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"hexad/engine"
)

// ReplicatedStore keeps what must be equal on every peer.
type ReplicatedStore interface {
	// Configuration is this peer's own copy; it can be read with every other
	// peer gone.
	Configuration(ctx context.Context) (engine.Configuration, error)
	// SaveConfiguration writes all of save or nothing of it.
	// Errors: Conflict when the revision is not save.Base, Denied when this
	// peer is not the primary, Unavailable when it cannot be written now; the
	// same save may then be sent again.
	SaveConfiguration(ctx context.Context, save engine.Save) (engine.Saved, error)
}

// followedStore is a ReplicatedStore that can tell what changed: ok is false
// when everything has to be read instead.
type followedStore interface {
	ConfigurationSince(ctx context.Context, generation string, revision int64) (step engine.ConfigurationStep, ok bool, err error)
}

// LocalStore keeps what belongs to this peer. It works with every other peer gone.
type LocalStore interface {
	Items(ctx context.Context) (map[string]string, error)
	// SaveItems writes all of save or nothing of it; there is no revision.
	SaveItems(ctx context.Context, save engine.Save) error
}

// ClusteringPage is the clustering page of this peer.
type ClusteringPage interface {
	Entered() engine.Clustering
	// SaveClustering judges the page by the cluster's rules and saves it.
	SaveClustering(ctx context.Context, actor engine.Actor, page engine.Clustering) (engine.ClusteringSaved, error)
}

// Judge asks the cluster's policies about a configuration before it is saved:
// a finding of severity error refuses it.
type Judge func(ctx context.Context, next *View) ([]engine.Finding, error)

// Service reads and changes the configuration. It is safe for concurrent use.
type Service struct {
	reg        *Registry
	replicated ReplicatedStore
	local      LocalStore
	clustering ClusteringPage
	judge      Judge
	log        *slog.Logger
	current    present
	reloading  sync.Mutex // one Reload at a time, so that views never go back
	changing   sync.Mutex // one change at a time, so that each is judged on the last
	line       line       // of the changes that wait for that
	changed    chan struct{}
	untold     []engine.Change // since TakeChanged; guarded by reloading
}

// New makes a service over its stores. Its view is empty until the first
// Reload. judge may be nil.
func New(reg *Registry, replicated ReplicatedStore, local LocalStore, clustering ClusteringPage, judge Judge, log *slog.Logger) *Service {
	s := &Service{reg: reg, replicated: replicated, local: local, clustering: clustering, judge: judge, log: log, changed: make(chan struct{}, 1)}
	s.current.Store(newView(reg, nil, 0))
	return s
}

// Registry is the registry of the items.
func (s *Service) Registry() *Registry { return s.reg }

// Current is the present view. Take it once at the start of a request and use
// it to the end.
func (s *Service) Current() *View { return s.current.shown() }

// Reload reads the stores again and makes what they hold the present view, all
// at once; the old one serves until then, and on if the reading fails. It
// returns what changed, by path. It is called at the start, and when this
// peer's own items or its clustering page changed.
//
// Errors: Unavailable.
func (s *Service) Reload(ctx context.Context) ([]engine.Change, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return s.reload(ctx)
}

func (s *Service) reload(ctx context.Context) ([]engine.Change, error) {
	replicated, err := s.replicated.Configuration(ctx)
	if err != nil {
		return nil, unavailable("the replicated configuration cannot be read", err)
	}
	local, err := s.local.Items(ctx)
	if err != nil {
		return nil, unavailable("this peer's configuration cannot be read", err)
	}
	old := s.current.Load()
	next := newView(s.reg, old, replicated.Revision, replicated.Items, local, clusteringItems(s.clustering.Entered()))
	next.generation = replicated.Generation
	s.current.Store(next)
	changed := old.differences(next)
	if len(changed) > 0 {
		s.log.Debug("configuration reloaded", "revision", next.Revision, "changed", len(changed))
	}
	s.tell(changed)
	return changed, nil
}

// tell keeps changes for TakeChanged; s.reloading is held.
func (s *Service) tell(changed []engine.Change) {
	if len(changed) == 0 {
		return
	}
	s.untold = append(s.untold, changed...)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Changed ticks (coalesced) when there is something for TakeChanged.
func (s *Service) Changed() <-chan struct{} { return s.changed }

// TakeChanged returns everything that became different since it was last
// called, whoever changed or read it, in order; a path may be there twice.
func (s *Service) TakeChanged() []engine.Change {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	out := s.untold
	s.untold = nil
	return out
}

// Follow brings the present view to the present revision of cluster.db, and
// returns what changed, by path. It costs what changed, where Reload costs what
// there is: it is called when cluster.db's applied index moved. This peer's own
// items are not read.
//
// Errors: Unavailable.
func (s *Service) Follow(ctx context.Context) ([]engine.Change, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	view := s.current.Load()
	store, ok := s.replicated.(followedStore)
	if !ok || view.generation == "" {
		return s.reload(ctx)
	}
	step, ok, err := store.ConfigurationSince(ctx, view.generation, view.Revision)
	if err != nil {
		return nil, unavailable("the replicated configuration cannot be read", err)
	}
	if !ok {
		return s.reload(ctx)
	}
	if step.Revision == view.Revision {
		return nil, nil
	}
	next, changed := view.step(step)
	s.current.Store(next)
	s.tell(changed)
	return changed, nil
}

// unavailable keeps the code of an error that has one.
func unavailable(what string, err error) error {
	if code := engine.CodeOf(err); code != engine.Internal {
		return err
	}
	return &engine.Error{Code: engine.Unavailable, Message: what, Err: err}
}

func newSave(actor engine.Actor, base int64, changes []Checked, comment string) engine.Save {
	save := engine.Save{Operation: operation(), Base: base, Actor: actor, Time: time.Now().UTC().Truncate(time.Millisecond), Comment: comment}
	for _, c := range changes {
		save.Changes = append(save.Changes, engine.Change{Path: c.Path, Value: c.Value, Delete: c.unset})
	}
	return save
}

// operation is a random id: crypto/rand does not fail.
func operation() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: see crypto/rand
	return hex.EncodeToString(id[:])
}
