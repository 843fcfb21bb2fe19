package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"hexad/engine"
	"hexad/migrations"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

func TestMigrationsAreAppliedOnce(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2)
	for _, p := range g.Peers {
		for range 2 {
			done, err := p.Upkeep(t.Context())
			if err != nil || done.Version != len(migrations.Cluster()) || done.Applied != 0 || len(done.Waiting) != 0 {
				t.Errorf("%s: %+v %v, want all applied and nobody to wait for", p.Node, done, err)
			}
		}
	}
	g.Restart(g.Peers[0])
	if done, err := g.Peers[0].Upkeep(t.Context()); err != nil || done.Applied != 0 {
		t.Errorf("after a restart: %+v %v", done, err)
	}
}

func TestMigrationsWaitForEveryMember(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	if err := g.Peers[0].PutMember(t.Context(), sqlstoretest.Member(2)); err != nil {
		t.Fatal(err)
	}
	done, err := g.Peers[0].Upkeep(t.Context())
	if err != nil || !slices.Equal(done.Waiting, []string{"peer2.example.test"}) {
		t.Errorf("%+v %v, want to wait for the member that has said nothing", done, err)
	}
}

func TestUpkeepTellsTheRelease(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2, func(o *sqlstore.ClusterOptions) { o.Release = "2.0.0" })
	a, err := g.Peers[0].Agreed(t.Context())
	if err != nil || len(a.Members) != 2 || a.Members[0].Release != "2.0.0" || a.Members[1].Release != "2.0.0" {
		t.Errorf("members %+v %v, want the release that runs", a.Members, err)
	}
}

// A database that another release has changed is refused, not repaired.
func TestRefoundRefusesOtherForms(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	for name, change := range map[string]string{
		"newer":   "INSERT INTO schema_migration VALUES (9999, 'later', 'x', 0)",
		"altered": "UPDATE schema_migration SET checksum = 'x' WHERE version = 1",
	} {
		path := filepath.Join(t.TempDir(), "backup.sqlite")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(p.Backup(t.Context(), f), f.Close()); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec(change)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Refound(t.Context(), engine.Generation{Number: 2, ID: name}, sqlstore.Refounding{From: bytes.NewReader(content)})
		if engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), "another release") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// records keeps what is logged.
type records struct {
	mu  sync.Mutex
	all []slog.Record
}

func (*records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler     { return r }
func (r *records) WithGroup(string) slog.Handler          { return r }
func (r *records) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, rec)
	return nil
}

func (r *records) lines(level slog.Level, holds string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.all {
		rec.Attrs(func(a slog.Attr) bool {
			if rec.Level == level && rec.Message == "raft" && a.Key == "line" && strings.Contains(a.Value.String(), holds) {
				n++
			}
			return true
		})
	}
	return n
}

// What Raft has to say goes through slog; an unreachable peer is told of now
// and then, not at every try.
func TestRaftSpeaksThroughSlog(t *testing.T) {
	t.Parallel()
	var log records
	g := sqlstoretest.Start(t, 3, func(o *sqlstore.ClusterOptions) { o.Logger = slog.New(&log) })
	g.Board.Isolate("node3")
	const failed = "failed to heartbeat to"
	g.Until("the loss is told", func() error {
		if log.lines(slog.LevelWarn, failed) == 0 {
			return errors.New("nothing")
		}
		return nil
	})
	for i := range 20 {
		save(t, g.Peers[0], "Zones Zone 1 Name", fmt.Sprint(i))
	}
	if n := log.lines(slog.LevelWarn, failed); n > 3 { // one for each peer that led
		t.Errorf("%d lines about one lost peer", n)
	}
	if n := log.lines(slog.LevelDebug, "opening store"); n != 3 {
		t.Errorf("%d lines about opening a store, want 3", n)
	}
}
