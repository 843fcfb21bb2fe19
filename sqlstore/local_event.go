package sqlstore

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"slices"
	"time"

	"hexad/engine"
)

// JournalEvent is an event with its place in the journal; ids rise without gaps.
type JournalEvent struct {
	ID int64
	engine.Event
}

// EventFilter chooses events; zero fields choose all. Text is looked for in
// name, detail and fields without regard to ASCII case. BeforeID pages from new
// to old, AfterID follows the journal. Limit 0 means 1,000.
type EventFilter struct {
	Since, Until time.Time // Since <= time < Until
	Kind         string
	Module       string
	Level        string
	Text         string
	Limit        int
	BeforeID     int64
	AfterID      int64
}

// AppendEvents writes a batch in one transaction and drops the oldest rows
// beyond the journal's limit. A power cut may lose the last batches.
func (l *Local) AppendEvents(ctx context.Context, events []engine.Event) error {
	if len(events) == 0 {
		return nil
	}
	return l.note(ctx, "write the event journal", func(tx *dbsql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO event (at_ms, kind, process, module, name, level, detail, code, fields)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, e := range events {
			if _, err := insert.ExecContext(ctx, millis(e.Time), e.Kind, e.Process, e.Module, e.Name, e.Level, e.Detail, e.Code,
				fieldsText(e.Fields)); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?", l.options.EventLimit)
		return err
	})
}

// Events returns events, newest first.
func (l *Local) Events(ctx context.Context, f EventFilter) ([]JournalEvent, error) {
	q := selection{}
	q.between("at_ms", f.Since, f.Until)
	q.equal("kind", f.Kind)
	q.equal("module", f.Module)
	q.equal("level", f.Level)
	q.contains(f.Text, "name", "detail", "fields")
	q.before("id", f.BeforeID)
	if f.AfterID > 0 {
		q.where("id > ?", f.AfterID)
	}
	query, args := q.sql("SELECT id, at_ms, kind, process, module, name, level, detail, code, fields FROM event", "id", f.Limit)
	return collect(ctx, l.read, "read the event journal", func(s scanner) (e JournalEvent, err error) {
		var at int64
		var fields string
		if err := s.Scan(&e.ID, &at, &e.Kind, &e.Process, &e.Module, &e.Name, &e.Level, &e.Detail, &e.Code, &fields); err != nil {
			return e, err
		}
		e.Time = instant(at)
		e.Fields, err = parseFields(fields)
		return e, err
	}, query, args...)
}

// fieldsText keeps the order of the fields and equal names.
func fieldsText(fields []engine.Field) string {
	pairs := make([][2]string, 0, len(fields))
	for _, f := range fields {
		pairs = append(pairs, [2]string{f.Name, f.Value})
	}
	return jsonText(pairs)
}

func parseFields(text string) ([]engine.Field, error) {
	var pairs [][2]string
	err := json.Unmarshal([]byte(text), &pairs)
	var out []engine.Field
	for _, p := range pairs {
		out = append(out, engine.Field{Name: p[0], Value: p[1]})
	}
	return out, err
}

// HeardFacts is what another peer last said of itself, and when.
type HeardFacts struct {
	Facts engine.Facts
	Heard time.Time
}

// PutFacts keeps the last facts heard of a peer. Texts of option keys are left
// out: they are secret outside of the peer that has them. A power cut may undo it.
//
// Errors: Invalid.
func (l *Local) PutFacts(ctx context.Context, f engine.Facts, heard time.Time) error {
	if f.Node == "" {
		return engine.Errorf(engine.Invalid, "facts without a node id")
	}
	f.Keys = slices.Clone(f.Keys)
	for i := range f.Keys {
		f.Keys[i].Text = ""
	}
	text, err := json.Marshal(f)
	if err != nil {
		return engine.Errorf(engine.Invalid, "facts of %s: %w", f.Node, err)
	}
	return l.note(ctx, "keep the facts of a peer", func(tx *dbsql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", f.Node, string(text), millis(heard))
		return err
	})
}

// Facts returns the last facts heard, by node id.
func (l *Local) Facts(ctx context.Context) ([]HeardFacts, error) {
	return collect(ctx, l.read, "read the facts of the peers", func(s scanner) (h HeardFacts, err error) {
		var text string
		var heard int64
		if err := s.Scan(&text, &heard); err != nil {
			return h, err
		}
		h.Heard = instant(heard)
		return h, json.Unmarshal([]byte(text), &h.Facts)
	}, "SELECT facts, heard_ms FROM fact ORDER BY node")
}

// DeleteFacts forgets a peer; one that is not there is no error.
func (l *Local) DeleteFacts(ctx context.Context, node string) error {
	return l.exec(ctx, "forget the facts of a peer", "DELETE FROM fact WHERE node = ?", node)
}
