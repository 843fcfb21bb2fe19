package policy_test

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/sqlstore/sqlstoretest"
)

func TestFromDraftToActiveAndBack(t *testing.T) {
	t.Parallel()
	all := sites(t, 3)
	s, other := all[0], all[2]
	s.put(t, notice("site_notice", "first"))
	if got := s.found(t); len(got) != 0 {
		t.Errorf("a draft answers: %v", got)
	}
	staged := s.stage(t)
	if staged.Revision.Number != 1 || len(staged.Acks) != 3 || !slices.Equal(staged.Changed, []string{"site_notice"}) {
		t.Errorf("staged %+v", staged)
	}
	s.activate(t)
	if got := other.found(t); !slices.Equal(got, []string{"policy.site_notice.first"}) {
		t.Errorf("another peer found %v", got)
	}
	s.put(t, notice("site_notice", "second"))
	s.stage(t)
	s.activate(t)
	if got := other.found(t); !slices.Equal(got, []string{"policy.site_notice.second"}) {
		t.Errorf("another peer found %v", got)
	}
	r, err := other.Rollback(t.Context(), ben, -1, "second was wrong")
	if err != nil {
		t.Fatal(err)
	}
	if r.Number != 3 || r.State != engine.PolicyActive || r.Reason != "rolled back to revision 1" {
		t.Errorf("rolled back by %+v", r)
	}
	sqlstoretest.Until(t, "the first version answers again", func() error {
		s.follow(t)
		if got := s.found(t); !slices.Equal(got, []string{"policy.site_notice.first"}) {
			return fmt.Errorf("found %v", got)
		}
		return nil
	})
	past, err := s.History(t.Context())
	if err != nil || len(past) != 3 || past[1].State != engine.PolicyRetired {
		t.Errorf("history %+v, %v", past, err)
	}
	if _, err := s.Rollback(t.Context(), ben, 0, "built-ins alone"); err != nil {
		t.Fatal(err)
	}
	s.follow(t)
	if got := s.found(t); len(got) != 0 {
		t.Errorf("the built-ins alone found %v", got)
	}
}

func TestOneRefusalStopsTheStage(t *testing.T) {
	t.Parallel()
	all := sites(t, 3)
	s := all[0]
	all[1].refuse = "site_notice:1: API version 1 is not known here"
	s.put(t, notice("site_notice", "first"))
	_, err := s.Stage(t.Context(), anna, policy.StageRequest{})
	if engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), "192.0.2.2: site_notice:1: API version 1") {
		t.Fatalf("staged all the same: %v", err)
	}
	if _, err := s.Activate(t.Context(), ben, policy.ActivateRequest{Revision: 1}); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("activated what was refused: %v", err)
	}
	all[1].refuse, all[2].cut = "", true
	out := s.stage(t)
	if out.Revision.Number != 2 || !slices.Equal(out.Missing, []string{"192.0.2.3"}) {
		t.Errorf("staged %+v", out)
	}
	all[2].cut, all[2].refuse = false, "site_notice:1: no" // it is asked before the activation
	if _, err := s.Activate(t.Context(), ben, policy.ActivateRequest{}); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("activated over the refusal of a peer that came back: %v", err)
	}
}

func TestWhatIsRefusedBeforeItIsStored(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	override := func(name string) policy.SourceFile {
		for _, b := range builtins() {
			if b.Name == name {
				return policy.SourceFile{Name: name, Source: b.Source + "-- ours\n", Tests: b.Tests}
			}
		}
		t.Fatalf("no built-in %s", name)
		return policy.SourceFile{}
	}
	low := notice("low", "x")
	low.Source = strings.Replace(low.Source, "order = 500", "order = 150", 1)
	for name, tt := range map[string]struct {
		file policy.SourceFile
		want string
	}{
		"does not compile":   {policy.SourceFile{Name: "broken", Source: "local P = policy {"}, "broken"},
		"another name":       {policy.SourceFile{Name: "renamed", Source: notice("a", "x").Source}, "renamed"},
		"a fixed built-in":   {override("one_role"), "not to be replaced"},
		"order of built-ins": {low, "order 150"},
		"another hook":       {policy.SourceFile{Name: "h323_required", Source: notice("h323_required", "x").Source}, "cannot answer"},
	} {
		if _, err := s.Put(t.Context(), anna, []policy.SourceFile{tt.file}, ""); engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := s.Put(t.Context(), anna, []policy.SourceFile{override("round_trip")}, ""); err != nil {
		t.Errorf("an override: %v", err)
	}
	failing := notice("failing", "x")
	failing.Tests = "function test_no() expect.equal(1, 2) end"
	s.put(t, failing)
	if _, err := s.Stage(t.Context(), anna, policy.StageRequest{}); err == nil || !strings.Contains(err.Error(), "failing/test_no") {
		t.Errorf("staged with a failing test: %v", err)
	}
	if err := s.Remove(t.Context(), anna, "failing", true); err != nil {
		t.Fatal(err)
	}
	s.stage(t)
}

func TestFourEyes(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	s.settings[policy.ItemFourEyes] = "On"
	s.put(t, notice("site_notice", "first"))
	s.stage(t)
	if _, err := s.Activate(t.Context(), anna, policy.ActivateRequest{}); engine.CodeOf(err) != engine.Denied {
		t.Errorf("the author approved: %v", err)
	}
	s.activate(t) // by ben
	warn := "warn"
	if _, err := s.Stage(t.Context(), ben, policy.StageRequest{Settings: map[string]policy.Settings{"round_trip": {Mode: &warn}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Activate(t.Context(), ben, policy.ActivateRequest{}); engine.CodeOf(err) != engine.Denied {
		t.Errorf("who changed a mode approved it: %v", err)
	}
}

func TestDryRunTellsWhatWouldChange(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	for range 3 {
		s.found(t)
	}
	s.put(t, notice("site_notice", "first"))
	out, err := s.DryRun(t.Context(), policy.DryRunRequest{Since: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if out.Asked != 3 || out.Changed != 3 || out.Failed != 0 || out.Present != 1 || len(out.Differences) != 1 {
		t.Fatalf("dry run %+v", out)
	}
	if d := out.Differences[0]; d.Count != 3 || len(d.Samples) != 3 || !strings.Contains(d.Is, "policy.site_notice.first") {
		t.Errorf("difference %+v", d)
	}
	if err := s.Remove(t.Context(), anna, "site_notice", true); err != nil {
		t.Fatal(err)
	}
	if out, err := s.DryRun(t.Context(), policy.DryRunRequest{}); err != nil || out.Changed != 0 {
		t.Errorf("without drafts %+v, %v", out, err)
	}
}

func TestExplainAgain(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	s.put(t, notice("site_notice", "first"))
	s.stage(t)
	s.activate(t)
	s.found(t)
	id := s.decisions[0].ID
	plain, err := s.Explain(t.Context(), id, false, -1)
	if err != nil || plain.Again != nil || plain.Decision.Revision != 1 {
		t.Fatalf("explained %+v, %v", plain, err)
	}
	lines, err := s.Explain(t.Context(), id, true, -1)
	if err != nil || !lines.Same {
		t.Fatalf("explained %+v, %v", lines, err)
	}
	i := slices.IndexFunc(lines.Sources, func(x policy.ExplainedLines) bool { return x.Script == "site_notice" })
	if i < 0 || !slices.Contains(lines.Sources[i].Ran, 7) {
		t.Errorf("lines %+v", lines.Sources)
	}
	before, err := s.Explain(t.Context(), id, false, 0)
	if err != nil || before.Same || strings.Contains(string(before.Again.Answer), "site_notice") {
		t.Errorf("with the built-ins alone: same %v, %v: %s", before.Same, err, before.Again.Answer)
	}
	if _, err := s.Explain(t.Context(), "d-none", false, -1); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("no such decision: %v", err)
	}
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	tomorrow := time.Now().Add(24 * time.Hour)
	for name, w := range map[string]engine.PolicyWaiver{
		"never waivable": {Finding: "cluster.role.mixed", Until: tomorrow, Reason: "x"},
		"past":           {Finding: "cluster.rtt.over_limit", Until: time.Now().Add(-time.Second), Reason: "x"},
		"no reason":      {Finding: "cluster.rtt.over_limit", Until: tomorrow},
		"unknown":        {Finding: "none", Until: tomorrow, Reason: "x"},
	} {
		if _, err := s.PutWaiver(t.Context(), anna, w); engine.CodeOf(err) != engine.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, err := s.PutWaiver(t.Context(), anna, engine.PolicyWaiver{Finding: "cluster.rtt.over_limit", Peer: "192.0.2.2", Until: tomorrow, Reason: "line is replaced"})
	if err != nil {
		t.Fatal(err)
	}
	s.follow(t)
	findings := func() []engine.Finding {
		return s.Waive([]engine.Finding{
			{ID: "cluster.rtt.over_limit", Severity: engine.FindingError, Alarm: 70013, Peer: "192.0.2.2"},
			{ID: "cluster.rtt.over_limit", Severity: engine.FindingError, Alarm: 70013, Peer: "192.0.2.3"},
		})
	}
	got := findings()
	if got[0].Alarm != 0 || got[0].Severity != engine.FindingInfo || got[0].Waived == nil || got[0].Waived.Reason != "line is replaced" {
		t.Errorf("not waived: %+v", got[0])
	}
	if got[1].Alarm == 0 || got[1].Waived != nil {
		t.Errorf("waived for another peer: %+v", got[1])
	}
	if err := s.EndWaiver(t.Context(), anna, w.ID); err != nil {
		t.Fatal(err)
	}
	s.follow(t)
	if got := findings(); got[0].Waived != nil {
		t.Errorf("still waived: %+v", got[0])
	}
}

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	from, to := sites(t, 1)[0], sites(t, 2)
	if err := from.SetData(t.Context(), anna, "branches", map[string]string{"11": "Osaka"}, false); err != nil {
		t.Fatal(err)
	}
	from.put(t, notice("site_notice", "first"))
	from.stage(t)
	from.activate(t)
	archive, err := from.Export(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = to[1].Import(t.Context(), ben, archive, "") // the key of another cluster
	if engine.CodeOf(err) != engine.Denied {
		t.Fatalf("imported from an unknown signer: %v", err)
	}
	fingerprint := hex.EncodeToString(newSigner("192.0.2.1").key.Public().(ed25519.PublicKey))
	in, err := to[1].Import(t.Context(), ben, archive, fingerprint)
	if err != nil || len(in.Versions) != 1 || !slices.Equal(in.Tables, []string{"branches"}) {
		t.Fatalf("imported %+v, %v", in, err)
	}
	to[1].stage(t)
	to[1].activate(t)
	if got := to[0].found(t); !slices.Equal(got, []string{"policy.site_notice.first"}) {
		t.Errorf("found %v", got)
	}
	damaged := []byte(strings.Replace(string(archive), "evaluate(c)", "evaluate(d)", 1))
	if _, err := to[1].Import(t.Context(), ben, damaged, fingerprint); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("imported what was changed: %v", err)
	}
}

func TestPinsAndAutomaticRollback(t *testing.T) {
	t.Parallel()
	all := sites(t, 2)
	s := all[0]
	s.put(t, notice("site_notice", "first"))
	s.stage(t)
	s.activate(t)
	bad := notice("site_notice", "second")
	bad.Source = strings.Replace(bad.Source, "  return", "  if c.occasion == \"periodic\" and c.peers[1].system_name == \"fails\" then error(\"no\") end\n  return", 1)
	bad.Tests = ""
	s.put(t, bad)
	s.stage(t)
	s.activate(t)
	for range 3 { // the breaker: three in a row
		s.found(t)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	sqlstoretest.Until(t, "the version is taken back", func() error {
		if now := s.policies.Revision(); now != 3 {
			return fmt.Errorf("revision %d", now)
		}
		return nil
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := s.found(t); !slices.Equal(got, []string{"policy.site_notice.first"}) {
		t.Errorf("found %v", got)
	}
	if s.holds("70002 site_notice") || len(s.Facts().Pins) != 0 {
		t.Errorf("the pin of the old version stayed: %v", s.Facts().Pins)
	}
	past, err := s.History(t.Context())
	if err != nil || !strings.Contains(past[0].Reason, "pinned on 1 of 2") || past[0].Author != "system" {
		t.Errorf("history %+v, %v", past[0], err)
	}
}

func TestPinByHandOutlivesARestart(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	if err := s.Pin(t.Context(), anna, "round_trip", "too strict today"); err != nil {
		t.Fatal(err)
	}
	if !s.holds("70002 round_trip") {
		t.Errorf("no alarm: %v", s.alarms)
	}
	s.start(t)
	if got := s.Facts().Pins; len(got) != 1 || got[0].By != "anna" || !s.holds("70002 round_trip") {
		t.Errorf("after the restart: %+v, %v", got, s.alarms)
	}
	if err := s.Unpin(t.Context(), anna, "round_trip"); err != nil {
		t.Fatal(err)
	}
	if s.holds("70002 round_trip") {
		t.Error("the alarm stayed")
	}
	if err := s.Unpin(t.Context(), anna, "round_trip"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("unpinned twice: %v", err)
	}
}

// A revision that this release cannot load leaves the built-ins running.
func TestUnloadableRevision(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	v := engine.PolicyVersion{Name: "later", Source: "return policy { api = 9 }", Hook: "peer.prerequisites", API: 9, Author: "anna", Created: time.Now()}
	v.SHA256 = engine.PolicyDigest(v.Name, v.Source, "")
	ctx := t.Context()
	r := engine.PolicyRevision{Number: 1, State: engine.PolicyActive, Created: time.Now(), Activated: time.Now(), Items: []engine.PolicyItem{{Name: "later", SHA256: v.SHA256}}}
	if err := errors.Join(s.peer.PutPolicyDraft(ctx, v, false), s.peer.StagePolicy(ctx, r, nil)); err != nil {
		t.Fatal(err)
	}
	s.follow(t)
	if s.policies.Revision() != 0 || !s.holds("70004 ") || s.Facts().Unloadable != 1 {
		t.Errorf("revision %d, alarms %v, facts %+v", s.policies.Revision(), s.alarms, s.Facts())
	}
	if _, err := s.Rollback(ctx, ben, 0, ""); err != nil {
		t.Fatal(err)
	}
	s.follow(t)
	if s.holds("70004 ") {
		t.Error("the alarm stayed")
	}
}

func TestOutdatedOverride(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	b := builtins()[slices.IndexFunc(builtins(), func(s policy.Script) bool { return s.Name == "round_trip" })]
	v := engine.PolicyVersion{Name: b.Name, Source: b.Source + "-- ours\n", Hook: "peer.prerequisites", API: 1, Replaces: "an older one", Author: "anna", Created: time.Now()}
	v.SHA256 = engine.PolicyDigest(v.Name, v.Source, "")
	ctx := t.Context()
	r := engine.PolicyRevision{Number: 1, State: engine.PolicyActive, Created: time.Now(), Activated: time.Now(), Items: []engine.PolicyItem{{Name: v.Name, SHA256: v.SHA256}}}
	if err := errors.Join(s.peer.PutPolicyDraft(ctx, v, true), s.peer.StagePolicy(ctx, r, nil)); err != nil {
		t.Fatal(err)
	}
	s.follow(t)
	if !s.holds("70003 round_trip") {
		t.Errorf("alarms %v", s.alarms)
	}
	lines, same, err := s.Diff(ctx, "round_trip", "", "")
	if err != nil || same || !slices.Contains(lines, "+-- ours") {
		t.Errorf("difference %v, %v", lines, err)
	}
	// Saved again, it replaces the present one.
	s.put(t, policy.SourceFile{Name: b.Name, Source: v.Source})
	if _, err := s.Rollback(ctx, ben, 0, ""); err != nil {
		t.Fatal(err)
	}
	s.stage(t)
	s.activate(t)
	if s.holds("70003 round_trip") {
		t.Error("the alarm stayed")
	}
}

// Eight ask while revisions change: no decision mixes revisions, none is lost.
func TestSwapWhileAsked(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	pairOf := func(id string) []policy.SourceFile { return []policy.SourceFile{notice("one", id), notice("two", id)} }
	s.put(t, pairOf("r1")...)
	s.stage(t)
	s.activate(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				j := s.policies.Prerequisites(context.WithoutCancel(ctx), pair())
				var ids []string
				for _, f := range j.Findings {
					if strings.HasPrefix(f.ID, "policy.") {
						ids = append(ids, f.ID[strings.LastIndex(f.ID, ".")+1:])
					}
				}
				if len(ids) != 2 || ids[0] != ids[1] || j.Degraded != nil {
					t.Errorf("mixed or lost: %v, %v", ids, j.Degraded)
					return
				}
			}
		})
	}
	for n := 2; n <= 5; n++ {
		s.put(t, pairOf(fmt.Sprint("r", n))...)
		s.stage(t)
		s.activate(t)
	}
	stop()
	wg.Wait()
}

func TestEvalOfOneFile(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	input, err := json.Marshal(pair())
	if err != nil {
		t.Fatal(err)
	}
	file := notice("tried", "now")
	d, err := s.Eval(t.Context(), "", input, -1, &file, true)
	if err != nil || !strings.Contains(string(d.Answer), "policy.tried.now") {
		t.Errorf("answered %s, %v", d.Answer, err)
	}
	if _, err := s.Eval(t.Context(), "no.hook", input, -1, nil, false); err == nil {
		t.Error("asked a hook that is none")
	}
}

// A rule about the identity of peers that would refuse a member is not staged:
// it would cut the cluster apart, and no rollback would bring it together again.
func TestARuleThatCutsTheClusterApartIsNotStaged(t *testing.T) {
	t.Parallel()
	s := sites(t, 2)[0]
	in := engine.IdentityInput{ConfiguredAddress: "192.0.2.2", SourceIP: "192.0.2.2", SANs: []string{"peer2.example.com"}, TLSMode: engine.Permissive}
	if d := s.policies.Identity(t.Context(), in); !d.Accept {
		t.Fatalf("before: %+v", d)
	}
	gone := in
	gone.ConfiguredAddress = "192.0.2.9" // a member no longer
	s.policies.Identity(t.Context(), gone)
	rule := func(name string) policy.SourceFile {
		return policy.SourceFile{Name: "ours_only", Source: `local P = policy {
  name = "ours_only", api = 1, hook = "peer.identity", order = 300, title = { en = "Ours only" },
}
function P.evaluate(c)
  if c.names[1] ~= "` + name + `" then return reject { reason = "not_ours" } end
  return nil
end
return P
`}
	}
	s.put(t, rule("peer3.example.com"))
	if _, err := s.Stage(t.Context(), anna, policy.StageRequest{}); engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), "ours_only would refuse peer 192.0.2.2") {
		t.Errorf("staged all the same: %v", err)
	}
	shadow := "shadow"
	if _, err := s.Stage(t.Context(), anna, policy.StageRequest{Settings: map[string]policy.Settings{"ours_only": {Mode: &shadow}}}); err != nil {
		t.Errorf("in the shadow: %v", err)
	}
	if _, err := s.Activate(t.Context(), ben, policy.ActivateRequest{Mode: "enforce"}); engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), "would refuse") {
		t.Errorf("out of the shadow: %v", err)
	}
	s.put(t, rule("peer2.example.com"))
	s.stage(t)
	s.activate(t)
	if d := s.policies.Identity(t.Context(), in); !d.Accept {
		t.Errorf("a peer of ours: %+v", d)
	}
	in.SANs = []string{"peer3.example.com"}
	if d := s.policies.Identity(t.Context(), in); d.Accept || d.Reason != "not_ours" {
		t.Errorf("another: %+v", d)
	}
}

// A peer that does not answer has said what its release knows: what it could
// not run is not staged, not activated and not rolled back to.
func TestAnOlderPeerThatDoesNotAnswerStopsTheStage(t *testing.T) {
	t.Parallel()
	all := sites(t, 2)
	s, other, old := all[0], all[1], 0
	s.put(t, notice("site_notice", "first"))
	s.stage(t)
	other.cut, other.api = true, &old
	if _, err := s.Activate(t.Context(), ben, policy.ActivateRequest{}); engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), "peer 192.0.2.2 does not answer, and its release knows no API version above 0: site_notice uses 1") {
		t.Errorf("activated: %v", err)
	}
	s.put(t, notice("site_notice", "second"))
	if _, err := s.Stage(t.Context(), anna, policy.StageRequest{}); engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), "site_notice uses 1") {
		t.Errorf("staged: %v", err)
	}
	if past, err := s.History(t.Context()); err != nil || len(past) != 1 {
		t.Errorf("history %+v, %v", past, err)
	}
	other.api, other.unheard = nil, true // every release with scripts knows version 1
	s.stage(t)
	s.activate(t)
	if _, err := s.Rollback(t.Context(), ben, 0, ""); err != nil {
		t.Fatal(err)
	}
	other.api, other.unheard = &old, false
	if _, err := s.Rollback(t.Context(), ben, 2, ""); engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), "site_notice uses 1") {
		t.Errorf("rolled back to it: %v", err)
	}
}

func TestAChangeOfSettingsIsAChange(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	s.put(t, notice("site_notice", "first"))
	s.stage(t)
	s.activate(t)
	shadow := "shadow"
	out, err := s.Stage(t.Context(), anna, policy.StageRequest{Settings: map[string]policy.Settings{"site_notice": {Mode: &shadow}}})
	if err != nil || !slices.Equal(out.Changed, []string{"site_notice"}) {
		t.Errorf("staged %+v, %v", out, err)
	}
}
