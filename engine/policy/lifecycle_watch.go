package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// Watched is the policies of the whole cluster at a glance, and this peer's
// scripts in detail.
type Watched struct {
	Active  engine.PolicyRevision  `json:"active"`
	Staged  *engine.PolicyRevision `json:"staged,omitempty"`
	Drafts  []string               `json:"drafts"`
	Peers   []WatchedPeer          `json:"peers"`
	Scripts []ScriptStatus         `json:"scripts"`
	Waivers int                    `json:"waivers"`
	// FourEyes and AutoRollback are the settings.
	FourEyes     bool `json:"four_eyes"`
	AutoRollback bool `json:"auto_rollback"`
}

// WatchedPeer is what one peer says of its policies; zero when it does not
// answer.
type WatchedPeer struct {
	Address   string `json:"address"`
	Here      bool   `json:"here,omitempty"`
	Reachable bool   `json:"reachable"`
	engine.PolicyFacts
}

// Status shows which revision runs where, and how it does.
func (l *Lifecycle) Status(ctx context.Context) (Watched, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return Watched{}, err
	}
	out := Watched{Active: book.Active(), Drafts: []string{}, Scripts: l.o.Policies.Status(), Waivers: len(book.Waivers),
		FourEyes:     strings.EqualFold(l.o.Setting(ItemFourEyes), "On"),
		AutoRollback: !strings.EqualFold(l.o.Setting(ItemAutoRollback), "Off")}
	for _, r := range book.Revisions {
		if r.State == engine.PolicyStaged || r.State == engine.PolicyStaging {
			out.Staged = &r
			break
		}
	}
	for _, s := range book.Scripts {
		if s.Draft != "" {
			out.Drafts = append(out.Drafts, s.Name)
		}
	}
	if l.o.Peers != nil {
		for _, p := range l.o.Peers.Peers(ctx) {
			if p.Here {
				p.Facts, p.Reachable = l.Facts(), true
			}
			out.Peers = append(out.Peers, WatchedPeer{Address: p.Address, Here: p.Here, Reachable: p.Reachable, PolicyFacts: p.Facts})
		}
	}
	return out, nil
}

// hourEvery is how often the last hour is compared with the revision before.
const hourEvery = time.Minute

// hourLimit is how many of the last hour's decisions are asked again.
const hourLimit = 500

// compareHour counts the decisions of the last hour that the revision before
// the active one would have made otherwise.
func (l *Lifecycle) compareHour(ctx context.Context) {
	if l.o.Records == nil || time.Since(l.changedAt) < hourEvery {
		return
	}
	l.changedAt = time.Now()
	l.mu.Lock()
	active := l.active
	l.mu.Unlock()
	changed := 0
	if active.Number > 0 {
		changed = l.changedSince(ctx, active)
	}
	l.changed.Store(int64(changed))
}

func (l *Lifecycle) changedSince(ctx context.Context, active engine.PolicyRevision) int {
	since := time.Now().Add(-time.Hour)
	if active.Activated.After(since) {
		since = active.Activated
	}
	decisions, err := l.o.Records.Decisions(ctx, since, "", hourLimit)
	if err != nil || len(decisions) == 0 {
		return 0
	}
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return 0
	}
	before, err := l.evaluator(ctx, book, active.BasedOn)
	if err != nil {
		return 0
	}
	changed := 0
	for _, d := range decisions {
		if d.Revision != active.Number || d.Masked {
			continue
		}
		if then, err := before(ctx, d.Hook, d.Input, false); err == nil && !sameAnswer(then.Answer, d.Answer) {
			changed++
		}
	}
	return changed
}

// maskKept masks what was kept before the configuration asked for it.
func (l *Lifecycle) maskKept(ctx context.Context) {
	if l.o.Records == nil || !strings.EqualFold(l.o.Setting(ItemMaskAliases), "On") {
		return
	}
	for ctx.Err() == nil {
		n, err := l.o.Records.MaskDecisions(ctx, Masked)
		if err != nil {
			l.log.Warn("kept decisions not masked", "err", err)
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// measure fills in the counts of this peer's scripts.
func (l *Lifecycle) measure(f *engine.PolicyFacts) {
	for _, s := range l.o.Policies.Status() {
		f.Failures += s.Failures
		f.Decisions += s.Evaluations
		f.P99US = max(f.P99US, s.P99.Microseconds())
	}
}

// kindOf says what kind of answer an answer is: "3 findings: a, b", "accept",
// "reject (code)". It is what a dry run groups by.
func kindOf(answer json.RawMessage) string {
	var fields map[string]any
	if json.Unmarshal(answer, &fields) != nil || len(fields) == 0 {
		return "nothing"
	}
	lower := map[string]any{}
	for k, v := range fields {
		lower[strings.ToLower(k)] = v
	}
	if list, ok := lower["findings"].([]any); ok {
		return findingsKind(list)
	}
	var parts []string
	for _, name := range []string{"action", "accept", "admit", "allowed", "reset", "code", "reason", "zone", "alias", "kbps", "calls"} {
		v, ok := lower[name]
		if ok && v != nil && v != "" && v != 0.0 {
			parts = append(parts, fmt.Sprintf("%s=%v", name, v))
		}
	}
	if len(parts) == 0 {
		return "answer"
	}
	return strings.Join(parts, " ")
}

func findingsKind(list []any) string {
	var ids []string
	for _, f := range list {
		if one, ok := f.(map[string]any); ok {
			ids = append(ids, fmt.Sprintf("%v %v", one["severity"], one["id"]))
		}
	}
	if len(ids) == 0 {
		return "no findings"
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ", ")
}
