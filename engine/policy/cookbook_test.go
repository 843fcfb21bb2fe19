package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hexad/engine/policy"
)

const cookbook = "../../testdata/policies/cookbook"

// recipes reads the scripts of the cookbook.
func recipes(t *testing.T) []policy.Script {
	t.Helper()
	files, err := filepath.Glob(cookbook + "/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	var out []policy.Script
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		if !strings.HasSuffix(name, "_test") {
			out = append(out, policy.Script{Name: name, Source: readText(t, file), Tests: readText(t, strings.TrimSuffix(file, ".lua")+"_test.lua")})
		}
	}
	return out
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tablesOf are the data tables that a script declares, empty: the check asks
// that they exist.
func tablesOf(source string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, uses := range regexp.MustCompile(`data = \{([^}]*)\}`).FindAllStringSubmatch(source, -1) {
		for _, name := range regexp.MustCompile(`"([a-z_]+)"`).FindAllStringSubmatch(uses[1], -1) {
			out[name[1]] = map[string]string{}
		}
	}
	return out
}

// passes fails unless a script passes its check and its tests, and these run
// every line of it.
func passes(t *testing.T, s policy.Script) {
	t.Helper()
	for _, p := range policy.Check(s, tablesOf(s.Source)) {
		t.Errorf("%s: %v", s.Name, p)
	}
	report := policy.Test([]policy.Script{s}, policy.TestOptions{Cover: true})
	if report.Failed > 0 || report.Passed == 0 || len(report.Scripts[0].Uncovered) > 0 {
		var text strings.Builder
		if err := report.Write(&text); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s:\n%s", s.Name, text.String())
	}
}

func TestCookbook(t *testing.T) {
	t.Parallel()
	scripts := recipes(t)
	if len(scripts) < 10 {
		t.Errorf("%d recipes, want ten or more", len(scripts))
	}
	for _, s := range scripts {
		passes(t, s)
	}
	if _, err := policy.New(policy.Options{Scripts: append(builtin(), scripts...), Data: tablesOf(allSources(scripts))}); err != nil {
		t.Errorf("built-ins and cookbook in one revision: %v", err)
	}
}

func allSources(scripts []policy.Script) string {
	var b strings.Builder
	for _, s := range scripts {
		b.WriteString(s.Source)
	}
	return b.String()
}

// The cookbook's pages show each recipe as it is in its file, in both languages
// in the same order.
func TestCookbookShowsTheScripts(t *testing.T) {
	t.Parallel()
	en := cookbookShows(t, "../../docs/policy-cookbook.md")
	ja := cookbookShows(t, "../../docs/policy-cookbook.ja.md")
	if !slices.Equal(en, ja) {
		t.Errorf("English shows %v\nJapanese %v", en, ja)
	}
}

// cookbookShows holds a page against the files and returns their names in its
// order.
func cookbookShows(t *testing.T, page string) (order []string) {
	t.Helper()
	text := readText(t, page)
	if n, want := strings.Count(text, "\n## "), strings.Count(text, "](#"); n != want {
		t.Errorf("%s has %d tasks and lists %d", page, n, want)
	}
	block := regexp.MustCompile("(?s)```lua ([a-z0-9_]+\\.lua)\n(.*?)```\n")
	shown := map[string]bool{}
	fresh := block.ReplaceAllStringFunc(text, func(old string) string {
		name := block.FindStringSubmatch(old)[1]
		shown[name] = true
		order = append(order, name)
		return fmt.Sprintf("```lua %s\n%s```\n", name, readText(t, filepath.Join(cookbook, name)))
	})
	for _, s := range recipes(t) {
		for _, file := range []string{s.Name + ".lua", s.Name + "_test.lua"} {
			if !shown[file] {
				t.Errorf("%s does not show %s", page, file)
			}
		}
	}
	if fresh == text {
		return order
	}
	if !*update {
		t.Errorf("%s is stale: make golden writes it anew", page)
	} else if err := os.WriteFile(page, []byte(fresh), 0o644); err != nil {
		t.Fatal(err)
	}
	return order
}

// Built-ins that always answer have the last word: without that no script of a
// site would ever be asked.
func TestSiteScriptsAreAskedBeforeTheLastWord(t *testing.T) {
	t.Parallel()
	scripts := recipes(t)
	data := tablesOf(allSources(scripts))
	data["branch_kbps"]["Osaka"] = "512"
	data["maintenance"]["from"], data["maintenance"]["to"] = "17", "20"
	p, err := policy.New(policy.Options{Scripts: append(builtin(), scripts...), Data: data})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ hook, input, script, answer string }{
		{"registration.admit", `{"aliases":["anna@example.com"],"protocol":"sip","licence":{"type":"desktop","free":3}}`, "vip_licences", "licences_reserved"},
		{"registration.admit", `{"aliases":["anna@example.com"],"protocol":"sip","licence":{"type":"desktop","free":30}}`, "admit_registration", `"allowed":true`},
		{"bandwidth.admit", `{"requested":2048,"path":[{"pipe":"Osaka"}],"downspeed_per_call":true}`, "subzone_bandwidth", `"kbps":512`},
		{"bandwidth.admit", `{"requested":2048,"path":[{"pipe":"Kyoto"}]}`, "bandwidth", `"kbps":2048`},
		{"findme.resolve", `{"devices":[{"alias":"desk","role":"primary","registered":true},{"alias":"mobile","role":"noanswer","registered":true}],"local_time":{"hour":20,"weekday":3}}`, "after_hours_findme", `["desk","mobile"]`},
		{"procedure.gate", `{"now":1800230400,"step":"restart","peer":"192.0.2.1"}`, "maintenance_window", "maintenance_window"},
		{"call.admit", `{"alias":"119","hops":5,"source":{"zone_type":"dns"}}`, "emergency", `"allowed":true`},
		{"call.admit", `{"alias":"90118155512345","hops":5,"source":{"zone_type":"dns"}}`, "", `"allowed":false`},
	} {
		d, err := p.Evaluate(t.Context(), tt.hook, []byte(tt.input), policy.Trace{})
		if err != nil {
			t.Errorf("%s: %v", tt.hook, err)
			continue
		}
		if tt.script != "" && d.Script != tt.script || !strings.Contains(string(d.Answer), tt.answer) {
			t.Errorf("%s %s: %s decided %s, want %s %s", tt.hook, tt.input, d.Script, d.Answer, tt.script, tt.answer)
		}
	}
}
