package sqlstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// shots are the snapshots of a peer's store.
func shots(p *sqlstoretest.Peer) []string {
	found, _ := filepath.Glob(filepath.Join(p.Path(), "..", "rsnapshots", "*.db"))
	return found
}

// grow changes so much that a snapshot is due, and waits for it to be on disk.
func grow(t *testing.T, g *sqlstoretest.Group, p *sqlstoretest.Peer) {
	t.Helper()
	before := fmt.Sprint(shots(p))
	for i := range 6 {
		save(t, p, fmt.Sprintf("Zones Zone %d Name", i+1), before+strings.Repeat("x", 1<<20)) // another one each time
	}
	for _, q := range g.Peers {
		g.Until(q.Node+" has a snapshot that is known to be on disk", func() error {
			id := strings.TrimSuffix(filepath.Base(strings.Join(shots(q), " ")), ".db")
			seal, _ := os.ReadFile(filepath.Join(q.Path(), "..", "snapshot.sum"))
			if id == "" || before == fmt.Sprint(shots(p)) || !strings.Contains(string(seal), id) {
				return fmt.Errorf("snapshots %v, before %v, known %s", shots(q), before, seal)
			}
			return nil
		})
	}
}

// A snapshot is made when there is quiet, and the log and the write-ahead log
// are short again.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	grow(t, g, g.Peers[0])
	for _, p := range g.Peers {
		g.Until(p.Node+" has a short write-ahead log", func() error {
			if info, err := os.Stat(p.Path() + "-wal"); err == nil && info.Size() > 4<<20 {
				return fmt.Errorf("%d bytes", info.Size())
			}
			return nil
		})
	}
	for _, p := range g.Peers {
		g.Restart(p)
	}
	save(t, g.Peers[0], "Zones Zone 9 Name", "after")
	g.Equal()
}

// Whatever a power cut or a fault does to the snapshots of all peers at once: each makes a new
// one of its copy, and nothing is lost.
func TestSnapshotLost(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"gone": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "rsnapshots")) },
		"empty file": func(dir string) error {
			return each(filepath.Join(dir, "rsnapshots", "*.db"), func(path string) error { return os.Truncate(path, 0) })
		},
		"one bit": func(dir string) error {
			return each(filepath.Join(dir, "rsnapshots", "*.db"), func(path string) error {
				file, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				file[len(file)/2] ^= 4
				return os.WriteFile(path, file, 0o600)
			})
		},
		"never known to be on disk": func(dir string) error { return os.Remove(filepath.Join(dir, "snapshot.sum")) },
		"half made": func(dir string) error {
			return each(filepath.Join(dir, "rsnapshots", "*", "meta.json"), func(path string) error { return os.Truncate(path, 10) })
		},
	} {
		for _, n := range []int{1, 3} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				t.Parallel()
				g := sqlstoretest.Start(t, n)
				p := g.Peers[0]
				grow(t, g, p)
				save(t, p, "Zones Zone 9 Name", "newest")
				g.Equal()
				want, _ := p.Configuration(t.Context())
				var dirs []string
				for _, q := range g.Peers {
					dirs = append(dirs, filepath.Dir(q.Path()))
					q.Close()
				}
				for _, dir := range dirs {
					if err := spoil(dir); err != nil {
						t.Fatal(err)
					}
				}
				for _, q := range g.Peers {
					g.Reopen(q, g.Generation)
				}
				g.Until("the group leads itself", func() error {
					if g.Leader() == nil {
						return fmt.Errorf("no leader")
					}
					return nil
				})
				for _, q := range g.Peers {
					g.Until(q.Node+" has everything", func() error {
						got, err := q.Configuration(t.Context())
						if err != nil || got.Revision != want.Revision || len(got.Items) != len(want.Items) || got.Items["Zones Zone 9 Name"] != "newest" {
							return fmt.Errorf("revision %d of %d, %d items, %v", got.Revision, want.Revision, len(got.Items), err)
						}
						return nil
					})
				}
			})
		}
	}
}

// TestSnapshotBesideAnOlder: what a kill leaves between the newest snapshot and the
// removal of the one before is no damage, also when the newest was made of a copy.
func TestSnapshotBesideAnOlder(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	grow(t, g, p)
	dir := filepath.Dir(p.Path())
	for _, spoilt := range []bool{false, true, false} {
		before := strings.TrimSuffix(shots(p)[0], ".db")
		p.Close()
		for from, to := range map[string]string{before + ".db": "1-1-1.db", filepath.Join(before, "meta.json"): filepath.Join("1-1-1", "meta.json")} {
			to = filepath.Join(dir, "rsnapshots", to)
			text, err := os.ReadFile(from)
			if err = errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, bytes.Replace(text, []byte(filepath.Base(before)), []byte("1-1-1"), 1), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if spoilt {
			if err := os.Truncate(before+".db", 0); err != nil {
				t.Fatal(err)
			}
		}
		g.Reopen(p, g.Generation)
		g.Until("the peer leads itself", func() error {
			if g.Leader() == nil {
				return errors.New("no leader")
			}
			return nil
		})
		grow(t, g, p)
		g.Until("one snapshot is left", func() error {
			if left := shots(p); len(left) != 1 || strings.TrimSuffix(left[0], ".db") == before {
				return fmt.Errorf("%v", left)
			}
			return nil
		})
	}
}

func each(pattern string, do func(path string) error) error {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return fmt.Errorf("%s: %v, %v", pattern, found, err)
	}
	for _, path := range found {
		if err := do(path); err != nil {
			return err
		}
	}
	return nil
}

// Without a copy that the log leads on from, a lost snapshot is damage.
func TestSnapshotLostWithoutCopy(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	grow(t, g, p)
	dir := filepath.Dir(p.Path())
	generation := p.Generation()
	p.Close()
	copies, _ := filepath.Glob(filepath.Join(dir, "copy-*"))
	for _, path := range append(copies, filepath.Join(dir, "rsnapshots")) {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	again := sqlstore.NewCluster(sqlstore.ClusterOptions{Dir: p.Dir, Node: p.Node, Release: sqlstoretest.Release,
		Layer: func(gen engine.Generation) sqlstore.Layer { return g.Board.Layer(p.Node, gen) }})
	defer again.Close()
	if err := again.Open(t.Context(), generation); engine.CodeOf(err) != engine.Internal {
		t.Errorf("opened: %v", err)
	}
}
