package policy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/sqlstore/sqlstoretest"
)

// What a masked decision says nowhere: not in its input, its answer, its steps,
// a failure or a line of the log.
func TestAliasesAreMaskedWhereverADecisionIsKept(t *testing.T) {
	t.Parallel()
	const body = `log("asked for " .. c.alias)
why("user", { user = alias.user(c.alias), part = string.sub(c.alias, 1, 5), zone = "corp", n = 7 })
if c.hops == 1 then error("no way to " .. c.alias) end
return route { targets = { { zone = "corp", alias = "9" .. c.alias } } }`
	var on atomic.Bool
	var log bytes.Buffer
	var kept []policy.Decision
	var failed []policy.Failure
	p := open(t, policy.Options{Scripts: []policy.Script{scriptOf("search.route", body)}, MaskAliases: on.Load,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Record: func(d policy.Decision) { kept = append(kept, d) }, Fail: func(f policy.Failure) { failed = append(failed, f) }})
	ask := func(hops int) engine.Route {
		return p.Route(context.Background(), engine.RouteRequest{Alias: "secretary@example.com", Hops: hops, Protocol: engine.SIP,
			Source:     engine.SourceRecord{Alias: "4179123456", Zone: "inside"},
			Candidates: []engine.RouteCandidate{{Zone: "corp", Alias: "secretary@example.com", Rule: "to-corp"}}})
	}
	all := func() string {
		text, err := json.Marshal(map[string]any{"kept": kept, "failed": failed})
		if err != nil {
			t.Fatal(err)
		}
		return string(text) + log.String()
	}
	ask(9)
	if text := all(); !strings.Contains(text, "asked for secretary@example.com") || kept[0].Masked || strings.Count(text, "secret") < 5 {
		t.Fatalf("without masking: %s", text)
	}
	kept = nil
	log.Reset()
	on.Store(true)
	if d := ask(9); len(d.Targets) != 1 || d.Targets[0].Alias != "9secretary@example.com" {
		t.Errorf("the call itself: %+v", d)
	}
	ask(1)
	text := all()
	if len(kept) != 2 || len(failed) != 1 || !kept[0].Masked || !kept[1].Masked || strings.Contains(text, "secre") || strings.Contains(text, "4179123") {
		t.Errorf("masked: %s", text)
	}
	for want, in := range map[string]string{
		`"alias":"*1@example.com"`:         string(kept[0].Input),
		`{"alias":"*2"`:                    string(kept[0].Input[bytes.Index(kept[0].Input, []byte(`"source":`))+9:]),
		`"rule":"to-corp"`:                 string(kept[0].Input),
		`"zone":"corp","alias":"*3@examp`:  string(kept[0].Answer),
		`asked for *1@example.com`:         log.String(),
		`no way to *1@example.com`:         failed[0].Message,
		`no way to *1@example.com"`:        jsonOf(t, kept[1].Steps),
		`{"n":"7","part":"*1","user":"*1"`: jsonOf(t, kept[0].Steps),
	} {
		if !strings.Contains(in, want) {
			t.Errorf("want %s in %s", want, in)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMaskedDecisions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		in, answer     string
		detail         string
		want           string
		wantA, wantD   string
		nothing, wrong bool
	}{
		{name: "lists and nested ones", in: `{"aliases":["Anna@A.example","7001"],"source":{"alias":"sip:bob@b.example"}}`, answer: `{"allowed":true}`,
			detail: "ANNA or bobby", want: `{"aliases":["*1@A.example","*2"],"source":{"alias":"sip:*3@b.example"}}`, wantA: `{"allowed":true}`, wantD: "*1 or *3by"},
		{name: "the same wherever it is", in: `{"alias":"anna@a","dialled":"ANNA@a"}`, answer: `{"alias":"anna@b","reject":false}`,
			detail: "ann", want: `{"alias":"*1@a","dialled":"*1@a"}`, wantA: `{"alias":"*1@b","reject":false}`, wantD: "*1"},
		{name: "words of the rules stay", in: `{"alias":"premium@a","n":12345678901234567890}`, answer: `{"code":403,"zone":"premium","reason":"not premium"}`,
			want: `{"alias":"*1@a","n":12345678901234567890}`, wantA: `{"code":403,"zone":"premium","reason":"not *1"}`},
		{name: "a short one", in: `{"alias":"7"}`, answer: `{"reason":"77 of 7"}`, want: `{"alias":"*1"}`, wantA: `{"reason":"77 of 7"}`},
		{name: "no alias", in: `{"peers":[{"address":"192.0.2.1"}]}`, answer: `{"findings":[]}`, detail: "x", nothing: true},
		{name: "no JSON", in: `{`, answer: `{}`, wrong: true},
	} {
		d := policy.Decision{Input: json.RawMessage(c.in), Answer: json.RawMessage(c.answer), Steps: []policy.Step{{Script: "s", Detail: c.detail}}}
		got, err := policy.Masked(d)
		if c.wrong {
			if err == nil || len(got.Input) > 0 {
				t.Errorf("%s: %+v, %v", c.name, got, err)
			}
			continue
		}
		if c.nothing {
			c.want, c.wantA, c.wantD = c.in, c.answer, c.detail
		}
		if err != nil || got.Masked == c.nothing || string(got.Input) != c.want || string(got.Answer) != c.wantA || got.Steps[0].Detail != c.wantD {
			t.Errorf("%s: %s %s %q masked %v, %v\nwant %s %s %q", c.name, got.Input, got.Answer, got.Steps[0].Detail, got.Masked, err, c.want, c.wantA, c.wantD)
		}
	}
}

// What was kept before masking was asked for is masked too, and is not asked
// again: the rules would answer something else to the masks.
func TestKeptDecisionsAreMaskedAndNotAskedAgain(t *testing.T) {
	t.Parallel()
	s := sites(t, 1)[0]
	ask := func() engine.Admission {
		return s.policies.Admit(t.Context(), engine.CallRequest{Alias: "secretary@example.com", Protocol: engine.SIP, Hops: 9})
	}
	id := ask().Decision
	if x, err := s.Explain(t.Context(), id, true, 0); err != nil || x.Again == nil || !x.Same {
		t.Fatalf("as it was made: %+v, %v", x, err)
	}
	s.mu.Lock()
	s.settings[policy.ItemMaskAliases] = "On"
	s.mu.Unlock()
	s.run(t)
	sqlstoretest.Until(t, "the kept decision is masked", func() error {
		if d, err := s.Decision(t.Context(), id); err != nil || !d.Masked || strings.Contains(string(d.Input), "secretary") {
			return fmt.Errorf("%+v, %v", d, err)
		}
		return nil
	})
	if _, err := s.Explain(t.Context(), id, false, 0); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("asked again with another revision: %v", err)
	}
	if x, err := s.Explain(t.Context(), id, true, -1); err != nil || x.Again != nil || !x.Decision.Masked {
		t.Errorf("explained %+v, %v", x, err)
	}
	next := ask().Decision
	if d, err := s.Decision(t.Context(), next); err != nil || !d.Masked {
		t.Errorf("a new one: %+v, %v", d, err)
	}
	s.put(t, notice("site_notice", "first"))
	run, err := s.DryRun(t.Context(), policy.DryRunRequest{Hook: "call.admit"})
	if err != nil || run.Asked != 0 || run.Masked != 2 {
		t.Errorf("dry run %+v, %v", run, err)
	}
}
