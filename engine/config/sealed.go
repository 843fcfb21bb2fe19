package config

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"hexad/engine"
)

// Sealer seals secrets with a key that every peer of the cluster has. A sealed
// value begins with "{cipher}" and opens for the same domain only.
type Sealer interface {
	// Errors: Unavailable when the key is not at hand.
	Seal(domain string, plain []byte) (string, error)
	Open(domain, sealed string) ([]byte, error)
}

// Sealed is a replicated store in which the secret items rest sealed: nobody
// who reads its rows, its history or its backup learns them. What was saved
// before it was sealed is read as it is. A secret that does not open is left
// out, as if it were not set, so that the rest of the configuration serves.
func Sealed(reg *Registry, store ReplicatedStore, by Sealer, log *slog.Logger) ReplicatedStore {
	s := &sealedStore{store: store, reg: reg, by: by, log: log, closed: map[string]string{}}
	if group, ok := store.(groupStore); ok {
		return sealedGroupStore{s, group}
	}
	return s
}

type sealedStore struct {
	store  ReplicatedStore
	reg    *Registry
	by     Sealer
	log    *slog.Logger
	mu     sync.Mutex
	closed map[string]string // sealed values that did not open, by path: each is logged once
}

func secretDomain(path string) string { return "item " + path }

func (s *sealedStore) Configuration(ctx context.Context) (engine.Configuration, error) {
	c, err := s.store.Configuration(ctx)
	if err != nil {
		return c, err
	}
	c.Items = maps.Clone(c.Items)
	s.unseal(c.Items)
	return c, nil
}

func (s *sealedStore) ConfigurationSince(ctx context.Context, generation string, revision int64) (engine.ConfigurationStep, bool, error) {
	following, ok := s.store.(followedStore)
	if !ok {
		return engine.ConfigurationStep{}, false, nil
	}
	step, ok, err := following.ConfigurationSince(ctx, generation, revision)
	step.Unset = append(step.Unset, s.unseal(step.Set)...)
	return step, ok, err
}

// unseal opens the secrets among items and returns the paths of those that did
// not open, which are left out.
func (s *sealedStore) unseal(items map[string]string) (closed []string) {
	for path, value := range items {
		if !sealed(value) || !s.reg.Secret(path) {
			continue
		}
		plain, err := s.by.Open(secretDomain(path), value)
		if err != nil {
			delete(items, path)
			closed = append(closed, path)
			s.tell(path, value, err)
			continue
		}
		items[path] = string(plain)
	}
	return closed
}

// tell logs a secret that does not open, once for each value.
func (s *sealedStore) tell(path, value string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed[path] != value {
		s.closed[path] = value
		s.log.Error("secret of the configuration not opened", "item", path, "error", err)
	}
}

func (s *sealedStore) SaveConfiguration(ctx context.Context, save engine.Save) (engine.Saved, error) {
	save, err := s.seal(save)
	if err != nil {
		return engine.Saved{}, err
	}
	return s.store.SaveConfiguration(ctx, save)
}

func (s *sealedStore) seal(save engine.Save) (engine.Save, error) {
	save.Changes = slices.Clone(save.Changes)
	for n := range save.Changes {
		if c := &save.Changes[n]; !c.Delete && c.Value != "" && s.reg.Secret(c.Path) {
			sealed, err := s.by.Seal(secretDomain(c.Path), []byte(c.Value))
			if err != nil {
				return save, err
			}
			c.Value = sealed
		}
	}
	return save, nil
}

// sealedGroupStore is a sealedStore over a store that writes groups.
type sealedGroupStore struct {
	*sealedStore
	group groupStore
}

func (s sealedGroupStore) SaveConfigurations(ctx context.Context, saves []engine.Save) ([]engine.Saved, error) {
	sealed := make([]engine.Save, len(saves))
	for n, save := range saves {
		var err error
		if sealed[n], err = s.seal(save); err != nil {
			return nil, err
		}
	}
	return s.group.SaveConfigurations(ctx, sealed)
}
