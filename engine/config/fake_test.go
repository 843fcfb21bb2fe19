package config_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

// stores are both databases and the clustering page of one peer, in memory.
// An error that is set is the answer to the next writes of its kind.
type stores struct {
	config     engine.Configuration
	own        map[string]string
	page       engine.Clustering
	saves      []engine.Save
	localSaves []engine.Save
	pages      int

	saveErr, localErr, pageErr error
}

func (s *stores) Configuration(context.Context) (engine.Configuration, error) {
	return engine.Configuration{Revision: s.config.Revision, Items: maps.Clone(s.config.Items)}, nil
}

func (s *stores) SaveConfiguration(_ context.Context, save engine.Save) (engine.Saved, error) {
	if s.saveErr != nil {
		return engine.Saved{}, s.saveErr
	}
	if save.Base != s.config.Revision {
		return engine.Saved{}, engine.Errorf(engine.Conflict, "the configuration changed since revision %d", save.Base)
	}
	s.config.Revision++
	apply(s.config.Items, save.Changes)
	s.saves = append(s.saves, save)
	return engine.Saved{Revision: s.config.Revision, Replication: engine.Replicated}, nil
}

func (s *stores) Items(context.Context) (map[string]string, error) { return maps.Clone(s.own), nil }

func (s *stores) SaveItems(_ context.Context, save engine.Save) error {
	if s.localErr != nil {
		return s.localErr
	}
	apply(s.own, save.Changes)
	s.localSaves = append(s.localSaves, save)
	return nil
}

func (s *stores) Entered() engine.Clustering {
	page := s.page
	page.Peers = slices.Clone(page.Peers)
	return page
}

func (s *stores) SaveClustering(_ context.Context, _ engine.Actor, page engine.Clustering) (engine.ClusteringSaved, error) {
	if s.pageErr != nil {
		return engine.ClusteringSaved{}, s.pageErr
	}
	s.page = page
	s.pages++
	return engine.ClusteringSaved{Entered: page, Restart: []string{"clustering"}}, nil
}

func apply(items map[string]string, changes []engine.Change) {
	for _, c := range changes {
		if c.Delete {
			delete(items, c.Path)
		} else {
			items[c.Path] = c.Value
		}
	}
}

var admin = engine.Actor{User: "admin", Via: "shell"}

// open makes a service over fresh stores, with the default entries when seeded.
func open(t testing.TB, seeded bool) (*config.Service, *stores) {
	t.Helper()
	reg := load(t)
	s := &stores{config: engine.Configuration{Items: map[string]string{}}, own: map[string]string{}, page: engine.Clustering{IPVersion: "IPv4"}}
	if seeded {
		apply(s.config.Items, reg.Defaults())
		s.config.Revision = 1
	}
	svc := config.New(reg, s, s, s, nil, slog.New(slog.DiscardHandler))
	if _, err := svc.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return svc, s
}

var errDisk = errors.New("disk full")

func set(path, value string) engine.Change { return engine.Change{Path: path, Value: value} }

// value reads one item, failing the test when it does not exist.
func value(t testing.TB, svc *config.Service, path string) string {
	t.Helper()
	v, _, err := svc.Current().Get(path)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
