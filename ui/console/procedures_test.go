package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/ui/command"
)

// procedures are one that waits for a peer, and one that is over.
func procedures() []engine.Procedure {
	text := func(en, ja string) engine.Text { return engine.Text{EN: en, JA: ja} }
	return []engine.Procedure{
		{ID: "open1", Kind: "Add", State: engine.ProcedureRunning, Via: "192.0.2.2", Actor: engine.Actor{User: "admin"}, Started: noon, Step: 1, Since: noon, Until: noon.Add(30 * time.Minute),
			Waiting: text("192.0.2.6 is a member <now>", "192.0.2.6 がメンバーになる"),
			Steps: []engine.ProcedureStep{{Do: "save", Peer: "192.0.2.1", Text: text("save the page on 192.0.2.1", "192.0.2.1 で保存")},
				{Do: "await", Peer: "192.0.2.6", Want: []string{"joined"}, Text: text("wait until it is a member", "待つ")}, {Do: "await", Text: text("verify", "確認")}},
			Notes: []engine.ProcedureNote{{At: noon, Text: text("started by admin", "admin が開始")}}},
		{ID: "over1", Kind: "Enforce", State: engine.ProcedureAborted, Via: "192.0.2.1", Actor: engine.Actor{User: "operator"}, Started: noon.Add(-time.Hour),
			Steps: []engine.ProcedureStep{{Do: "restart", Text: text("restart 192.0.2.1", "再起動")}}},
	}
}

// procedureCommand answers what the page asks for.
func (a *appliance) procedureCommand(call command.Call) (command.Result, bool) {
	switch call.Name {
	case "ProcedureList":
		return command.Result{Data: procedures()}, true
	case "ProcedurePlan":
		p := procedures()[1]
		p.Kind, p.State = call.Args["Kind"], engine.ProcedureRunning
		return command.Result{Data: p}, true
	case "ClusterInvite":
		return command.Result{Data: map[string]any{"code": "hexad-join-abc", "until": noon}}, true
	}
	return command.Result{}, strings.HasPrefix(call.Name, "Procedure")
}

// TestProceduresPage: what runs is shown with its steps and what it waits for;
// the forms plan, start, resume and abort.
func TestProceduresPage(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	base := start(t, a)
	c := signedIn(t, base, "admin")
	_, body := c.get("/procedures")
	for _, want := range []string{"Add a peer", "192.0.2.6 is a member &lt;now&gt;", "2026-11-22 12:30:00", "started by admin", `aria-current="step"`, "Show the code for 192.0.2.6", `value="abort"`, `href="/procedures?id=over1"`} {
		holds(t, body, want)
	}
	if strings.Contains(body, `value="resume"`) {
		t.Error("what runs can be resumed")
	}
	_, body = c.get("/procedures?id=over1")
	holds(t, body, "restart 192.0.2.1")
	if strings.Contains(body, `value="abort"`) {
		t.Error("what is over can be aborted")
	}
	_, body = c.post("/procedures/invite")
	holds(t, body, "hexad-join-abc")

	_, body = c.post("/procedures/start", "Kind", "Enforce", "do", "plan")
	holds(t, body, "<details open>")
	if call, ran := a.called(t.Context(), "ProcedureStart"); ran {
		t.Errorf("a plan started %+v", call)
	}
	_, body = c.post("/procedures/start", "Kind", "Remove", "Address", "192.0.2.5", "do", "start")
	holds(t, body, "The procedure runs.")
	if call, ran := a.called(t.Context(), "ProcedureStart"); !ran || call.Args["Kind"] != "Remove" || call.Args["Address"] != "192.0.2.5" || len(call.Args) != 2 {
		t.Errorf("it ran %+v", call)
	}
	a.change(func() { a.refuse = engine.Errorf(engine.Denied, "192.0.2.1 is the configuration primary") })
	if status, body := c.post("/procedures/start", "Kind", "Remove", "Address", "192.0.2.1", "do", "start"); status != http.StatusForbidden || !strings.Contains(body, "is the configuration primary") {
		t.Errorf("refused: %d\n%s", status, body)
	}
	c.post("/procedures/change", "id", "open1", "do", "abort")
	if call, ran := a.called(t.Context(), "ProcedureAbort"); !ran || call.Args["Id"] != "open1" {
		t.Errorf("it ran %+v", call)
	}
	c.post("/language", "language", "ja", "here", "/")
	_, body = c.get("/procedures")
	holds(t, body, "192.0.2.6 がメンバーになる")

	reader := signedIn(t, base, "auditor")
	_, body = reader.get("/procedures")
	if strings.Contains(body, "/procedures/start") || strings.Contains(body, "/procedures/change") {
		t.Error("an auditor is offered to change something")
	}
}
