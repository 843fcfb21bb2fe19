package console_test

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
)

func TestPoliciesAreListedByHook(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/policies")
	for _, text := range []string{"cluster.validate", "peer.identity", "A rule of this site", "Shadow", "Built-in", "Replaces a built-in", "newer built-in",
		"pinned on 192.0.2.1", "failed 2 times", "will be removed", "2 drafts wait", "Does not answer", "Has another revision", "Cannot load the revision"} {
		holds(t, body, text)
	}
	c.post("/language", "language", "ja", "here", "/policies")
	_, body = c.get("/policies")
	holds(t, body, "サイト独自のルール")
}

func TestAScriptIsShownWithColoursAndHistory(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/policies/script?name=site_rule")
	for _, text := range []string{`<span class="k">local</span>`, "Boardrooms &lt;b&gt;need", "サイト独自のルール", "limit.instructions at line 8", "Unpin on this system", "Drop the draft", "Mode, failure, order", strings.Repeat("a1", 6)} {
		holds(t, body, text)
	}
	if strings.Contains(body, "Pin on this system") {
		t.Error("a pinned script can be pinned once more")
	}
	_, body = c.get("/policies/diff?name=site_rule&from=builtin")
	holds(t, body, `<span class="new">`)
	if call, _ := a.called(t.Context(), "PolicyDiff"); call.Args["From"] != "builtin" || call.Args["To"] != "" {
		t.Errorf("the difference asked for %v", call.Args)
	}
	if status, _ := c.get("/policies/script?name=nothing"); status != http.StatusNotFound {
		t.Errorf("an unknown script: status %d, want 404", status)
	}
}

func TestADraftIsCheckedTestedAndSaved(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	form := func(do, source, tests string) []string {
		return []string{"name", "site_rule", "hook", "cluster.validate", "do", do, "source", source, "tests", tests, "comment", "a reason"}
	}
	broken := strings.ReplaceAll(strings.Replace(ruleSource, "c.cluster.size > 5", "c.cluster.size > five", 1), "\n", "\r\n")
	_, body := c.post("/policies/edit", form("check", broken, ruleTests)...)
	holds(t, body, "site_rule:8")
	holds(t, body, "unknown name five")
	holds(t, body, `<tr class="error"><th scope="row">8</th>`)
	holds(t, body, "&gt; five")

	_, body = c.post("/policies/edit", form("test", ruleSource, ruleTests)...)
	for _, text := range []string{"1 passed, 0 failed", `<tr class="unrun"><th scope="row">9</th>`, `<tr class="ran"><th scope="row">8</th>`, "lines run by tests", "test_a_pair"} {
		holds(t, body, text)
	}

	_, body = c.post("/policies/edit", form("test", ruleSource, "function test_wrong() expect.equal(1, 2) end\n")...)
	holds(t, body, "0 passed, 1 failed")
	holds(t, body, "got 1, want 2")

	_, body = c.post("/policies/edit", append(form("try", ruleSource, ruleTests), "input", `{"now":1}`)...)
	holds(t, body, "What it answered")

	status, body := c.post("/policies/edit", form("save", broken, ruleTests)...)
	if status != http.StatusOK {
		t.Fatalf("save: status %d\n%s", status, body)
	}
	holds(t, body, "Saved as a draft")
	call, _ := a.called(t.Context(), "PolicyPut")
	if strings.Contains(call.Body, `\r`) || !strings.Contains(call.Body, "site_rule") || call.Args["Comment"] != "a reason" || call.Actor.User != "admin" {
		t.Errorf("saving ran %+v", call)
	}
	a.change(func() { a.refuse = engine.Errorf(engine.Invalid, "site_rule:3: refused").With("", "correct it") })
	status, body = c.post("/policies/edit", form("save", ruleSource, ruleTests)...)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a refused save: status %d, want 422", status)
	}
	holds(t, body, "site_rule:3: refused")
	holds(t, body, "Boardrooms &lt;b&gt;need")
}

func TestANewPolicyStartsFromAScaffold(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	for _, hook := range policy.Hooks() {
		_, body := c.get("/policies/edit?name=fresh&hook=" + hook)
		holds(t, body, `hook = &#34;`+hook)
		holds(t, body, "function test_")
	}
	for query, want := range map[string]int{"name=site_rule&hook=keys.compare": http.StatusConflict, "name=Bad+name&hook=keys.compare": http.StatusUnprocessableEntity, "name=fresh&hook=no.hook": http.StatusNotFound} {
		status, body := c.get("/policies/edit?" + query)
		if status != want {
			t.Errorf("%s: status %d, want %d", query, status, want)
		}
		holds(t, body, `id="new-name"`)
	}
}

func TestRevisionsComeAndGo(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/policies/revisions")
	for _, text := range []string{"Revision 5 is staged", "site_rule:9: unknown name x", "Compiled and tested", "3 rows of data tables", "Roll back to revision 2"} {
		holds(t, body, text)
	}
	for _, tt := range []struct {
		form    []string
		command string
		args    map[string]string
		says    string
	}{
		{[]string{"do", "stage", "comment", "why"}, "PolicyStage", map[string]string{"Comment": "why"}, "The revision is staged"},
		{[]string{"do", "stage", "comment", "seen", "script", "site_rule", "mode", "enforce", "on_failure", "default", "order", "310"}, "PolicyStage",
			map[string]string{"Comment": "seen", "Script": "site_rule", "Mode": "enforce", "OnFailure": "default", "Order": "310"}, "The revision is staged"},
		{[]string{"do", "activate", "revision", "5", "mode", "shadow"}, "PolicyActivate", map[string]string{"Revision": "5", "Mode": "shadow"}, "is active on every peer"},
		{[]string{"do", "activate", "revision", "5", "mode", ""}, "PolicyActivate", map[string]string{"Revision": "5"}, "is active on every peer"},
		{[]string{"do", "rollback", "revision", "2"}, "PolicyRollback", map[string]string{"Revision": "2"}, "Rolled back"},
		{[]string{"do", "dryrun", "since", "24h", "revision", "5"}, "PolicyDryRun", map[string]string{"Since": "24h", "Revision": "5"}, "120 asked (3 of the present configuration), 4 changed"},
	} {
		status, body := c.post("/policies/revisions", tt.form...)
		if status != http.StatusOK {
			t.Errorf("%v: status %d", tt.form, status)
		}
		holds(t, body, tt.says)
		call, ran := a.called(t.Context(), tt.command)
		if !ran || len(call.Args) != len(tt.args) {
			t.Errorf("%v ran %+v, want %v", tt.form, call, tt.args)
		}
		for name, want := range tt.args {
			if call.Args[name] != want {
				t.Errorf("%v: %s = %q, want %q", tt.form, name, call.Args[name], want)
			}
		}
	}
	if status, _ := c.post("/policies/revisions", "do", "explode"); status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown button: status %d", status)
	}
}

// upload sends the file of the form "bring in an archive".
func (c *client) upload(text, trust string) (int, string) {
	c.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if text != "" {
		f, err := w.CreateFormFile("archive", "policies.tar")
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := errors.Join(w.WriteField("trust", trust), w.Close()); err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+"/policies/import", &body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, page := c.do(r)
	return res.StatusCode, page
}

// A revision goes out as a file and comes in as drafts; a stranger's signature
// has to be named.
func TestRevisionsGoOutAndComeIn(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/policies/revisions")
	holds(t, body, `href="/policies/archive?revision=2"`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/policies/archive?revision=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, archive := c.do(r)
	if res.StatusCode != http.StatusOK || archive != "archive of 2" || res.Header.Get("Content-Disposition") != `attachment; filename="policies-revision-2.tar"` {
		t.Errorf("exported %d %v %q", res.StatusCode, res.Header, archive)
	}
	status, body := c.upload(archive, "")
	if status != http.StatusOK {
		t.Errorf("imported: status %d", status)
	}
	holds(t, body, "drafts until the next revision")
	holds(t, body, "brought")
	if call, ran := a.called(t.Context(), "PolicyImport"); !ran || len(call.Args) != 0 {
		t.Errorf("importing ran %+v", call)
	}
	for _, tt := range []struct {
		text, trust string
		status      int
		says        string
	}{
		{"archive of 9", "", http.StatusForbidden, foreign},
		{"archive of 9", "SHA256:wrong", http.StatusForbidden, `value="SHA256:wrong"`},
		{"archive of 9", " " + foreign + " ", http.StatusOK, "drafts until the next revision"},
		{"something else", "", http.StatusUnprocessableEntity, "the archive cannot be read"},
		{"", "", http.StatusUnprocessableEntity, "Choose the file"},
		{"archive of " + strings.Repeat("x", 3<<20), "", http.StatusOK, "drafts until the next revision"},
	} {
		status, body := c.upload(tt.text, tt.trust)
		if status != tt.status {
			t.Errorf("%.20s, trust %q: status %d, want %d", tt.text, tt.trust, status, tt.status)
		}
		holds(t, body, tt.says)
	}
	if status, _ := c.post("/policies/import", "trust", "x"); status != http.StatusUnprocessableEntity {
		t.Errorf("a form without a file: status %d", status)
	}
	auditor := signedIn(t, c.base, "auditor")
	_, body = auditor.get("/policies/revisions")
	holds(t, body, `href="/policies/archive?revision=3"`)
	if strings.Contains(body, `action="/policies/import"`) {
		t.Error("an auditor is offered to bring in an archive")
	}
}

func TestFourEyesAreAsked(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/policies/revisions")
	holds(t, body, `name="four_eyes" value="on">`)
	c.post("/policies/revisions", "do", "activate", "revision", "5", "four_eyes", "on")
	if call, ran := a.called(t.Context(), "PolicyActivate"); !ran || call.Args["FourEyes"] != "True" {
		t.Errorf("with four eyes ran %+v", call)
	}
	a.change(func() { a.rules.eyes = true })
	_, body = c.get("/policies/revisions")
	holds(t, body, `name="four_eyes" value="on" checked disabled>`)
	holds(t, body, "The configuration asks for four eyes")
}

func TestDecisionsAreExplained(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "auditor")
	_, body := c.get("/policies/decisions?hook=cluster.validate&since=24h")
	holds(t, body, "d-abc")
	holds(t, body, "fail-safe")
	_, body = c.get("/policies/decision?id=d-abc")
	for _, text := range []string{"large {a=b, size=6}", "limit.instructions", `<tr class="ran"><th scope="row">9</th>`, "Revision 3 answers the same."} {
		holds(t, body, text)
	}
	_, body = c.get("/policies/decision?id=d-abc&with=2")
	holds(t, body, "answers otherwise")
	if status, _ := c.get("/policies/decision?id=d-none"); status != http.StatusNotFound {
		t.Errorf("an unknown decision: status %d, want 404", status)
	}
}

func TestTablesAndWaivers(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.post("/policies/data", "do", "set", "table", "branches", "key", "80", "value", "Sapporo")
	for _, text := range []string{"Sapporo", "Osaka", "Kobe", "removed", "changed", "new", "draft until the next revision"} {
		holds(t, body, text)
	}
	c.post("/policies/data", "do", "remove", "table", "branches", "key", "77")
	if call, ran := a.called(t.Context(), "PolicyDataDelete"); !ran || call.Args["Key"] != "77" {
		t.Errorf("removing a row ran %+v", call)
	}
	_, body = c.post("/policies/waivers", "finding", "cluster.name.bare", "for", "24h", "reason", "known", "peer", "192.0.2.2")
	holds(t, body, "is being moved")
	if call, _ := a.called(t.Context(), "PolicyWaive"); call.Args["Peer"] != "192.0.2.2" || call.Args["For"] != "24h" {
		t.Errorf("waiving ran %+v", call)
	}
	_, body = c.post("/policies/waivers", "id", "w-1")
	holds(t, body, "Nothing is waived")
}

func TestAnAuditorReadsPoliciesOnly(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "auditor")
	for _, path := range []string{"/policies", "/policies/script?name=site_rule", "/policies/revisions", "/policies/data", "/policies/waivers"} {
		_, body := c.get(path)
		for _, button := range []string{`value="save"`, `value="stage"`, `value="activate"`, `value="rollback"`, `value="remove"`, `value="set"`, `value="pin"`, `id="finding"`} {
			if strings.Contains(body, button) {
				t.Errorf("%s shows %s to an auditor", path, button)
			}
		}
	}
}

func TestPolicySchemasAreServed(t *testing.T) {
	t.Parallel()
	c := signedIn(t, start(t, newAppliance()), "auditor")
	_, body := c.get("/policies/schema?hook=cluster.validate&part=input")
	holds(t, body, `"peer_addresses"`)
	_, body = c.get("/policies/schema?hook=cluster.validate&part=answer")
	holds(t, body, `"severity"`)
	if status, _ := c.get("/policies/schema?hook=no.hook"); status != http.StatusNotFound {
		t.Errorf("an unknown hook: status %d, want 404", status)
	}
}

func TestPoliciesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	a.rules.fail = true
	c := signedIn(t, start(t, a), "admin")
	for _, path := range []string{"/policies", "/policies/revisions", "/policies/data"} {
		status, body := c.get(path)
		if status != http.StatusServiceUnavailable {
			t.Errorf("%s: status %d, want 503", path, status)
		}
		holds(t, body, "the policies cannot be read")
	}
}

func TestThePeersPoliciesAreLive(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "auditor")
	lines, _ := live(t, c, "policypeers")
	until(t, lines, "event: policypeers")
	until(t, lines, "Runs the active revision")
	a.change(func() { a.rules.fail = true })
	until(t, lines, "could not be read")
}
