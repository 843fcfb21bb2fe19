package sqlstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore/sqlstoretest"
)

var staged = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func draft(name, source, author string) engine.PolicyVersion {
	return engine.PolicyVersion{
		SHA256: engine.PolicyDigest(name, source, ""), Name: name, Hook: "call.admit", API: 1, Source: source, Author: author, Created: staged,
	}
}

// A script goes from draft to active on one peer, and every peer reads it.
func TestPolicyLifecycleRows(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	ctx, here, there := t.Context(), g.Peers[0], g.Peers[2]
	v := draft("guard", "-- one", "anna")
	if err := there.PutPolicyDraft(ctx, v, false); err != nil { // forwarded to the leader
		t.Fatal(err)
	}
	again := v
	again.Author, again.Replaces = "ben", "built"
	if err := here.PutPolicyDraft(ctx, again, false); err != nil {
		t.Fatal(err)
	}
	if err := here.DraftPolicyData(ctx, []engine.PolicyDatum{{Table: "vip", Key: "a", Value: "1", Author: "anna", At: staged}}); err != nil {
		t.Fatal(err)
	}
	r := engine.PolicyRevision{Number: 1, State: engine.PolicyStaging, Author: "anna", StagedBy: "ben", Created: staged,
		Items: []engine.PolicyItem{{Name: "guard", SHA256: v.SHA256}, {Name: "round_trip", Mode: "warn"}}}
	if err := here.StagePolicy(ctx, r, map[string]map[string]string{"vip": {"a": "1", "b": `"quoted"`}}); err != nil {
		t.Fatal(err)
	}
	if err := here.ActivatePolicy(ctx, r); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("activated before the peers were asked: %v", err)
	}
	acks := []engine.PolicyAck{{Peer: "192.0.2.1", OK: true, At: staged}, {Peer: "192.0.2.2", Detail: "guard:1: no", At: staged}}
	if err := here.AnswerPolicyStage(ctx, 1, acks, engine.PolicyStaged, ""); err != nil {
		t.Fatal(err)
	}
	r.Approver, r.Activated, r.Items[0].Mode = "ben", staged.Add(time.Second), "shadow"
	if err := there.ActivatePolicy(ctx, r); err != nil {
		t.Fatal(err)
	}
	g.Equal()
	for _, p := range g.Peers {
		b, err := p.PolicyBook(ctx)
		if err != nil {
			t.Fatal(err)
		}
		active := b.Active()
		if active.Number != 1 || active.Approver != "ben" || !active.Activated.Equal(r.Activated) || fmt.Sprint(active.Items) != fmt.Sprint(r.Items) {
			t.Errorf("%s: active is %+v, want %+v", p.Node, active, r)
		}
		if len(b.Scripts) != 1 || b.Scripts[0].Draft != "" || len(b.Drafts) != 0 {
			t.Errorf("%s: drafts stayed: %+v %+v", p.Node, b.Scripts, b.Drafts)
		}
		if len(b.Versions) != 1 || b.Versions[0].Author != "anna" || b.Versions[0].Replaces != "built" || b.Versions[0].Source != "" {
			t.Errorf("%s: versions %+v", p.Node, b.Versions)
		}
		if len(b.Acks) != 2 || !b.Acks[0].OK || b.Acks[1].Detail != "guard:1: no" {
			t.Errorf("%s: acks %+v", p.Node, b.Acks)
		}
		data, err := p.PolicyData(ctx, 1)
		if err != nil || data["vip"]["b"] != `"quoted"` || len(data["vip"]) != 2 {
			t.Errorf("%s: data %v, %v", p.Node, data, err)
		}
		texts, err := p.PolicyVersions(ctx, []string{v.SHA256, "none"})
		if err != nil || len(texts) != 1 || texts[v.SHA256].Source != "-- one" {
			t.Errorf("%s: texts %v, %v", p.Node, texts, err)
		}
		if n, _, err := p.PolicyMark(ctx); err != nil || n != 1 {
			t.Errorf("%s: mark %d, %v", p.Node, n, err)
		}
	}
}

// Of two that stage at once one is refused, and a staged revision is active
// only while the one that it was made from still is.
func TestPolicyRevisionsAreCompared(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	ctx, p := t.Context(), g.Peers[0]
	stage := func(n, base int64, state engine.PolicyState) error {
		return p.StagePolicy(ctx, engine.PolicyRevision{Number: n, BasedOn: base, State: state, Created: staged, Activated: staged, Reason: "test"}, nil)
	}
	for name, tt := range map[string]struct {
		n, base int64
	}{"a gap": {2, 0}, "a base that is not active": {1, 1}} {
		if err := stage(tt.n, tt.base, engine.PolicyStaging); engine.CodeOf(err) != engine.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := stage(1, 0, engine.PolicyStaged); err != nil {
		t.Fatal(err)
	}
	if err := stage(1, 0, engine.PolicyStaged); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("the same number twice: %v", err)
	}
	if err := stage(2, 0, engine.PolicyActive); err != nil { // a rollback comes first
		t.Fatal(err)
	}
	if err := p.ActivatePolicy(ctx, engine.PolicyRevision{Number: 1}); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("activated what was replaced: %v", err)
	}
	if err := p.AnswerPolicyStage(ctx, 1, nil, engine.PolicyStaged, ""); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("answered for what was replaced: %v", err)
	}
	if err := stage(3, 2, engine.PolicyActive); err != nil {
		t.Fatal(err)
	}
	b, err := p.PolicyBook(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, r := range b.Revisions {
		states = append(states, string(r.State))
	}
	if got := strings.Join(states, " "); got != "active retired retired" {
		t.Errorf("states are %s", got)
	}
}

func TestPolicyWaiversAndRemovals(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	ctx, p := t.Context(), g.Peers[0]
	if err := p.SetPolicyDraft(ctx, "none", engine.PolicyRemoved, "anna"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("removed what is not there: %v", err)
	}
	if err := p.PutPolicyDraft(ctx, engine.PolicyVersion{Name: "x", SHA256: "wrong"}, false); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("took a wrong digest: %v", err)
	}
	_, before, _ := p.PolicyMark(ctx)
	w := engine.PolicyWaiver{ID: "w-1", Finding: "cluster.rtt.over_limit", Peer: "192.0.2.2", Until: staged, Reason: "line is replaced", Author: "anna", Created: staged}
	if err := p.PutPolicyWaiver(ctx, w); err != nil {
		t.Fatal(err)
	}
	if _, after, _ := p.PolicyMark(ctx); after == before {
		t.Error("a waiver does not show in the mark")
	}
	if b, err := p.PolicyBook(ctx); err != nil || len(b.Waivers) != 1 || b.Waivers[0] != w {
		t.Errorf("waivers %+v, %v", b.Waivers, err)
	}
	if err := p.DeletePolicyWaiver(ctx, "w-1"); err != nil {
		t.Fatal(err)
	}
	if b, err := p.PolicyBook(ctx); err != nil || len(b.Waivers) != 0 {
		t.Errorf("waivers %+v, %v", b.Waivers, err)
	}
}

func TestDecisionStepsAndPins(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	pins := []engine.PolicyPin{{Script: "guard", Version: "v2", Runs: "v1", Reason: "3 failures in a row", By: "system", At: staged}}
	for range 2 {
		if err := l.PutPolicyPins(t.Context(), pins); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := l.PolicyPins(t.Context()); err != nil || fmt.Sprint(got) != fmt.Sprint(pins) {
		t.Errorf("pins %+v, %v", got, err)
	}
}
