package sqlstore

import (
	"context"
	dbsql "database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// mask stands for a secret wherever people look.
const mask = "********"

// secretByName knows secret items by their last word.
func secretByName(path string) bool {
	words := strings.Fields(path)
	if len(words) == 0 {
		return false
	}
	switch words[len(words)-1] {
	case "Password", "Secret", "Passphrase", "Key", "PrivateKey", "PrivPassword", "AuthPassword":
		return true
	}
	return false
}

// Items returns the peer-specific items that were set, by canonical path,
// secrets opened; without them while the key is lost. Errors: Unavailable with ErrKey.
func (l *Local) Items(ctx context.Context) (map[string]string, error) {
	return l.items(ctx, l.read)
}

func (l *Local) items(ctx context.Context, q querier) (map[string]string, error) {
	l.keys.RLock()
	defer l.keys.RUnlock()
	type item struct {
		path, value string
		secret      bool
	}
	rows, err := collect(ctx, q, "read the items of this peer", func(s scanner) (i item, err error) {
		return i, s.Scan(&i.path, &i.value, &i.secret)
	}, "SELECT path, value, secret FROM local_item")
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(rows))
	for _, i := range rows {
		if i.secret {
			if l.key.lost {
				continue
			}
			plain, err := l.open(itemDomain(i.path), i.value)
			if err != nil {
				return nil, err
			}
			i.value = string(plain)
		}
		out[i.path] = i.value
	}
	return out, nil
}

func itemDomain(path string) string { return "item " + path }

// SaveItems applies changes of peer-specific items, all or none, with a history
// row for each that changed something. It returns this peer's revision, which
// rises with every save that changed something.
//
// Errors: Invalid.
func (l *Local) SaveItems(ctx context.Context, changes []engine.Change, actor engine.Actor, at time.Time, comment string) (int64, error) {
	var revision int64
	err := l.write(ctx, "save the items of this peer", func(tx *dbsql.Tx) error {
		old, err := l.items(ctx, tx)
		if err != nil {
			return err
		}
		now := maps.Clone(old)
		for _, c := range changes {
			if strings.TrimSpace(c.Path) == "" {
				return engine.Errorf(engine.Invalid, "a change without a path")
			}
			if c.Delete {
				delete(now, c.Path)
			} else {
				now[c.Path] = c.Value
			}
		}
		if err := l.putItems(ctx, tx, old, now); err != nil {
			return err
		}
		if err := l.record(ctx, tx, old, now, actor, at, comment); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT value FROM local_revision").Scan(&revision)
	})
	return revision, err
}

// putItems writes the rows in which now differs from old.
func (l *Local) putItems(ctx context.Context, tx *dbsql.Tx, old, now map[string]string) error {
	for path := range old {
		if _, kept := now[path]; kept {
			continue
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM local_item WHERE path = ?", path); err != nil {
			return err
		}
	}
	for path, value := range now {
		if was, known := old[path]; known && was == value {
			continue
		}
		secret := l.options.Secret(path)
		if secret {
			sealed, err := l.seal(itemDomain(path), []byte(value))
			if err != nil {
				return err
			}
			value = sealed
		}
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO local_item VALUES (?, ?, ?)", path, value, secret); err != nil {
			return err
		}
	}
	return nil
}

// record raises the revision and writes the history rows of what differs
// between old and now; it does nothing when nothing does.
func (l *Local) record(ctx context.Context, tx *dbsql.Tx, old, now map[string]string, actor engine.Actor, at time.Time, comment string) error {
	all := maps.Clone(old)
	maps.Copy(all, now)
	paths := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(p string) bool {
		a, before := old[p]
		b, after := now[p]
		return a == b && before == after
	})
	if len(paths) == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "UPDATE local_revision SET value = value + 1"); err != nil {
		return err
	}
	for _, p := range paths {
		before, after := old[p], now[p]
		if l.options.Secret(p) {
			before, after = masked(before), masked(after)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO local_history (revision, at_ms, user, via, source, peer, path, old, new, comment)
			SELECT r.value, ?, ?, ?, ?, i.node, ?, ?, ?, ? FROM local_revision r, identity i`,
			millis(at), actor.User, actor.Via, actor.Source, p, before, after, comment); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM local_history WHERE id <= (SELECT max(id) FROM local_history) - ?", localHistoryLimit)
	return err
}

func masked(value string) string {
	if value == "" {
		return ""
	}
	return mask
}

// HistoryFilter chooses rows of the history; zero fields choose all. Path is an
// item or the beginning of several, in whole words. Before is an id: pages go
// from new to old. Limit 0 means 1,000.
type HistoryFilter struct {
	Path         string
	User         string
	Since, Until time.Time
	Before       int64
	Limit        int
}

// LocalHistoryEntry is a HistoryEntry with its place in the list.
type LocalHistoryEntry struct {
	ID int64
	engine.HistoryEntry
}

// History returns what was changed on this peer alone, newest first. Revision
// counts this peer's own saves.
func (l *Local) History(ctx context.Context, f HistoryFilter) ([]LocalHistoryEntry, error) {
	q := selection{}
	if f.Path != "" {
		q.where(`(path = ? OR substr(path, 1, length(?) + 1) = ? || ' ')`, f.Path, f.Path, f.Path)
	}
	q.equal("user", f.User)
	q.between("at_ms", f.Since, f.Until)
	q.before("id", f.Before)
	query, args := q.sql(`SELECT id, revision, at_ms, user, via, source, peer, path, old, new, comment FROM local_history`, "id", f.Limit)
	return collect(ctx, l.read, "read the history of this peer", func(s scanner) (e LocalHistoryEntry, err error) {
		var at int64
		err = s.Scan(&e.ID, &e.Revision, &at, &e.Actor.User, &e.Actor.Via, &e.Actor.Source, &e.Peer, &e.Path, &e.Old, &e.New, &e.Comment)
		e.Time = instant(at)
		return e, err
	}, query, args...)
}
