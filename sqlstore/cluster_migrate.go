package sqlstore

import (
	"context"
	"database/sql"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hexad/engine"
	"hexad/migrations"
)

// knownMigrations is the newest migration of cluster.db that this release has.
func knownMigrations() int { return len(migrations.Cluster()) }

// Upkept is what Upkeep found to do.
type Upkept struct {
	Version int      // of the schema now
	Applied int      // migrations applied by this call
	Waiting []string // addresses of members whose release does not know the next migration yet
}

// Upkeep lets the members know this peer's release and, on the configuration
// primary, applies the migrations that all of them know. Call it after start
// and now and then, and when the copy has changed; it does nothing when there
// is nothing to do.
//
// Errors: Unavailable; with ErrNewer when the database has a form that this
// release does not know; Internal when a migration was changed after it was applied.
func (c *Cluster) Upkeep(ctx context.Context) (Upkept, error) {
	done, members, primary, err := c.upkeepState(ctx)
	if err != nil {
		return Upkept{}, err
	}
	out := Upkept{Version: len(done)}
	if err := compareSteps(done); err != nil {
		return out, err
	}
	if err := c.announce(ctx, members); err != nil {
		return out, err
	}
	known := knownMigrations()
	for _, m := range members {
		if m.node != c.o.Node && m.known < known {
			known = min(known, max(m.known, len(done)))
			out.Waiting = append(out.Waiting, m.address)
		}
	}
	s, err := c.current()
	if err != nil || primary != c.o.Node || !s.store.IsLeader() || known <= len(done) {
		return out, err
	}
	for _, step := range migrations.Cluster()[len(done):known] {
		if err := s.step(ctx, step); err != nil {
			return out, err
		}
		out.Version, out.Applied = step.Version, out.Applied+1
	}
	return out, nil
}

type memberState struct {
	node, address, release string
	known                  int
}

func (c *Cluster) upkeepState(ctx context.Context) (done []migrations.Migration, members []memberState, primary string, err error) {
	rows, err := c.query(ctx,
		stmt("SELECT version, name, checksum FROM schema_migration ORDER BY version"),
		stmt("SELECT node, address, release, known FROM member ORDER BY node"),
		stmt("SELECT primary_node FROM agreed"))
	if err != nil {
		return nil, nil, "", err
	}
	for r := range each(rows[0]) {
		done = append(done, migrations.Migration{Version: int(r.int()), Name: r.text(), Checksum: r.text()})
	}
	for r := range each(rows[1]) {
		members = append(members, memberState{node: r.text(), address: r.text(), release: r.text(), known: int(r.int())})
	}
	for r := range each(rows[2]) {
		primary = r.text()
	}
	return done, members, primary, nil
}

// announce corrects this peer's own row when another release runs here than
// the one it tells of.
func (c *Cluster) announce(ctx context.Context, members []memberState) error {
	known := knownMigrations()
	stale := func(m memberState) bool {
		return m.node == c.o.Node && (m.known != known || m.release != c.o.Release)
	}
	if !slices.ContainsFunc(members, stale) {
		return nil
	}
	_, err := c.apply(ctx, newBatch(stmt("UPDATE member SET release = ?, known = ? WHERE node = ?",
		c.o.Release, int64(known), c.o.Node)))
	return err
}

// compareSteps refuses a database that went another way than this release.
func compareSteps(done []migrations.Migration) error {
	steps := migrations.Cluster()
	for i, d := range done {
		if i >= len(steps) {
			return &engine.Error{
				Code:    engine.Unavailable,
				Message: "the cluster database has the form of a newer release",
				Remedy:  "upgrade this peer", Err: ErrNewer,
			}
		}
		if d.Version != steps[i].Version || d.Checksum != steps[i].Checksum {
			return engine.Errorf(engine.Internal, "step %d (%s) of the cluster database is not the one of this release", d.Version, d.Name).
				With("", "start the release that the other peers run")
		}
	}
	return nil
}

// migrate applies every migration that is missing; for groups of one.
func (s *raftStore) migrate(ctx context.Context) error {
	var done []migrations.Migration
	rows, err := s.query(stmt("SELECT version, name, checksum FROM schema_migration ORDER BY version"))
	switch {
	case err == nil:
		for r := range each(rows[0]) {
			done = append(done, migrations.Migration{Version: int(r.int()), Name: r.text(), Checksum: r.text()})
		}
	case engine.CodeOf(err) != engine.Unavailable: // Unavailable: no such table yet
		return err
	}
	if err := compareSteps(done); err != nil {
		return err
	}
	for _, step := range migrations.Cluster()[len(done):] {
		if err := s.step(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// step applies one migration in one transaction. Another peer having done so
// meanwhile is no error.
func (s *raftStore) step(ctx context.Context, m migrations.Migration) error {
	a, err := s.transact(ctx, []statement{
		stmt(m.SQL),
		stmt("INSERT INTO schema_migration (version, name, checksum, at_ms) VALUES (?, ?, ?, ?)",
			int64(m.Version), m.Name, m.Checksum, time.Now().UnixMilli()),
	})
	if err != nil {
		return &engine.Error{Code: engine.Unavailable, Message: "migration " + m.Name + " of the cluster database could not be applied: " + err.Error(), Err: err}
	}
	if a.Outcome != applied && !strings.HasSuffix(a.Message, "UNIQUE constraint failed: schema_migration.version") &&
		!strings.HasSuffix(a.Message, "already exists") {
		return statementError(a.Message)
	}
	return nil
}

// checkDatabase refuses a file that is no sound cluster.db of this release or
// an older one.
func checkDatabase(ctx context.Context, path string) error {
	db, err := openFile(path)
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil || verdict != "ok" {
		return unusable("it is damaged or no database", err)
	}
	return checkForm(ctx, path)
}

// openFile opens a database file that nobody changes.
func openFile(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", fileURI(path)+"?mode=ro&immutable=1")
	return db, sqliteError("examine the database file", err)
}

func unusable(why string, err error) error {
	return &engine.Error{Code: engine.Invalid, Message: "the file holds no usable cluster database: " + why, Err: err}
}

// checkForm is checkDatabase for a file whose structure is known to be sound.
func checkForm(ctx context.Context, path string) error {
	db, err := openFile(path)
	if err != nil {
		return err
	}
	defer db.Close()
	var agreed int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM agreed").Scan(&agreed); err != nil || agreed != 1 {
		return unusable("it belongs to no cluster", err)
	}
	rows, err := db.QueryContext(ctx, "SELECT version, name, checksum FROM schema_migration ORDER BY version")
	if err != nil {
		return unusable("its form is not recorded", err)
	}
	defer rows.Close()
	var done []migrations.Migration
	for rows.Next() {
		var m migrations.Migration
		if err := rows.Scan(&m.Version, &m.Name, &m.Checksum); err != nil {
			return unusable("its form cannot be read", err)
		}
		done = append(done, m)
	}
	if err := rows.Err(); err != nil {
		return unusable("its form cannot be read", err)
	}
	if err := compareSteps(done); err != nil {
		return unusable("it has the form of another release", err)
	}
	return nil
}

// syncTree puts everything on the file system of dir on disk: rqlite renames
// snapshots into place without a sync.
func syncTree(dir string) error {
	if !synced {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fileError("sync the cluster database", err)
	}
	defer d.Close()
	return fileError("sync the cluster database", unix.Syncfs(int(d.Fd())))
}
