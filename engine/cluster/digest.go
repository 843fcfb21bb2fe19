package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// Digests says what this peer's copy of cluster.db holds.
type Digests interface {
	// Digest is that of the copy as it is now; it costs nothing while it does not change.
	Digest(ctx context.Context) (engine.ContentDigest, error)
}

// When the primary compares the members' copies with its own. A copy is at rest
// when it has not changed for digestQuiet; no member is asked twice within
// digestEvery unless it was away, or its copy differs.
const (
	digestTick  = 2 * time.Second
	digestQuiet = 4 * time.Second
	digestEvery = time.Minute
	digestAgain = 10 * time.Second
)

// compared is the last comparison with one member.
type compared struct {
	at      time.Time
	index   uint64
	since   time.Time // when the member was last found
	unequal int       // times in a row
	failed  bool      // it could not be compared since
	tables  []string
}

// compareDigests compares on the primary, when nothing changes, what has
// changed since the last time, until ctx ends.
func (s *Service) compareDigests(ctx context.Context) {
	if s.o.Digests == nil {
		return
	}
	tick := time.NewTicker(digestTick)
	defer tick.Stop()
	var index uint64
	moved := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := s.o.Group.Servers().Applied; now != index {
			index, moved = now, time.Now()
		}
		if s.Agreed().Primary != s.o.Node {
			s.forgetCompared()
			continue
		}
		if time.Since(moved) < digestQuiet {
			continue
		}
		if due := s.digestsDue(index); len(due) > 0 {
			s.compareWith(ctx, due)
		}
	}
}

// digestsDue are the members whose copy is to be compared at index.
func (s *Service) digestsDue(index uint64) []engine.Member {
	var out []engine.Member
	for _, m := range s.Agreed().Members {
		p := s.peerOf(m.Node)
		if m.Node == s.o.Node || p == nil || p.state() != engine.PeerActive {
			continue
		}
		since := p.snapshot().since
		s.mu.Lock()
		last := s.compared[m.Node]
		s.mu.Unlock()
		age := time.Since(last.at)
		changed := last.index != index && age >= digestEvery
		again := !last.since.Equal(since) || last.failed || last.unequal > 0
		if changed || again && age >= digestAgain || last.unequal == 1 && !last.failed {
			out = append(out, m)
		}
	}
	return out
}

// compareWith compares the copies of members with this one's.
func (s *Service) compareWith(ctx context.Context, members []engine.Member) []engine.DigestComparison {
	own, err := s.o.Digests.Digest(ctx)
	if err != nil {
		s.o.Log.Debug("contents not compared", "module", "cluster", "err", err)
		return nil
	}
	out := make([]engine.DigestComparison, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() { out[i] = s.compareOne(ctx, own, m) })
	}
	wg.Wait()
	signal(s.kick)
	return out
}

func (s *Service) compareOne(ctx context.Context, own engine.ContentDigest, m engine.Member) engine.DigestComparison {
	out := engine.DigestComparison{Peer: s.addressOf(m.Node), Verdict: engine.DigestUnjudged}
	var since time.Time
	if p := s.peerOf(m.Node); p != nil {
		since = p.snapshot().since
	}
	if err := s.call(ctx, m.Node, "/v1/digest", struct{}{}, &out.Content, nil); err != nil {
		out.Obstacle, _ = causeOf(err)
		s.notCompared(m.Node)
		return out
	}
	out.Verdict, out.Tables = own.Compare(out.Content)
	if out.Verdict == engine.DigestUnjudged {
		out.Obstacle = "the copies are not at the same entry of the log"
		s.notCompared(m.Node)
		return out
	}
	s.mu.Lock()
	last := s.compared[m.Node]
	now := compared{at: time.Now(), index: own.Index, since: since, tables: out.Tables}
	if out.Verdict == engine.DigestUnequal {
		now.unequal = last.unequal + 1
	}
	s.compared[m.Node] = now
	s.mu.Unlock()
	if (now.unequal > 0) != (last.unequal > 0) {
		s.o.Log.Warn("contents compared", "module", "cluster", "peer", out.Peer, "verdict", string(out.Verdict), "tables", strings.Join(out.Tables, " "))
	}
	return out
}

// notCompared notes a comparison that did not come about.
func (s *Service) notCompared(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.compared[node]
	c.at, c.failed = time.Now(), true
	s.compared[node] = c
}

func (s *Service) forgetCompared() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.compared)
}

// unequal are the tables in which copies differed twice in a row, by node.
func (s *Service) unequal() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out map[string][]string
	for node, c := range s.compared {
		if c.unequal > 1 {
			if out == nil {
				out = map[string][]string{}
			}
			out[node] = c.tables
		}
	}
	return out
}

// digestConditions are the alarms of copies that differ: on the primary of each
// of them, and on the member whose copy it is, which is to take it anew.
func (s *Service) digestConditions() []Condition {
	var out []Condition
	s.mu.Lock()
	doubt := s.inDoubt
	s.mu.Unlock()
	if len(doubt) > 0 && s.Agreed().Primary != s.o.Node {
		out = append(out, Condition{ID: alarmReplication, Params: map[string]string{"tables": strings.Join(doubt, " ")}})
	}
	for node, tables := range s.unequal() {
		out = append(out, Condition{ID: alarmContents, Key: node, Params: map[string]string{"peer": s.addressOf(node), "tables": strings.Join(tables, " ")}})
	}
	slices.SortFunc(out, func(a, b Condition) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// DigestList is what this system's copy holds and, with all, how those of the
// members compare with it, in the order of their addresses. On the primary the
// alarms follow.
//
// Errors: Unavailable while there is no copy, or it changes too quickly.
func (s *Service) DigestList(ctx context.Context, all bool) ([]engine.DigestComparison, error) {
	if s.o.Digests == nil {
		return nil, engine.Errorf(engine.Unavailable, "there is no copy here")
	}
	own, err := s.o.Digests.Digest(ctx)
	if err != nil {
		return nil, err
	}
	out := []engine.DigestComparison{{Peer: s.addressOf(s.o.Node), Own: true, Content: own, Verdict: engine.DigestEqual}}
	if !all {
		return out, nil
	}
	var others []engine.Member
	for _, m := range s.Agreed().Members {
		if m.Node != s.o.Node {
			others = append(others, m)
		}
	}
	slices.SortFunc(others, func(a, b engine.Member) int { return strings.Compare(a.Address, b.Address) })
	return append(out, s.compareWith(ctx, others)...), nil
}
