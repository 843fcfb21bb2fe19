package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/fail"
)

// Save stores the clustering page as the administrator entered it, puts into
// effect what needs no restart, and says what does.
//
// c.Peers may hold the address fields as typed, with "" for a blank one: the
// rules judge gaps.
//
// Errors: Invalid with the findings that refuse it, Denied (TLS mode on a
// subordinate), Conflict (another change of primary won), Unavailable (the
// group cannot commit; the page is then as it was).
//
// Source: reference 1.5; design 3.
func (s *Service) Save(ctx context.Context, actor engine.Actor, c engine.Clustering) (engine.ClusteringSaved, error) {
	return s.staged(ctx, actor, c, false)
}

func (s *Service) staged(ctx context.Context, actor engine.Actor, c engine.Clustering, forced bool) (engine.ClusteringSaved, error) {
	ctx, end := engine.WithStages(ctx)
	defer end()
	saved, err := s.save(ctx, actor, c, forced)
	if err != nil {
		engine.Staged(ctx, "refused", string(engine.CodeOf(err)), "%v", err)
	}
	return saved, err
}

func (s *Service) save(ctx context.Context, actor engine.Actor, c engine.Clustering, forced bool) (engine.ClusteringSaved, error) {
	s.saving.Lock()
	defer s.saving.Unlock()
	fields := slices.Clone(c.Peers)
	c.Peers = trim(c.Peers)
	engine.Staged(ctx, "fields", "trimmed", "%d of %d fields filled, at most %d", len(c.Peers), len(fields), engine.MaxPeers)
	if len(c.Peers) > engine.MaxPeers {
		return engine.ClusteringSaved{}, engine.Errorf(engine.Invalid, "the list has %d peers; a cluster has at most %d", len(c.Peers), engine.MaxPeers).
			With("Peers", "remove a peer that is no longer needed before another is added")
	}
	s.stageNames(ctx, s.lookUp(ctx, c.Peers))
	page := s.copyPage()
	answer := s.resetAnswer(ctx, page, c)
	engine.Staged(ctx, "reset", string(answer.Action), "%s", s.imageWord())
	if answer.Degraded != nil && (len(c.Peers) == 0 || page.Reset != nil) {
		return engine.ClusteringSaved{Entered: page.Entered}, &engine.Error{Code: engine.Unavailable, Err: answer.Degraded, Item: "Peers",
			Message: "what this list means for a factory reset is not known: the rule failed", Remedy: "look at the policies, then save again"}
	}
	ctx = withGate(ctx)
	if answer.Action == engine.ResetArm {
		if found, err := s.Gate(ctx, ProcedureReset, StepArm, s.Facts().Address); err != nil {
			return engine.ClusteringSaved{Entered: page.Entered, Findings: found}, err
		}
	}
	if answer.Action == engine.ResetArm || answer.Action == engine.ResetKeepArmed || (page.Reset != nil && len(c.Peers) == 0) {
		return s.saveReset(ctx, actor, page, c, answer)
	}
	found := s.judge(ctx, question{occasion: engine.OnSave, proposed: c, fields: fields})
	if errs := engine.Errors(found); len(errs) > 0 {
		return engine.ClusteringSaved{Entered: page.Entered, Findings: found}, s.refusal(errs)
	}
	if answer.Action != engine.ResetDisarm { // what was before the empty list is no procedure
		held, err := s.gatePage(ctx, page.Entered, c)
		if found = append(found, held...); err != nil {
			return engine.ClusteringSaved{Entered: page.Entered, Findings: found}, err
		}
	} else {
		page.Reset = nil
	}
	steps := s.steps(page.Entered, c)
	out, err := s.store(ctx, actor, page, c, found, forced)
	if err == nil && answer.Action != engine.ResetDisarm && len(steps) > 0 {
		last := steps[len(steps)-1]
		s.begun(last[0], StepSave, last[1])
	}
	return out, err
}

// refusal is the error that the findings make together; it names the first,
// and what to do about it.
func (s *Service) refusal(errs []engine.Finding) error {
	f := errs[0]
	text := f.Text.In(engine.English, f.Params)
	if text == "" {
		text = f.ID
	}
	if len(errs) > 1 {
		text = fmt.Sprintf("%s (and %d more)", text, len(errs)-1)
	}
	e := engine.Errorf(engine.Invalid, "%s", text)
	e.Item, e.Remedy, e.Findings = f.Field, s.o.Remedy(f.Alarm), errs
	if e.Item == "" {
		e.Item = "Peers"
	}
	if f.Fix != nil && f.Fix.Set != "" {
		e.Remedy = fmt.Sprintf("set %s to %s on %s", f.Fix.Set, f.Fix.To, f.Peer)
	}
	return e
}

// store keeps the page and puts into effect what needs no restart.
func (s *Service) store(ctx context.Context, actor engine.Actor, page Page, c engine.Clustering, found []engine.Finding, forced bool) (engine.ClusteringSaved, error) {
	out := engine.ClusteringSaved{Entered: c, Findings: found}
	if err := s.namePrimary(ctx, page, c, forced); err != nil {
		return out, err
	}
	if err := s.saveTLS(ctx, actor, c.TLSMode, &out); err != nil {
		return out, err
	}
	old := page.Entered
	page.Entered, page.SavedAt = c, time.Now()
	page.Running = s.inEffect(page.Running, c)
	for _, m := range s.unlisted(ctx, old, c) {
		if !slices.ContainsFunc(page.Leaving, func(l engine.Member) bool { return l.Node == m.Node }) {
			page.Leaving = append(slices.Clip(page.Leaving), m)
		}
	}
	if err := s.o.Pages.PutPage(ctx, page); err != nil {
		return out, err
	}
	if err := fail.Point("page.stored"); err != nil {
		return out, err
	}
	engine.Staged(ctx, "page", "stored", "in effect: %s", s.effectWord(page))
	s.writePage(actor, old, c)
	s.setPage(page)
	if _, err := s.dropLeaving(ctx); err != nil {
		out.Findings = append(out.Findings, engine.Finding{ID: "cluster.member_not_removed", Severity: engine.FindingWarning, Text: engine.Text{
			EN: "The page is saved, but a peer that was taken off the list is still a member; it is removed as soon as the group can commit: " + err.Error(),
			JA: "ページは保存されましたが、リストから外したピアはまだメンバーです。グループがコミットできるようになり次第削除されます: " + err.Error()}})
	}
	out.Restart, out.Reset = s.RestartReasons(), s.resetNow(page.Reset)
	return out, nil
}

// writePage writes the log lines of a saved page. A changed TLS mode comes
// first: in the database's form, with the editor's line after the item's, as
// the seed has it.
func (s *Service) writePage(actor engine.Actor, old, c engine.Clustering) {
	lines := s.o.Lines.PageChanged(actor, old, c)
	if old.TLSMode != c.TLSMode && len(lines) > 0 && len(s.Running().Peers) > 0 {
		mode := s.o.Lines.TLSChanged(old.TLSMode, c.TLSMode, false)
		const item = 2 // the table and the item
		lines = slices.Concat(mode[:item], lines[:1], mode[item:], lines[1:])
	}
	for _, e := range lines {
		s.o.Emit(e)
	}
}

// saveReset keeps a page whose empty (or differently refilled) list has to do
// with a factory reset. The running cluster goes on until the restart.
func (s *Service) saveReset(ctx context.Context, actor engine.Actor, page Page, c engine.Clustering, a engine.ResetDecision) (engine.ClusteringSaved, error) {
	old := page.Entered
	if page.Reset == nil {
		page.Reset = &engine.Reset{Since: time.Now().UTC(), From: slices.Clone(old.Peers), Keep: a.Keep}
	}
	if a.Banner != (engine.Text{}) {
		page.Reset.Banner = a.Banner
	}
	if a.Action != engine.ResetNone {
		page.Reset.Blocked = a.Blocked
	}
	page.Entered, page.SavedAt = c, time.Now()
	if err := s.o.Pages.PutPage(ctx, page); err != nil {
		return engine.ClusteringSaved{}, err
	}
	if err := fail.Point("reset.armed"); err != nil {
		return engine.ClusteringSaved{}, err
	}
	engine.Staged(ctx, "page", "stored", "the factory reset keeps %s", strings.Join(page.Reset.Keep, ", "))
	s.setPage(page)
	for _, e := range s.o.Lines.PageChanged(actor, old, c) {
		s.o.Emit(e)
	}
	return engine.ClusteringSaved{Entered: c, Restart: s.RestartReasons(), Reset: s.resetNow(page.Reset), Findings: a.Findings}, nil
}

// Armed reports whether a factory reset is armed.
func (s *Service) Armed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page.Reset != nil
}

// noResetImage is why a reset cannot be carried out when its files are missing.
const noResetImage = "no_reset_image"

// resetNow is an armed reset with what stands in its way now: the files may
// have come or gone since it was armed.
func (s *Service) resetNow(r *engine.Reset) *engine.Reset {
	if r == nil {
		return nil
	}
	out := *r
	switch {
	case !s.o.ResetImage():
		out.Blocked = noResetImage
	case out.Blocked == noResetImage:
		out.Blocked = ""
	}
	return &out
}

// namePrimary makes this system the agreed primary when its page now says so.
// Another peer's nomination is that peer's to carry out: here it is a vote.
func (s *Service) namePrimary(ctx context.Context, page Page, c engine.Clustering, forced bool) error {
	own := s.indexOf(c.Peers)
	agreed := s.Agreed()
	if own == 0 || c.Primary != own || agreed.Primary == s.o.Node && !forced || agreed.Primary == "" || s.o.Identity().Standalone {
		return nil
	}
	if len(s.Running().Peers) == 0 {
		return nil
	}
	if forced {
		return s.forcePrimary(ctx, page, c)
	}
	if !s.canCommit() { // nothing is handed in that could be carried out later
		e := &engine.Error{Code: engine.Unavailable, Item: "Primary",
			Message: "the configuration primary was not changed: the cluster database cannot commit, since too few of its voters answer",
			Remedy:  "bring the present primary back, or restore the network to it; if it is lost, name this system by force"}
		if plan, err := s.ForcePlan(ctx); err == nil {
			e.Message += "; " + forceSummary(plan)
			e.Remedy += ": xCommand ClusterForceShow says what that does, ClusterSave with Force: On does it"
		}
		return e
	}
	err := s.o.Store.SetPrimary(ctx, agreed.Primary, s.o.Node)
	if err == nil {
		err = fail.Point("primary.named")
	}
	var e *engine.Error
	if errors.As(err, &e) && e.Code == engine.Unavailable {
		return &engine.Error{Code: engine.Unavailable, Err: err, Item: "Primary",
			Message: "whether the configuration primary was changed is not known: the cluster database lost its leader meanwhile",
			Remedy:  "wait until its state is Active, then look which primary is in effect and repeat the change if need be"}
	}
	if err == nil {
		engine.Staged(ctx, "primary", "named", "%s instead of %s", s.addressOf(s.o.Node), s.addressOf(agreed.Primary))
		s.StoreChanged(ctx)
	}
	return err
}

// canCommit reports whether a majority of the voters answers.
func (s *Service) canCommit() bool {
	voters := s.o.Group.Servers().Voters
	answer := 0
	for _, node := range voters {
		if s.reachable(node) {
			answer++
		}
	}
	return answer > len(voters)/2
}

// saveTLS saves a changed TLS mode as the replicated item that it is.
func (s *Service) saveTLS(ctx context.Context, actor engine.Actor, mode engine.TLSMode, out *engine.ClusteringSaved) error {
	if engine.TLSMode(s.o.Config.Get(ItemTLS)) == mode {
		return nil
	}
	if agreed := s.Agreed(); agreed.Primary != s.o.Node {
		if s.joining() || len(s.Running().Peers) == 0 {
			return nil // the cluster that it joins replaces the item
		}
		return engine.Errorf(engine.Denied, "the TLS verification mode is changed on the configuration primary, %s", s.addressOf(agreed.Primary)).
			With("TLSMode", "sign in there and save it; it is on every peer within a second")
	}
	saved, err := s.o.Config.SetReplicated(ctx, actor, []engine.Change{{Path: ItemTLS, Value: string(mode)}})
	if err != nil {
		return err
	}
	if err := fail.Point("tls.saved"); err != nil {
		return err
	}
	out.Saved = &saved
	engine.Staged(ctx, "tls mode", "saved", "%s, revision %d", mode, saved.Revision)
	return nil
}

// unlisted are the members that the primary takes off its list.
func (s *Service) unlisted(ctx context.Context, old, c engine.Clustering) []engine.Member {
	agreed := s.Agreed()
	if agreed.Primary != s.o.Node || len(c.Peers) == 0 {
		return nil
	}
	var out []engine.Member
	for _, m := range agreed.Members {
		if m.Node != s.o.Node && !s.lists(c.Peers, m) && s.lists(old.Peers, m) && !s.renamed(ctx, old.Peers, c.Peers, m) {
			out = append(out, m)
		}
	}
	return out
}

// renamed reports whether a member's entry was given another text that does
// not resolve now: a name that DNS does not know yet takes nobody out of the
// cluster. An entry that another one moved into is gone.
func (s *Service) renamed(ctx context.Context, old, now []string, m engine.Member) bool {
	i := entry(old, s.asListed(m, old).Address)
	if i == 0 || i > len(now) || entry(old, now[i-1]) > 0 {
		return false
	}
	return len(s.lookUp(ctx, now[i-1:i])[now[i-1]].IPs) == 0
}

// dropLeaving ends the memberships of those that the page says are leaving,
// unless they were listed again. Who could not be removed stays on the page, so
// that a restart does not forget it. The caller has the turn to save.
func (s *Service) dropLeaving(ctx context.Context) (dropped bool, err error) {
	page := s.copyPage()
	if len(page.Leaving) == 0 {
		return false, nil
	}
	if s.o.Group.Servers().Behind { // who is the primary, and who a member, may be of long ago
		return false, engine.Errorf(engine.Unavailable, "this system is catching up with the cluster database")
	}
	var left []engine.Member
	for _, m := range page.Leaving {
		if s.lists(page.Entered.Peers, m) || s.Agreed().Primary != s.o.Node {
			continue
		}
		if e := s.removeMember(ctx, m); e != nil {
			left, err = append(left, m), e
			continue
		}
		dropped = true
	}
	if len(left) == len(page.Leaving) {
		return dropped, err
	}
	page.Leaving = left
	if e := s.o.Pages.PutPage(ctx, page); e != nil {
		return dropped, errors.Join(err, e)
	}
	s.mu.Lock()
	s.page.Leaving = left
	s.mu.Unlock()
	return dropped, err
}

// dropLeft removes the members whose removal could not be committed before.
func (s *Service) dropLeft(ctx context.Context) bool {
	s.mu.Lock()
	none := len(s.page.Leaving) == 0
	s.mu.Unlock()
	if none || !s.saving.TryLock() {
		return false
	}
	defer s.saving.Unlock()
	dropped, err := s.dropLeaving(ctx)
	if err != nil {
		s.o.Log.Debug("members not removed yet", "module", "cluster", "err", err)
	}
	return dropped
}

// Restart reasons, as alarm 20007 names them.
const (
	restartFormed    = "clustering was set up"
	restartOwn       = "this system's own address was changed"
	restartIPVersion = "the cluster IP version was changed"
	restartTLS       = "the TLS verification mode was changed"
	restartReset     = "a factory reset is armed"
)

// inEffect is the running page after a save: all that needs no restart.
//
// Source: reference 1.5.
func (s *Service) inEffect(running, entered engine.Clustering) engine.Clustering {
	if len(running.Peers) == 0 {
		return running // nothing runs yet: the whole page waits for the restart
	}
	out := running
	out.Name, out.Primary = entered.Name, entered.Primary
	if s.sameOwn(running, entered) {
		out.Peers = slices.Clone(entered.Peers)
	}
	return out
}

// sameOwn reports whether both lists have this system under the same address.
func (s *Service) sameOwn(a, b engine.Clustering) bool {
	i, j := s.indexOf(a.Peers), s.indexOf(b.Peers)
	return i > 0 && j > 0 && strings.EqualFold(a.Peers[i-1], b.Peers[j-1])
}

// Pending is the part of the view that precedes every answer: why a restart
// is pending, the armed factory reset, the state of the database.
func (s *Service) Pending() engine.ClusterView {
	return engine.ClusterView{Restart: s.restartReasons(), Reset: s.resetNow(s.copyPage().Reset), Database: s.o.Group.Servers().State}
}

// RestartReasons says why a restart is pending; empty when none is.
func (s *Service) RestartReasons() []string { return s.restartReasons() }

func (s *Service) restartReasons() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restartReasonsLocked()
}

func (s *Service) restartReasonsLocked() []string {
	e, r := s.page.Entered, s.page.Running
	var out []string
	if s.page.Reset != nil {
		return []string{restartReset}
	}
	switch {
	case len(r.Peers) == 0 && len(e.Peers) > 0:
		return []string{restartFormed}
	case len(e.Peers) == 0:
		return nil
	}
	if !engine.SamePeers(e.Peers, r.Peers) {
		out = append(out, restartOwn)
	}
	if e.IPVersion != r.IPVersion {
		out = append(out, restartIPVersion)
	}
	if e.TLSMode != r.TLSMode {
		out = append(out, restartTLS)
	}
	return out
}

// Restart ends this process; its parent starts it again with the saved values.
// The other peers are told first, so that they know why this one is away.
//
// Errors: those of Gate.
func (s *Service) Restart(ctx context.Context, actor engine.Actor) error {
	procedure := ProcedureRestart
	if s.Armed() {
		procedure = ProcedureReset
	}
	return s.RestartFor(ctx, actor, procedure)
}

// RestartFor is Restart as the last step of a procedure that is carried out
// between the two processes.
//
// Errors: those of Gate.
func (s *Service) RestartFor(ctx context.Context, actor engine.Actor, procedure string) error {
	ctx, end := engine.WithStages(ctx)
	defer end()
	if procedure == ProcedureReset {
		engine.Staged(ctx, "reset", "armed", "%s", s.imageWord())
	}
	if _, err := s.Gate(ctx, procedure, StepRestart, s.Facts().Address); err != nil {
		return err
	}
	s.begun(procedure, StepRestart, s.Facts().Address)
	s.announce(ctx)
	if procedure == ProcedureReset {
		s.leaveGroup(ctx)
	}
	s.o.Restart(actor)
	engine.Staged(ctx, "restart", "begun", "%s", strings.Join(s.restartReasons(), "; "))
	return nil
}

// ConfigurationChanged follows the replicated items that are fields of the
// page: the mode that was saved on the primary is entered here too, and waits
// for a restart. Source: reference 1.5 and the seed's log of a mode change.
func (s *Service) ConfigurationChanged(ctx context.Context, changes []engine.Change) {
	s.restate()
	named, judged := false, false
	for _, c := range changes {
		if c.Path == ItemTLS {
			s.followTLS(ctx, engine.TLSMode(s.o.Config.Get(ItemTLS)))
		}
		named = named || strings.HasPrefix(c.Path, itemMapping)
		judged = judged || judgedItem(c.Path)
	}
	if named {
		s.watchNames(ctx)
		signal(s.wake)
	}
	if judged {
		signal(s.kick)
	}
	s.notify()
}

// judgedItem reports whether a change of an item is a reason to ask the rules
// at once; for the others the next periodic run is soon enough. Most items
// concern calls, and no rule of clustering looks at them.
func judgedItem(path string) bool {
	for _, area := range []string{"Alternates ", "ClusterConfiguration ", "DNS ", "Ethernet ", "H323 Mode", "IP ", "NTP ", "Option ", "SystemUnit "} {
		if strings.HasPrefix(path, area) {
			return true
		}
	}
	return strings.HasPrefix(path, "Zones Zone ") && (strings.HasSuffix(path, " Type") || strings.HasSuffix(path, " Address"))
}

func (s *Service) followTLS(ctx context.Context, mode engine.TLSMode) {
	s.saving.Lock() // a Save here enters the mode and writes the lines itself
	defer s.saving.Unlock()
	page := s.copyPage()
	if mode == "" || page.Entered.TLSMode == mode || len(page.Running.Peers) == 0 {
		return
	}
	old := page.Entered.TLSMode
	page.Entered.TLSMode = mode
	if err := s.o.Pages.PutPage(ctx, page); err != nil {
		s.o.Log.Error("TLS verification mode not kept", "module", "cluster", "err", err)
		return
	}
	for _, e := range s.o.Lines.TLSChanged(old, mode, false) {
		s.o.Emit(e) // before the alarms that follow
	}
	s.setPage(page)
}

// OpenWindow lets unknown keys of listed peers be pinned for ten more minutes.
func (s *Service) OpenWindow() {
	s.mu.Lock()
	s.window = time.Now()
	s.mu.Unlock()
}

func (s *Service) copyPage() Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.page
	if p.Reset != nil {
		r := *p.Reset
		p.Reset = &r
	}
	return p
}

func (s *Service) setPage(p Page) {
	s.mu.Lock()
	s.page = p
	s.mu.Unlock()
	s.restate()
	s.watchNames(context.Background())
	s.o.Link.Refresh()
	signal(s.wake)
	signal(s.kick)
	signal(s.rejoin)
	s.notify()
}

// watchNames lets the resolver follow every address that this page has.
func (s *Service) watchNames(ctx context.Context) {
	s.mu.Lock()
	list := slices.Concat(s.page.Running.Peers, s.page.Entered.Peers)
	s.mu.Unlock()
	slices.Sort(list)
	list = slices.Compact(list)
	s.o.Names.Watch(list)
	s.lookUp(ctx, list)
}

// addressOf names a node for people: its entry here, or its address when it joined.
func (s *Service) addressOf(node string) string {
	s.mu.Lock()
	members, peers := s.agreed.Members, s.page.Running.Peers
	s.mu.Unlock()
	for _, m := range members {
		if m.Node == node {
			return s.asListed(m, peers).Address
		}
	}
	return node
}

func trim(peers []string) []string {
	out := make([]string, 0, len(peers))
	for _, p := range peers {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}
