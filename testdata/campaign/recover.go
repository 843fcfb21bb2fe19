package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// copyOf is what one peer's copy of the cluster's database holds.
type copyOf struct {
	revision int64
	digest   string
}

// statements read what must be equal on every peer: the revision, the items, and
// what the last revisions changed. The views leave secrets out.
var statements = []string{
	"SELECT revision, generation_id FROM diag_agreed",
	"SELECT i.path, i.value FROM diag_item AS i WHERE i.leaf NOT IN ('Name', 'Type') ORDER BY i.path",
	"SELECT revision, at_ms, user, path, old_value, new_value FROM diag_history WHERE revision > (SELECT revision - 100 FROM diag_agreed) ORDER BY revision, path",
	"SELECT node, address, fingerprint, release FROM diag_member ORDER BY node",
}

// contents is the copy that a peer has now.
func contents(ctx context.Context, a *admin, statements []string) (copyOf, error) {
	var out copyOf
	sum := sha256.New()
	for i, statement := range statements {
		t, err := a.rows(ctx, "cluster", statement)
		if err != nil {
			return out, err
		}
		if i == 0 && len(t.Rows) > 0 {
			revision, ok := t.Rows[0][0].(float64)
			if !ok {
				return out, fmt.Errorf("revision %v", t.Rows[0][0])
			}
			out.revision = int64(revision)
		}
		if err := json.NewEncoder(sum).Encode(t.Rows); err != nil {
			return out, err
		}
	}
	out.digest = fmt.Sprintf("%x", sum.Sum(nil)[:8])
	return out, nil
}

// recovered waits until a save is acknowledged again and every peer has the
// same revision with the same content, and judges how long that took (I6).
func (s *siege) recovered(ctx context.Context, sc *scene, healed time.Time) bool {
	patience := s.hunger.stretch(30 * time.Second)
	if err := s.probe(ctx, patience); err != nil {
		s.run.Fail("%s: not writable after the heal: %v", sc.what, err)
		return false
	}
	writable := time.Since(healed)
	// The writers stop for a moment: then all have the same revision at once.
	s.load.gate.Lock()
	defer s.load.gate.Unlock()
	stopped := time.Now()
	err := s.alike(ctx, patience)
	if err != nil {
		s.run.Fail("I6: %s: %v", sc.what, err)
		return false
	}
	took := time.Since(healed)
	s.run.Note("   writable %v after the heal, still after %v, equal after %v", writable.Round(time.Millisecond), stopped.Sub(healed).Round(time.Millisecond), took.Round(time.Millisecond))
	if limit := s.hunger.stretch(equalWithin + sc.gone); took > limit {
		s.run.Fail("I6: %s: equal only %v after the heal (writable after %v, then %v), limit %v", sc.what, took, writable, time.Since(stopped), limit)
	}
	if !sc.untimely {
		s.whole = append(s.whole, took)
	}
	return true
}

// alike waits until every peer has the same revision with the same content.
func (b *bed) alike(ctx context.Context, patience time.Duration) error {
	copies := make([]copyOf, len(b.peers))
	whole := false // the contents are read once the revisions are equal: that takes the peers' time
	return waitFor(ctx, patience, "all peers have the same content", func() error {
		read := statements[:1]
		if whole {
			read = statements
		}
		err := each(b.peers, func(p *peer) (err error) {
			a := p.administrator(5 * time.Second)
			defer a.close()
			if copies[p.n-1], err = contents(ctx, a, read); err != nil {
				err = fmt.Errorf("peer %d: %w", p.n, err)
			}
			return err
		})
		if err != nil {
			return err
		}
		for i, c := range copies[1:] {
			if c != copies[0] {
				whole = false
				return fmt.Errorf("peer 1 has revision %d (%s), peer %d has %d (%s)", copies[0].revision, copies[0].digest, i+2, c.revision, c.digest)
			}
		}
		if !whole {
			whole = true
			return errors.New("the contents are not compared yet")
		}
		return nil
	})
}

// probe waits until a save on the primary is acknowledged.
func (s *siege) probe(ctx context.Context, patience time.Duration) error {
	c := &at{}
	defer func() {
		if c.admin != nil {
			c.close()
		}
	}()
	return waitFor(ctx, patience, "a save is acknowledged", func() error {
		v := save{Path: item(probeZone), Value: fmt.Sprintf("probe-%d", time.Now().UnixNano())}
		s.load.gate.RLock()
		defer s.load.gate.RUnlock()
		revision, err := set(ctx, s.load.here(c), 0, v)
		if err == nil {
			v.Revision = revision
			s.load.ledger.note(v)
		}
		return err
	})
}

// of reports whether a raise is of this fault: the end of a short one may still be
// noticed while the next one is put in.
func (s *scene) of(n notice) bool {
	return slices.ContainsFunc(s.apart[n.Peer], func(other int) bool { return strings.Contains(n.About, s.peer(other).fqdn()) })
}

// judgeAlarms waits until no alarm of the links holds any more, and compares
// what was raised and lowered with the fault (I7, I8).
func (s *siege) judgeAlarms(sc *scene, began, injected, healed time.Time) {
	err := waitFor(sc.ctx, s.hunger.stretch(20*time.Second), "the alarms of the links are lowered", func() error {
		for n := 1; n <= peerCount; n++ {
			if held := s.logs.held(n, linkAlarms...); len(held) > 0 {
				return fmt.Errorf("peer %d: %v", n, held)
			}
		}
		return nil
	})
	if err != nil {
		s.run.Fail("I8: %s: %v", sc.what, err)
		return
	}
	last := healed
	count := map[[2]int]int{}
	first := map[[2]int]time.Time{}
	for _, n := range s.logs.since(began) {
		if !slices.Contains(linkAlarms, n.ID) {
			continue
		}
		at := [2]int{n.Peer, n.ID}
		if n.Raised {
			if sc.of(n) {
				count[at]++
			}
			if first[at].IsZero() {
				first[at] = n.At
			}
		} else if n.At.After(last) {
			last = n.At
		}
	}
	took := last.Sub(healed)
	s.lowered = append(s.lowered, took)
	if limit := s.hunger.stretch(loweredWithin + sc.gone); took > limit {
		s.run.Fail("I8: %s: the last alarm was lowered %v after the heal, limit %v", sc.what, took, limit)
	}
	if !sc.clean {
		return
	}
	for at, times := range count {
		if times > 1 {
			s.run.Fail("I8: %s: peer %d raised %d %d times", sc.what, at[0], at[1], times)
		}
	}
	limit := s.hunger.stretch(sc.within)
	for n, ids := range sc.raised {
		for _, id := range ids {
			at, ok := first[[2]int{n, id}]
			switch {
			case ok:
				s.raised = append(s.raised, at.Sub(injected))
				if late := at.Sub(injected); late > limit {
					s.run.Fail("I7: %s: peer %d raised %d after %v, limit %v", sc.what, n, id, late, limit)
				}
			case healed.Sub(injected) > limit:
				s.run.Fail("I7: %s: peer %d did not raise %d within %v", sc.what, n, id, healed.Sub(injected))
			}
		}
	}
}
