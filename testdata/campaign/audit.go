package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// audit is the comparison at the end of tier B: every acknowledged save is in
// the history of every peer at its revision with its value (I1), saves of two
// items are there in whole or not at all (I2), nothing that was refused is
// there (I5), the registers have an order (I3), secrets are nowhere (I13).
// It returns how many acknowledged saves are missing somewhere.
func (s *siege) audit(ctx context.Context) int {
	twice, err := s.load.ledger.close()
	if err != nil {
		s.run.Fail("the ledger: %v", err)
	}
	for _, text := range twice {
		s.run.Fail("I3: %s", text)
	}
	s.run.Note("the ends are compared")
	missing := make([]int, len(s.peers))
	made := map[string]int64{}
	err = each(s.peers, func(p *peer) error {
		history, err := readHistory(ctx, p)
		if err != nil {
			return fmt.Errorf("peer %d: %w", p.n, err)
		}
		missing[p.n-1] = s.compare(p, history)
		s.load.linear.mu.Lock()
		defer s.load.linear.mu.Unlock()
		for at, value := range history {
			made[value] = at.revision
		}
		return nil
	})
	if err != nil {
		s.run.Fail("a history could not be read: %v", err)
	}
	s.run.Note("the histories are read")
	lost := 0
	for _, n := range missing {
		lost = max(lost, n)
	}
	if len(made) == 0 {
		return lost // no history could be read: that was said
	}
	ops, broken, undecided := s.load.linear.check(made, 5*time.Second)
	for _, text := range broken {
		s.run.Fail("I3: not linearizable: %s", text)
	}
	s.run.Say("linear", fmt.Sprintf("%d/%d", ops, undecided))
	s.secrets()
	return lost
}

// step is one change as the history of a peer has it.
type step struct {
	revision int64
	path     string
}

// compare holds the history of one peer against what was acknowledged.
func (s *siege) compare(p *peer, history map[step]string) (missing int) {
	for _, a := range s.load.ledger.all() {
		got, ok := history[step{a.Revision, a.Path}]
		if ok && got == a.Value {
			continue
		}
		if missing++; missing <= 5 {
			s.run.Fail("I1: peer %d: revision %d set %s to %q; the history says %q", p.n, a.Revision, a.Path, a.Value, got)
		}
	}
	pairs := map[int64]map[string]int{}
	for at, value := range history {
		if s.load.linear.wasRefused(value) {
			s.run.Fail("I5: peer %d has %q, which was refused", p.n, value)
		}
		if strings.HasPrefix(value, "pair") {
			if pairs[at.revision] == nil {
				pairs[at.revision] = map[string]int{}
			}
			pairs[at.revision][value]++
		}
	}
	for revision, values := range pairs {
		for value, count := range values {
			if count != 2 {
				s.run.Fail("I2: peer %d has %d of the two items of %s at revision %d", p.n, count, value, revision)
			}
		}
	}
	return missing
}

// readHistory reads the whole history of the writers' items on one peer.
func readHistory(ctx context.Context, p *peer) (map[step]string, error) {
	a := p.administrator(30 * time.Second)
	defer a.close()
	out := map[step]string{}
	const rows = 900
	for after, path := int64(0), ""; ; {
		t, err := a.rows(ctx, "cluster", fmt.Sprintf(`SELECT revision, path, new_value FROM diag_history WHERE revision >= %d AND (revision > %d OR path > '%s') ORDER BY revision, path LIMIT %d`, after, after, path, rows))
		if err != nil {
			return nil, err
		}
		for _, row := range t.Rows {
			revision, _ := row[0].(float64)
			where, _ := row[1].(string)
			value, _ := row[2].(string)
			after, path = int64(revision), where
			out[step{after, path}] = value
		}
		if len(t.Rows) < rows {
			return out, nil
		}
	}
}

// wasRefused reports whether a value is one that surely was not saved.
func (l *linear) wasRefused(value string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused[value]
}
