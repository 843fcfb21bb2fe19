package sqlstore

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hexad/engine"
)

// Page is the clustering page of this peer, with what its changes set in motion.
//
// SavedAt is when Entered was last saved; CreatedAt when the cluster got its
// name here, zero without one. Restart lists why a restart is pending.
type Page struct {
	Entered   engine.Clustering
	Running   engine.Clustering
	SavedAt   time.Time
	CreatedAt time.Time
	Reset     *engine.Reset
	Restart   []string
}

// Page returns the clustering page.
func (l *Local) Page(ctx context.Context) (Page, error) {
	tx, err := l.read.BeginTx(ctx, &dbsql.TxOptions{ReadOnly: true}) // one moment for all tables
	if err != nil {
		return Page{}, sqliteError(readPage, err)
	}
	defer tx.Rollback()
	return pageOf(ctx, tx)
}

const readPage, storePage = "read the clustering page", "store the clustering page"

func pageOf(ctx context.Context, q querier) (Page, error) {
	var p Page
	type row struct {
		kind           string
		page           engine.Clustering
		saved, created int64
	}
	rows, err := collect(ctx, q, readPage, func(s scanner) (r row, err error) {
		var peers string
		if err := s.Scan(&r.kind, &r.page.Name, &r.page.Primary, &r.page.IPVersion, &r.page.TLSMode, &peers, &r.saved, &r.created); err != nil {
			return r, err
		}
		return r, json.Unmarshal([]byte(peers), &r.page.Peers)
	}, "SELECT kind, name, primary_index, ip_version, tls_mode, peers, saved_ms, created_ms FROM clustering")
	if err != nil {
		return p, err
	}
	for _, r := range rows {
		if r.kind == "running" {
			p.Running = r.page
			continue
		}
		p.Entered, p.SavedAt, p.CreatedAt = r.page, instant(r.saved), instant(r.created)
	}
	if p.Reset, err = resetOf(ctx, q); err != nil {
		return p, err
	}
	p.Restart, err = collect(ctx, q, readPage, func(s scanner) (reason string, err error) { return reason, s.Scan(&reason) },
		"SELECT reason FROM restart_reason ORDER BY ord")
	return p, err
}

// PutPage replaces the whole page in one transaction: a crash leaves either the
// old entries without the armed reset, or the new ones with it.
//
// Errors: Invalid.
func (l *Local) PutPage(ctx context.Context, p Page) error {
	if err := errors.Join(validPage(p.Entered), validPage(p.Running)); err != nil {
		return err
	}
	return l.write(ctx, storePage, func(tx *dbsql.Tx) error { return putPage(ctx, tx, p) })
}

func putPage(ctx context.Context, tx *dbsql.Tx, p Page) error {
	if err := putClustering(ctx, tx, "entered", p.Entered, p.SavedAt, p.CreatedAt); err != nil {
		return err
	}
	if err := putClustering(ctx, tx, "running", p.Running, p.SavedAt, p.CreatedAt); err != nil {
		return err
	}
	if err := putReset(ctx, tx, p.Reset); err != nil {
		return err
	}
	return putRestart(ctx, tx, p.Restart)
}

// validPage keeps what the type promises; the rules are elsewhere.
func validPage(c engine.Clustering) error {
	if len(c.Peers) > engine.MaxPeers {
		return engine.Errorf(engine.Invalid, "%d peer addresses: a cluster has at most %d peers", len(c.Peers), engine.MaxPeers)
	}
	return nil
}

func putClustering(ctx context.Context, tx *dbsql.Tx, kind string, c engine.Clustering, saved, created time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE clustering SET name = ?, primary_index = ?, ip_version = ?, tls_mode = ?, peers = ?,
		saved_ms = ?, created_ms = ? WHERE kind = ?`,
		c.Name, c.Primary, c.IPVersion, c.TLSMode, listText(c.Peers), millis(saved), millis(created), kind)
	return err
}

// Entered returns the page as saved, and when.
func (l *Local) Entered(ctx context.Context) (engine.Clustering, time.Time, error) {
	p, err := l.Page(ctx)
	return p.Entered, p.SavedAt, err
}

// PutEntered stores the page as saved by actor at a moment, with a history row
// for each field that changed. Errors: Invalid.
func (l *Local) PutEntered(ctx context.Context, c engine.Clustering, actor engine.Actor, at time.Time) error {
	if err := validPage(c); err != nil {
		return err
	}
	return l.write(ctx, storePage, func(tx *dbsql.Tx) error {
		p, err := pageOf(ctx, tx)
		if err != nil {
			return err
		}
		created := p.CreatedAt
		if c.Name == "" {
			created = time.Time{}
		} else if p.Entered.Name != c.Name {
			created = at
		}
		if err := putClustering(ctx, tx, "entered", c, at, created); err != nil {
			return err
		}
		return l.record(ctx, tx, pageItems(p.Entered), pageItems(c), actor, at, "")
	})
}

// Running returns the page as in effect since the last restart.
func (l *Local) Running(ctx context.Context) (engine.Clustering, error) {
	p, err := l.Page(ctx)
	return p.Running, err
}

// PutRunning stores the page as in effect. Errors: Invalid.
func (l *Local) PutRunning(ctx context.Context, c engine.Clustering, at time.Time) error {
	if err := validPage(c); err != nil {
		return err
	}
	return l.write(ctx, storePage, func(tx *dbsql.Tx) error { return putClustering(ctx, tx, "running", c, at, at) })
}

// pageItems is the page in the paths that administrators know. Source: reference 5.2.
func pageItems(c engine.Clustering) map[string]string {
	items := map[string]string{
		"Alternates Cluster Name": c.Name, "Alternates ConfigurationPrimary": fmt.Sprint(c.Primary),
		"Alternates IPVersion": c.IPVersion, "Alternates TLSMode": string(c.TLSMode),
	}
	for i := range engine.MaxPeers {
		address := ""
		if i < len(c.Peers) {
			address = c.Peers[i]
		}
		items[fmt.Sprintf("Alternates Peer %d Address", i+1)] = address
	}
	return items
}

// ArmedReset returns the armed factory reset, nil when none is armed.
func (l *Local) ArmedReset(ctx context.Context) (*engine.Reset, error) { return resetOf(ctx, l.read) }

// PutReset arms a factory reset for the next restart.
func (l *Local) PutReset(ctx context.Context, r engine.Reset) error {
	return l.write(ctx, "arm the factory reset", func(tx *dbsql.Tx) error { return putReset(ctx, tx, &r) })
}

// ClearReset disarms it.
func (l *Local) ClearReset(ctx context.Context) error {
	return l.exec(ctx, "disarm the factory reset", "DELETE FROM reset")
}

func resetOf(ctx context.Context, q querier) (*engine.Reset, error) {
	found, err := collect(ctx, q, "read the factory reset", func(s scanner) (r engine.Reset, err error) {
		var since int64
		var from, keep string
		if err := s.Scan(&since, &from, &keep, &r.Banner.EN, &r.Banner.JA, &r.Blocked); err != nil {
			return r, err
		}
		r.Since = instant(since)
		return r, errors.Join(json.Unmarshal([]byte(from), &r.From), json.Unmarshal([]byte(keep), &r.Keep))
	}, "SELECT since_ms, armed_from, keep, banner_en, banner_ja, blocked FROM reset")
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func putReset(ctx context.Context, tx *dbsql.Tx, r *engine.Reset) error {
	if r == nil {
		_, err := tx.ExecContext(ctx, "DELETE FROM reset")
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO reset VALUES (1, ?, ?, ?, ?, ?, ?)", millis(r.Since),
		listText(r.From), listText(r.Keep), r.Banner.EN, r.Banner.JA, r.Blocked)
	return err
}

// RestartReasons returns why a restart is pending, in the order in which the
// reasons arose.
func (l *Local) RestartReasons(ctx context.Context) ([]string, error) {
	p, err := l.Page(ctx)
	return p.Restart, err
}

// PutRestartReasons replaces them; none means that no restart is pending.
func (l *Local) PutRestartReasons(ctx context.Context, reasons []string) error {
	return l.write(ctx, "store why a restart is pending", func(tx *dbsql.Tx) error { return putRestart(ctx, tx, reasons) })
}

func putRestart(ctx context.Context, tx *dbsql.Tx, reasons []string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM restart_reason WHERE reason NOT IN (SELECT value FROM json_each(?))",
		listText(reasons)); err != nil {
		return err
	}
	for _, r := range reasons {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO restart_reason (reason, since_ms) VALUES (?, ?)", r, time.Now().UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}
