package console_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"hexad/engine"
)

// browser starts a real browser with a fresh profile. Tests that need one are
// skipped, by name, where there is none.
func browser(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: install the package chromium to run the browser tests")
	}
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900)}
	for _, name := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "ignore-certificate-errors"} {
		flags = append(flags, chromedp.Flag(name, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, limit)
	t.Cleanup(cancel)
	return ctx
}

// do runs actions and fails the test with what the page showed.
func do(t *testing.T, ctx context.Context, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		text, _ := chromedp.Run(late, chromedp.Text(chromedp.CSS("body"))) // the failure is already one
		t.Fatalf("%s: %v\n%s", what, err, text)
	}
}

// sees waits until an element that matches selector holds text, across
// navigations.
func sees(selector, text string) chromedp.Action[chromedp.Void] {
	js := fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))`, selector, text)
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		for tick := time.Tick(50 * time.Millisecond); ; {
			if seen, err := chromedp.Evaluate[bool](js)(ctx, target); err == nil && seen {
				return nil
			}
			select {
			case <-tick:
			case <-ctx.Done():
				return fmt.Errorf("no %s holds %q", selector, text)
			}
		}
	})
}

// ask evaluates a script in the page.
func ask[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

func TestBrowser(t *testing.T) {
	ctx := browser(t, 2*time.Minute)
	a := newAppliance()
	base := start(t, a)
	do(t, ctx, "sign in", chromedp.Navigate(base+"/clustering"), chromedp.SetValue(chromedp.CSS("#account"), "admin"),
		chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"), sees("h1", "Clustering"))
	do(t, ctx, "an edit of the clustering page is refused beside its field",
		chromedp.SetValue(chromedp.CSS("#peer6"), "bad..name"), chromedp.Click(chromedp.CSS("button[name=save]")),
		sees("#peer6-notes .finding", "bad..name is no address."))
	if !ask[bool](t, ctx, `document.querySelector("#peer6").value === "bad..name"`) {
		t.Error("what was typed is lost after a refusal")
	}
	do(t, ctx, "save", chromedp.SetValue(chromedp.CSS("#peer6"), "192.0.2.6"), chromedp.Click(chromedp.CSS("button[name=save]")), sees(".notice", "Saved"))
	if got := a.lastCall().Args["Peer6"]; got != "192.0.2.6" {
		t.Errorf("Peer6 of the saved page = %q, want 192.0.2.6", got)
	}
	a.change(func() { a.view.Peers[3].State, a.view.Peers[3].Cause = engine.PeerActive, "" })
	do(t, ctx, "a badge changes by itself", sees("#peer4-status .badge", "Active"))
	do(t, ctx, "acknowledge an alarm", chromedp.Navigate(base+"/alarms"), chromedp.Click(chromedp.CSS(`a[href*="id=20007"]`)), sees("h2", "20007"),
		chromedp.SendKeys(chromedp.CSS("#comment"), "tonight\r"), sees(".notice", "Acknowledged"), sees("dd", "tonight"))
	do(t, ctx, "ask with SQL", chromedp.Navigate(base+"/sql"), chromedp.SendKeys(chromedp.CSS("#statement"), "SELECT * FROM diag_zone"),
		chromedp.Click(chromedp.CSS(".actions button")), sees("table.data td", "branch <b>"), sees("table.data td", "9007199254740993"))
	do(t, ctx, "write a policy", chromedp.Navigate(base+"/policies"), sees("table.scripts", "site_rule"), chromedp.SendKeys(chromedp.CSS("#new-name"), "my_rule"),
		chromedp.Click(chromedp.CSS("form[action='/policies/edit'] button")), sees("h2", "my_rule"))
	wrong := `const s = document.querySelector("#source"); s.value = s.value.replace("c.proposed.name", "c.proposed.nam e"); true`
	if !ask[bool](t, ctx, wrong) {
		t.Error("the source cannot be edited")
	}
	do(t, ctx, "the check fails at a line", chromedp.Click(chromedp.CSS("button[value=check]")), sees("#result .finding", "my_rule:21"),
		sees("table.source tr.error .note", "parse error"))
	if !ask[bool](t, ctx, `document.querySelector("#source").value.includes("nam e")`) {
		t.Error("what was typed is lost after a check")
	}
	if !ask[bool](t, ctx, `document.querySelector("#source").value = document.querySelector("#source").value.replace("nam e", "name"); true`) {
		t.Error("the source cannot be edited")
	}
	do(t, ctx, "it is repaired and its tests pass", chromedp.Click(chromedp.CSS("button[value=test]")), sees("#result h2", "3 passed, 0 failed"), sees("table.source tr.ran .mark", "✓"))
	do(t, ctx, "save it", chromedp.Click(chromedp.CSS("button[value=save]")), sees(".notice", "Saved as a draft"))
	archive := filepath.Join(t.TempDir(), "policies-revision-9.tar")
	if err := os.WriteFile(archive, []byte("archive of 9"), 0o600); err != nil {
		t.Fatal(err)
	}
	choose, send := chromedp.SetUploadFiles(chromedp.CSS("#archive"), []string{archive}), chromedp.Click(chromedp.CSS("form[action='/policies/import'] button"))
	do(t, ctx, "an archive of a stranger is refused", chromedp.Navigate(base+"/policies/revisions"), choose, send, sees("main", foreign))
	do(t, ctx, "and taken when its signer is named", choose, chromedp.SetValue(chromedp.CSS("#trust"), foreign), send, sees(".notice", "Imported"), sees("a code", "brought"))
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`fetch(document.querySelector("a[href='/policies/archive?revision=3']").href).then(r => r.text())`, chromedp.EvalAwaitPromise))
	if err != nil || got != "archive of 3" {
		t.Errorf("the file of revision 3 is %q, %v", got, err)
	}
	do(t, ctx, "four eyes approve", chromedp.Click(chromedp.CSS("input[name=four_eyes]")), chromedp.Click(chromedp.CSS("button[value=activate]")), sees(".notice", "active on every peer"))
	if call, ran := a.called(t.Context(), "PolicyActivate"); !ran || call.Args["FourEyes"] != "True" {
		t.Errorf("the tick ran %+v", call)
	}
	do(t, ctx, "the same in Japanese", chromedp.Click(chromedp.CSS("button[value=ja]")), sees("h2", "アーカイブを取り込む"), sees("label", "二者承認"),
		chromedp.Click(chromedp.CSS("button[value=en]")), sees("h2", "Bring in an archive"))
	do(t, ctx, "back to SQL", chromedp.Navigate(base+"/sql?statement=SELECT+1"), sees("table.data td", "branch <b>"))
	do(t, ctx, "switch the language", chromedp.Click(chromedp.CSS("button[value=ja]")), sees("h2", "結果"), sees("nav.pages a", "クラスタリング"))
	errors := ask[[]string](t, ctx, `[...document.querySelectorAll("[style],script:not([src]),style")].map(e => e.outerHTML.slice(0, 80))`)
	if len(errors) > 0 {
		t.Errorf("inline scripts or styles: %q", errors)
	}
}

// picture takes a picture of the whole page. Now and then the browser draws no
// frame for one; then it is asked again.
func picture(t *testing.T, ctx context.Context) []byte {
	t.Helper()
	type taken struct {
		png []byte
		err error
	}
	done := make(chan taken, 5)
	for range 5 {
		go func() {
			png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			done <- taken{png, err}
		}()
		select {
		case p := <-done:
			if p.err != nil {
				t.Fatalf("no picture: %v", p.err)
			}
			return p.png
		case <-time.After(5 * time.Second):
		}
	}
	t.Fatal("no picture in five attempts")
	return nil
}

// TestPictures writes pictures of every page to the directory HEXAD_PICTURES:
// for eyes, not for comparison.
func TestPictures(t *testing.T) {
	dir := os.Getenv("HEXAD_PICTURES")
	if dir == "" {
		t.Skip("HEXAD_PICTURES names no directory")
	}
	ctx := browser(t, 6*time.Minute)
	a := newAppliance()
	base := start(t, a)
	shot := func(name, path string, width int64, dark bool, lang string, before ...chromedp.Action[chromedp.Void]) {
		scheme := "light"
		if dark {
			scheme = "dark"
		}
		actions := append([]chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(width, 800),
			chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
				_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
				return err
			})}, before...)
		if lang != "" {
			actions = append(actions, chromedp.Evaluate[chromedp.Void](`fetch("/language", {method: "POST", body: new URLSearchParams({language: "`+lang+`"})}).then(() => null)`, chromedp.EvalAwaitPromise))
		}
		actions = append(actions, chromedp.Navigate(base+path))
		do(t, ctx, name, actions...)
		png := picture(t, ctx)
		wide := ask[[]string](t, ctx, `document.documentElement.scrollWidth > innerWidth ? [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, nav.pages")).slice(0, 5).map(e => e.outerHTML.slice(0, 120)) : []`)
		if len(wide) > 0 {
			t.Errorf("%s is wider than %d px: %s", name, width, strings.Join(wide, "\n"))
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shot("signin", "/sign-in", 1280, false, "")
	do(t, ctx, "sign in", chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"), sees("h1", "Overview"))
	pages := map[string]string{"overview": "/", "clustering": "/clustering", "configuration": "/configuration?area=Zones", "found": "/configuration?q=e", "alarms": "/alarms",
		"alarm": "/alarms/one?id=20007&node=n1", "sql": "/sql?database=cluster&statement=SELECT+1", "sqlerror": "/sql?database=cluster&statement=DELETE+FROM+x", "events": "/events", "history": "/history", "restart": "/restart", "certificates": "/certificates", "maintenance": "/maintenance", "procedures": "/procedures",
		"policies": "/policies", "policyscript": "/policies/script?name=site_rule", "policydiff": "/policies/diff?name=site_rule", "policyedit": "/policies/edit?name=site_rule",
		"policyrevisions": "/policies/revisions", "policydecisions": "/policies/decisions", "policydecision": "/policies/decision?id=d-abc", "policydata": "/policies/data",
		"policywaivers": "/policies/waivers", "policyreference": "/policies/reference?hook=search.route"}
	for name, path := range pages {
		shot(name+"-light", path, 1280, false, "en")
		shot(name+"-dark-ja", path, 1280, true, "ja")
		shot(name+"-narrow", path, 360, false, "en")
	}
	test := chromedp.Click(chromedp.CSS("button[value=test]"))
	for name, width := range map[string]int64{"policytest-light": 1280, "policytest-narrow": 320} {
		shot(name, "/policies/edit?name=site_rule", width, false, "", test, sees("#result", "1 passed"))
	}
	shot("policytest-dark", "/policies/edit?name=site_rule", 1280, true, "", test, sees("#result", "1 passed"))
	shot("overview-narrow-dark-ja", "/", 320, true, "ja")
	shot("overview-wide", "/", 1800, false, "en")
	a.change(func() {
		a.view.Writable, a.view.ReadOnly, a.view.PrimaryHere, a.view.PrimaryAddress = false, "this is not the configuration primary", false, "192.0.2.2"
		a.view.Restart = []string{"the TLS mode changed to Enforcing", "cluster name"}
		a.view.Entered.Name, a.view.Entered.TLSMode = "new.example.net", engine.Enforcing
		a.view.Reset = &engine.Reset{Since: noon, From: a.view.Running.Peers, Keep: []string{"option keys", "SSH keys", "accounts", "IP addressing"}, Banner: engine.Text{EN: "The peer list was emptied.", JA: "ピアリストが空になりました。"}, Blocked: "the reset image is missing"}
	})
	shot("subordinate-clustering", "/clustering", 1280, false, "en")
	shot("subordinate-configuration", "/configuration?area=Zones", 1280, true, "ja")
	shot("subordinate-narrow", "/", 360, true, "ja")
	a.change(func() { alarming(a) })
	for name, path := range map[string]string{"fenced": "/clustering", "force": "/clustering/force", "update": "/clustering/update?copy=" + a.copies[0].Name} {
		shot(name+"-light", path, 1280, false, "en")
		shot(name+"-dark-ja", path, 1280, true, "ja")
		shot(name+"-narrow", path, 360, false, "en")
	}
}
