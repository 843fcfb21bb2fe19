package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite"
)

// alarmContents is raised when the copies of two peers differ at one entry of
// the log. Source: engine/alarm.
const alarmContents = 70024

// digestPart changes one row in the running database of one of three peers, as
// a bug or a bad memory would: equal entries, another content. The primary has to
// notice and say so.
func digestPart(ctx context.Context, r *Run, s *stall, program string, _ time.Duration, t *tally) error {
	rec, err := newRecording(r, s, program, "digest", 3)
	if rec != nil {
		defer rec.close()
	}
	if err != nil {
		return err
	}
	first, third := rec.boxes[0], rec.boxes[2]
	if err := rec.all(func() error { return rec.begin(ctx) }, func() error { return rec.saves(ctx, first, 5) },
		func() error { return rec.caughtUp(ctx, third) }); err != nil {
		return err
	}
	t.acked.Add(int64(len(rec.acked)))
	if err := await(ctx, "equal copies are found equal", patience, func() string {
		differ, err := first.unequal(ctx)
		if err == nil && differ {
			err = errors.New("they are said to differ")
		}
		return reason(err)
	}); err != nil {
		r.Fail("digests of equal copies: %v", err)
		return nil
	}
	if err := third.tamper(ctx, first); err != nil {
		return err
	}
	if err := rec.saves(ctx, first, 1); err != nil { // digests are made of a copy that has moved
		return err
	}
	if err := await(ctx, "the changed copy is noticed", patience, func() string {
		differ, err := first.unequal(ctx)
		switch {
		case err != nil:
			return err.Error()
		case !differ:
			return "the copies are said to be equal"
		case first.alarms(ctx)[alarmContents] == "":
			return fmt.Sprintf("alarm %d is not raised", alarmContents)
		}
		return ""
	}); err != nil {
		r.Fail("one row of %s was changed behind its back: %v", third.name, err)
	}
	r.Say("tampered", 1)
	return nil
}

// unequal asks the primary to compare the copies now.
func (b *box) unequal(ctx context.Context) (bool, error) {
	lines, err := b.admin.run(ctx, "xCommand ClusterDigest All: On")
	return strings.Contains(strings.Join(lines, "\n"), `Verdict: "unequal"`), err
}

// tamper changes one row of the database of b while it runs: the one of the
// generation that the primary has, which b joined.
func (b *box) tamper(ctx context.Context, primary *box) error {
	files, err := filepath.Glob(filepath.Join(primary.dir, "cluster", "*", "db.sqlite"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("%s has the databases %v: %v", primary.name, files, err)
	}
	file := filepath.Join(b.dir, "cluster", filepath.Base(filepath.Dir(files[0])), "db.sqlite")
	db, err := sql.Open("sqlite", "file:"+file+"?mode=rw&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	result, err := db.ExecContext(ctx, "UPDATE item SET value = 'tampered' WHERE path = 'Transform 1 Pattern String'")
	if err != nil {
		return fmt.Errorf("change a row of %s: %w", file, err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%d rows of %s changed: %v", n, file, err)
	}
	return nil
}
