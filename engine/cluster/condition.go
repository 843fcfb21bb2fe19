package cluster

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
)

// Alarms that clustering itself raises; the rules raise the others.
// Source: reference 4.2.
const (
	firstClusterAlarm  = 20003
	lastClusterAlarm   = 20026
	alarmCommunication = 20004
	alarmDatabase      = 20006
	alarmRestart       = 20007
	alarmReplication   = 20009
	alarmSuperseded    = 20011
	alarmSettings      = 20012
	alarmNotFound      = 20014
	alarmNoPrimary     = 20016
	alarmPrimary       = 20017
	alarmTLSRestart    = 20020
	alarmPorts         = 20021
	alarmInconsistent  = 20024
	alarmStuck         = 20025
	alarmPermissive    = 40049
	alarmPeerKey       = 70021
	alarmRemoved       = 70022
	alarmReadOnly      = 70023
	alarmContents      = 70024
)

// stateFailed is the state of a database that could not be opened.
const stateFailed = "Failed"

// settle is how long after a start or a change the state of a peer may be
// unknown before its silence counts; contact needs this long at most.
const settle = 3 * time.Second

// keySettles is how long a peer may show another key than the known one before
// it counts: the rows that announce a replaced key travel beside it.
const keySettles = 2 * time.Second

// agreeWithin is how long the pages of two peers may differ, as the others tell
// them, before it counts: what was saved on both arrives with the next beats.
const agreeWithin = 2 * time.Second

// stuckAfter is when a copy that does not move while the primary's does counts
// as failed: Raft itself backs off up to 10 s after an outage.
const stuckAfter = 15 * time.Second

// evaluate keeps the alarms true: at once when something changed, and
// periodically.
func (s *Service) evaluate(ctx context.Context) {
	tick := time.NewTicker(s.o.Beat)
	defer tick.Stop()
	var ruled time.Time
	started, settled := time.Now(), false
	for {
		kicked := false
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
			kicked = s.gather(ctx)
		case <-tick.C:
		}
		if kicked || time.Since(ruled) >= s.o.Periodic {
			s.askRules(ctx)
			ruled = time.Now()
		}
		s.followLost(ctx)
		s.askCapacity(ctx)
		s.o.Alarms.Reconcile(ctx, "cluster", append(s.conditions(), s.lostConditions()...))
		if !settled {
			settled = s.settle(ctx, time.Since(started))
		}
	}
}

// gathering is how long more news is waited for before the rules are asked:
// peers come and go together, and one judgement is enough for all of them.
const gathering = 20 * time.Millisecond

// gather takes the news that comes within a moment; false when ctx ended.
func (s *Service) gather(ctx context.Context) bool {
	t := time.NewTimer(gathering)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	select {
	case <-s.kick:
	default:
	}
	return true
}

// settle lowers what held before the start and does not hold any more: what
// only this system's own page decides at once, the rest when every peer
// answers or has had the time to.
func (s *Service) settle(ctx context.Context, running time.Duration) bool {
	s.o.Alarms.Settle(ctx, []int{alarmRestart, alarmTLSRestart, alarmPermissive})
	if s.joining() && running < 2*settle {
		return false
	}
	for _, snap := range s.snapshots() {
		if (snap.state != engine.PeerActive || !snap.dbUp) && running < settle+time.Second {
			return false
		}
	}
	ids := []int{alarmPeerKey, alarmRemoved, alarmReadOnly, alarmContents}
	for id := firstClusterAlarm; id <= lastClusterAlarm; id++ {
		ids = append(ids, id)
	}
	for id := alarmLostHours; id <= lastLostAlarm; id++ {
		ids = append(ids, id)
	}
	s.o.Alarms.Settle(ctx, ids)
	return true
}

func (s *Service) askRules(ctx context.Context) {
	if s.o.Group.Servers().State == stateFailed {
		return // without the configuration they would judge its defaults
	}
	found := s.judge(ctx, question{occasion: engine.OnPeriodic, proposed: s.Running()})
	s.mu.Lock()
	s.findings = found
	s.mu.Unlock()
	s.notify()
}

// otherPrimary reports whether this system's page names another primary than
// the one that the cluster agreed on.
func (s *Service) otherPrimary(page engine.Clustering, agreed engine.Agreed) bool {
	return !s.joining() && agreed.Primary != "" && page.PrimaryAddress() != "" && !s.SameAddress(page.PrimaryAddress(), s.addressOf(agreed.Primary))
}

// standing are the alarms of the findings that count now: pages that differ
// count when they have done so for a while.
func (s *Service) standing(found []engine.Finding) []Condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	differ := map[int]time.Time{}
	var out []Condition
	for _, c := range conditionsOf(found) {
		if c.ID == alarmSettings || c.ID == alarmPrimary {
			since, known := s.differ[c.ID]
			if !known {
				since = time.Now()
			}
			differ[c.ID] = since
			if time.Since(since) < agreeWithin {
				continue
			}
		}
		out = append(out, c)
	}
	s.differ = differ
	return out
}

// conditions is every alarm of clustering that holds now.
func (s *Service) conditions() []Condition {
	s.mu.Lock()
	page, agreed := s.page, s.agreed
	found := slices.Clone(s.findings)
	restart := s.restartReasonsLocked()
	s.mu.Unlock()
	var out []Condition
	add := func(id int, params map[string]string) { out = append(out, Condition{ID: id, Params: params}) }
	if len(restart) > 0 && page.Reset == nil {
		add(alarmRestart, nil)
	}
	if len(page.Running.Peers) == 0 {
		if others := s.others(page.Entered.Peers); len(others) > 0 && page.Reset == nil {
			// Saved on a joining peer: it talks to them after its restart.
			add(alarmCommunication, map[string]string{"peers": strings.Join(others, " ")})
		}
		return append(out, s.standing(found)...)
	}
	if page.Entered.TLSMode != page.Running.TLSMode && len(page.Entered.Peers) > 0 {
		add(alarmTLSRestart, nil)
	}
	if page.Running.TLSMode == engine.Permissive {
		add(alarmPermissive, nil)
	}
	out = append(out, s.contactConditions(agreed)...)
	out = append(out, s.refusalConditions()...)
	out = append(out, s.storeConditions(agreed)...)
	out = append(out, s.copyConditions(agreed)...)
	out = append(out, s.digestConditions()...)
	if s.otherPrimary(page.Running, agreed) {
		found = append(found, engine.Finding{Alarm: alarmPrimary, Severity: engine.FindingWarning})
	}
	return append(out, s.standing(found)...)
}

// contactConditions are the alarms of peers that do not answer.
func (s *Service) contactConditions(agreed engine.Agreed) []Condition {
	var silent, database, ports []string
	var out []Condition
	portSet := map[int]bool{}
	for _, snap := range s.snapshots() {
		if snap.state == engine.PeerFailed {
			silent = append(silent, snap.address)
		}
		if snap.port != 0 && snap.state == engine.PeerFailed {
			ports = append(ports, snap.address)
			portSet[snap.port] = true
		}
		if snap.dbPort != 0 && snap.dbDown {
			if !slices.Contains(ports, snap.address) {
				ports = append(ports, snap.address)
			}
			portSet[snap.dbPort] = true
		}
		if snap.node != "" && snap.dbDown {
			database = append(database, snap.address)
		}
		if snap.node == agreed.Primary && snap.state == engine.PeerFailed {
			out = append(out, Condition{ID: alarmNoPrimary, Params: map[string]string{"peer": snap.address}})
		}
	}
	if len(silent) > 0 {
		out = append(out, Condition{ID: alarmCommunication, Params: map[string]string{"peers": strings.Join(silent, " ")}})
	}
	if len(database) > 0 {
		out = append(out, Condition{ID: alarmDatabase, Params: map[string]string{"peers": strings.Join(database, " ")}})
	}
	if len(ports) > 0 {
		var numbers []string
		for port := range portSet {
			numbers = append(numbers, strconv.Itoa(port))
		}
		slices.Sort(numbers)
		out = append(out, Condition{ID: alarmPorts, Params: map[string]string{"peers": strings.Join(ports, " "), "ports": strings.Join(numbers, " ")}})
	}
	return out
}

// refusalConditions are the alarms of the fence and of identities.
func (s *Service) refusalConditions() []Condition {
	id := s.o.Identity()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Condition
	once := map[int]bool{}
	add := func(alarm int, params map[string]string) {
		if !once[alarm] {
			once[alarm] = true
			out = append(out, Condition{ID: alarm, Params: params})
		}
	}
	for _, r := range s.refused {
		params := map[string]string{
			"peer": r.Address, "reason": r.Reason,
			"own": generationText(id.Generation), "other": generationText(r.Remote),
		}
		if r.Kind == "generation" && r.Remote.ID != id.Generation.ID && (r.Remote.Number == id.Generation.Number || s.rivalLocked(r)) {
			add(alarmSettings, params)
			add(alarmPrimary, params)
		}
		switch {
		case r.Kind == "generation" && r.Remote.Number > id.Generation.Number:
			add(alarmSuperseded, params)
		case r.Kind == "key" && time.Since(r.First) > keySettles:
			add(alarmPeerKey, params)
		case r.Kind == "removed":
			add(alarmRemoved, params)
		}
	}
	return out
}

// RemovedHere reports whether another member has told this system that it was
// taken out of the cluster (alarm 70022).
func (s *Service) RemovedHere() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.refused {
		if r.Kind == "removed" {
			return true
		}
	}
	return false
}

func generationText(g engine.Generation) string {
	return strconv.FormatInt(g.Number, 10) + " (" + g.ID + ")"
}

// storeConditions are the alarms of this peer's copy of the database.
func (s *Service) storeConditions(agreed engine.Agreed) []Condition {
	var out []Condition
	servers := s.o.Group.Servers()
	primaryIsMember := slices.ContainsFunc(agreed.Members, func(m engine.Member) bool { return m.Node == agreed.Primary })
	if agreed.Primary != "" && !primaryIsMember {
		out = append(out, Condition{ID: alarmInconsistent, Params: map[string]string{"detail": "the agreed primary is not a member"}})
	}
	leaderless := s.leaderless(servers) // on every peer: a forced change of primary asks since when
	if agreed.Primary == s.o.Node && servers.State != stateFailed && leaderless {
		out = append(out, Condition{ID: alarmReadOnly, Params: map[string]string{"detail": "too few voters answer"}})
	}
	if s.stuck() {
		out = append(out, Condition{ID: alarmStuck, Params: map[string]string{"peer": s.o.Host().Address}})
	}
	return out
}

// copyConditions are the alarms of a subordinate when the configuration that is
// to be replicated is not there: its own copy was lost and is not filled yet, or
// could not be opened, or the primary says so of its own.
//
// Source: the seed, "Alarms and warnings"; reference 4.2 (20014).
func (s *Service) copyConditions(agreed engine.Agreed) []Condition {
	page := s.Running()
	if agreed.Primary == s.o.Node || agreed.Primary == "" && s.indexOf(page.Peers) == page.Primary {
		return nil
	}
	var without []string
	if s.o.Group.Servers().State == stateFailed || s.o.Refill != nil && s.o.Refill.Lost() {
		without = append(without, s.o.Host().Address)
	}
	for _, snap := range s.snapshots() {
		if snap.node != "" && snap.node == agreed.Primary && snap.state == engine.PeerActive && snap.facts.Store.State == stateFailed {
			without = append(without, snap.address)
		}
	}
	if len(without) == 0 {
		return nil
	}
	return []Condition{{ID: alarmNotFound, Params: map[string]string{"peers": strings.Join(without, " ")}}}
}

// others are the entries of a list that do not denote this system.
func (s *Service) others(peers []string) []string {
	own := s.indexOf(peers)
	var out []string
	for i, address := range peers {
		if i+1 != own {
			out = append(out, address)
		}
	}
	return out
}

func (s *Service) snapshots() []snapshot {
	s.mu.Lock()
	list := make([]*peer, 0, len(s.peers))
	for _, p := range s.peers {
		list = append(list, p)
	}
	s.mu.Unlock()
	out := make([]snapshot, 0, len(list))
	for _, p := range list {
		out = append(out, p.snapshot())
	}
	slices.SortFunc(out, func(a, b snapshot) int { return strings.Compare(a.address, b.address) })
	return out
}
