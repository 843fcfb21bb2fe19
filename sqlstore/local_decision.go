package sqlstore

import (
	"context"
	dbsql "database/sql"
	"time"
)

// Bounds of the record of decisions: the oldest go first.
// Source: reference/policy-api.md sections 7 and 9; the bytes are ours.
const (
	DefaultDecisionLimit = 20_000
	DefaultDecisionBytes = 128 << 20
	DefaultDecisionAge   = 7 * 24 * time.Hour
)

// Decision is one answer of the policies, kept so that it can be explained and
// run again. Input and Answer are JSON; Degraded says why the fail-safe
// answered, "" when the scripts did.
//
// Source: reference/policy-api.md sections 7 and 9.
type Decision struct {
	ID           string
	Time         time.Time
	Hook         string
	Revision     int64 // of the policies
	Input        string
	Answer       string
	Degraded     string
	Microseconds int64
	Instructions int64
	Masking      Masking
	Steps        []DecisionStep // written only; DecisionSteps reads them
}

// Masking tells what became of a decision's aliases.
type Masking int

// The states of the aliases of a decision.
const (
	AsMade Masking = iota // nobody has looked for them
	NothingToMask
	Masked
)

// DecisionStep is one stage or script that a decision went through, in order.
// Detail is JSON or a line of text.
type DecisionStep struct {
	Kind    string `json:"kind"` // script, transform, rule, answer
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail,omitempty"`
}

// bytes is what a decision counts for in the bound.
func (d Decision) bytes() int {
	n := len(d.Input) + len(d.Answer)
	for _, s := range d.Steps {
		n += len(s.Detail)
	}
	return n
}

// DecisionFilter chooses decisions; zero fields choose all. Limit 0 means 1,000.
type DecisionFilter struct {
	Since, Until time.Time
	Hook         string
	Degraded     bool // only those of a fail-safe
	AsMade       bool // only those whose aliases nobody has looked for
	Limit        int
}

const selectDecision = "SELECT id, at_ms, hook, revision, input, answer, degraded, us, instructions, masked FROM decision"

func scanDecision(s scanner) (d Decision, err error) {
	var at int64
	err = s.Scan(&d.ID, &at, &d.Hook, &d.Revision, &d.Input, &d.Answer, &d.Degraded, &d.Microseconds, &d.Instructions, &d.Masking)
	d.Time = instant(at)
	return d, err
}

// AppendDecisions writes a batch in one transaction and drops the oldest beyond
// the bounds. One that is kept already stays as it is. A power cut may lose the
// last batches.
func (l *Local) AppendDecisions(ctx context.Context, decisions []Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	return l.note(ctx, "write the decisions", func(tx *dbsql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT OR IGNORE INTO decision (id, at_ms, hook, revision, input, answer, degraded, us, instructions, masked, bytes)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		newest := time.Time{}
		for _, d := range decisions {
			if _, err := insert.ExecContext(ctx, d.ID, millis(d.Time), d.Hook, d.Revision, d.Input, d.Answer, d.Degraded,
				d.Microseconds, d.Instructions, d.Masking, d.bytes()); err != nil {
				return err
			}
			if err := putSteps(ctx, tx, d); err != nil {
				return err
			}
			if d.Time.After(newest) {
				newest = d.Time
			}
		}
		return l.pruneDecisions(ctx, tx, newest)
	})
}

func putSteps(ctx context.Context, tx *dbsql.Tx, d Decision) error {
	for i, step := range d.Steps {
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO decision_step (id, ord, kind, name, outcome, detail) VALUES (?, ?, ?, ?, ?, ?)",
			d.ID, i+1, step.Kind, step.Name, step.Outcome, step.Detail); err != nil {
			return err
		}
	}
	return nil
}

// pruneDecisions drops the oldest beyond each bound. Rows are looked at from the
// oldest on, no more of them than go.
func (l *Local) pruneDecisions(ctx context.Context, tx *dbsql.Tx, now time.Time) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM decision WHERE seq <= (SELECT max(seq) FROM decision) - ?", l.options.DecisionLimit); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM decision WHERE seq < coalesce(
			(SELECT seq FROM decision WHERE at_ms >= ? ORDER BY seq LIMIT 1), (SELECT max(seq) FROM decision))`,
		millis(now.Add(-l.options.DecisionAge))); err != nil {
		return err
	}
	last, err := l.overSize(ctx, tx)
	if err != nil || last == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM decision WHERE seq <= ? AND seq < (SELECT max(seq) FROM decision)", last)
	return err
}

// overSize is the last of the rows that have to go for the bound of bytes, 0
// when none has.
func (l *Local) overSize(ctx context.Context, tx *dbsql.Tx) (last int64, err error) {
	var total int64
	if err := tx.QueryRowContext(ctx, "SELECT bytes FROM decision_size").Scan(&total); err != nil {
		return 0, err
	}
	over := total - l.options.DecisionBytes
	if over <= 0 {
		return 0, nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT seq, bytes FROM decision ORDER BY seq")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for over > 0 && rows.Next() {
		var bytes int64
		if err := rows.Scan(&last, &bytes); err != nil {
			return 0, err
		}
		over -= bytes
	}
	return last, rows.Err()
}

// MaskDecisions writes decisions anew whose aliases were looked for: inputs,
// answers and steps. One that is kept no more is passed over.
func (l *Local) MaskDecisions(ctx context.Context, decisions []Decision) error {
	return l.note(ctx, "mask the decisions", func(tx *dbsql.Tx) error {
		for _, d := range decisions {
			done, err := tx.ExecContext(ctx, "UPDATE decision SET input = ?, answer = ?, masked = ?, bytes = ? WHERE id = ?",
				d.Input, d.Answer, d.Masking, d.bytes(), d.ID)
			if err != nil {
				return err
			}
			if n, err := done.RowsAffected(); err != nil || n == 0 {
				if err != nil {
					return err
				}
				continue
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM decision_step WHERE id = ?", d.ID); err != nil {
				return err
			}
			if err := putSteps(ctx, tx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

// Decision returns one decision. Errors: NotFound.
func (l *Local) Decision(ctx context.Context, id string) (Decision, error) {
	return one(ctx, l.read, "read a decision", "there is no decision "+id+" on this peer", scanDecision, selectDecision+" WHERE id = ?", id)
}

// Decisions returns decisions, newest first.
func (l *Local) Decisions(ctx context.Context, f DecisionFilter) ([]Decision, error) {
	q := selection{}
	q.between("at_ms", f.Since, f.Until)
	q.equal("hook", f.Hook)
	if f.Degraded {
		q.where("degraded <> ''")
	}
	if f.AsMade {
		q.where("masked = 0")
	}
	query, args := q.sql(selectDecision, "seq", f.Limit)
	return collect(ctx, l.read, "read the decisions", scanDecision, query, args...)
}

// DecisionSteps returns what a decision went through, in order; nothing for one
// that is not kept.
func (l *Local) DecisionSteps(ctx context.Context, id string) ([]DecisionStep, error) {
	return collect(ctx, l.read, "read the steps of a decision", func(s scanner) (d DecisionStep, err error) {
		return d, s.Scan(&d.Kind, &d.Name, &d.Outcome, &d.Detail)
	}, "SELECT kind, name, outcome, detail FROM decision_step WHERE id = ? ORDER BY ord", id)
}
