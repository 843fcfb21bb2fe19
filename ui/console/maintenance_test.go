package console_test

import (
	"bytes"
	"encoding/base64"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/ui/command"
)

// maintenanceCommand answers what the pages of maintenance and certificates ask for.
func maintenanceCommand(call command.Call) (command.Result, bool) {
	manifest := command.BackupManifest{Release: "0.1.0", System: "hq-1", Address: "192.0.2.1", Serial: "0A1B2C3D", Taken: noon, Revision: 41}
	chain := engine.Finding{ID: "certificate.chain", Severity: engine.FindingWarning, Text: engine.Text{EN: "The chain does not lead to an authority <of the list>.", JA: "チェーンが到達しません。"}}
	facts := engine.CertFacts{CN: "peer1.example.net", SANs: []string{"peer1.example.net", "192.0.2.1"}, NotAfter: noon, Fingerprint: strings.Repeat("ab", 32)}
	switch call.Name {
	case "SystemBackup":
		return command.Result{Data: command.Backup{Name: "0.1.0_0A1B2C3D_backup.tar.gz.age", Manifest: manifest, File: []byte("sealed bytes")}}, true
	case "SystemSnapshot":
		return command.Result{Data: command.Snapshot{Name: "full_0A1B2C3D_snapshot.tar.gz", File: []byte("packed bytes")}}, true
	case "SystemRestore":
		return command.Result{Data: command.RestorePlan{Manifest: manifest, Revision: 42, Refused: "this system is in a cluster",
			Warnings:    []engine.Text{{EN: "Accounts become those of the backup.", JA: "アカウントはバックアップの内容になります。"}},
			Differences: []engine.Difference{{Path: "Zones Zone 1 Name", Own: "<branch>", Other: "lab", OwnSet: true, OtherSet: true}, {Path: "SIP Mode", Other: "On", OtherSet: true}}}}, true
	case "FactoryResetShow":
		return command.Result{Data: engine.ResetPlan{Armed: true, Items: []engine.ResetItem{{Text: engine.Text{EN: "option keys", JA: "オプションキー"}, Kept: true, Detail: "Option 1 Key"},
			{Text: engine.Text{EN: "the event log", JA: "イベントログ"}}}, Warnings: []engine.Text{{EN: "The password of admin is lost.", JA: "admin のパスワードは失われます。"}}}}, true
	case "CertificateShow":
		return command.Result{Data: command.CertificateView{Server: facts, SelfMade: true, Request: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", Requested: noon,
			Trusted: []command.TrustedCertificate{{Subject: "CN=Example Authority", NotAfter: noon, Fingerprint: strings.Repeat("cd", 32)}}, Findings: []engine.Finding{chain}}}, true
	case "ServerCertificateSet":
		return command.Result{Data: command.CertificateChecked{CertFacts: facts, KeyChanged: true, Findings: []engine.Finding{chain}}}, true
	case "ForceSystemKeyUpdate":
		return command.Result{Data: command.SystemKeyUpdate{Own: true}, Lines: []string{"Lost 1: <SSH host key>"}}, true
	case "ClusterDataKeyRotate":
		return command.Result{Data: command.DataKeyRotation{Number: 8}, Lines: []string{"Number: 8"}}, true
	case "CertificateRequest", "CertificateRequestDelete", "TrustListSet":
		return command.Result{Data: map[string]any{}}, true
	}
	return command.Result{}, false
}

// sendFiles sends a form with files, each pair being its field and its content.
func (c *client) sendFiles(path string, files map[string]string, pairs ...string) (int, string) {
	c.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for field, text := range files {
		f, err := w.CreateFormFile(field, "../../etc/passwd") // a name that nobody may use
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+path, &body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, page := c.do(r)
	return res.StatusCode, page
}

// TestMaintenancePage: a backup is downloaded under its own name; a restore is
// shown first, and done only when that was agreed to.
func TestMaintenancePage(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	res, body := c.do(c.request("/maintenance/backup", "passphrase", "a long passphrase", "again", "a long passphrase"))
	if got := res.Header.Get("Content-Disposition"); body != "sealed bytes" || got != `attachment; filename="0.1.0_0A1B2C3D_backup.tar.gz.age"` {
		t.Errorf("backup: %q, %q", got, body)
	}
	if call, ran := a.called(t.Context(), "SystemBackup"); !ran || call.Args["Passphrase"] != "a long passphrase" {
		t.Errorf("it ran %+v", call)
	}
	c.post("/maintenance/backup", "passphrase", "a long passphrase", "again", "a long passphrase", "scope", "cluster")
	if last := a.lastCall(); last.Name != "SystemBackup" || last.Args["Scope"] != "Cluster" {
		t.Errorf("of every peer: %+v", last)
	}
	if status, body := c.post("/maintenance/backup", "passphrase", "a long passphrase", "again", "another one here"); status != http.StatusBadRequest || !strings.Contains(body, "two passphrases differ") {
		t.Errorf("two passphrases: %d\n%s", status, body)
	}
	res, body = c.do(c.request("/maintenance/snapshot", "kind", "Full"))
	if got := res.Header.Get("Content-Disposition"); body != "packed bytes" || got != `attachment; filename="full_0A1B2C3D_snapshot.tar.gz"` {
		t.Errorf("snapshot: %q, %q", got, body)
	}

	file := map[string]string{"archive": "sealed bytes"}
	_, body = c.sendFiles("/maintenance/restore", file, "passphrase", "a long passphrase", "do", "check")
	for _, want := range []string{"Nothing is changed yet", "&lt;branch&gt;", "now 42", "Accounts become", "this system is in a cluster"} {
		holds(t, body, want)
	}
	call, ran := a.called(t.Context(), "SystemRestore")
	if sent, _ := base64.StdEncoding.DecodeString(call.Body); !ran || call.Args["Confirm"] != "" || string(sent) != "sealed bytes" {
		t.Errorf("it ran %+v", call)
	}
	if status, body := c.sendFiles("/maintenance/restore", file, "passphrase", "x", "do", "restore"); status != http.StatusBadRequest || !strings.Contains(body, "Agree to what happens first.") {
		t.Errorf("without agreement: %d\n%s", status, body)
	}
	if status, _ := c.sendFiles("/maintenance/restore", nil, "passphrase", "x", "do", "restore", "agreed", "yes"); status != http.StatusBadRequest {
		t.Errorf("without a file: %d", status)
	}
	status, body := c.sendFiles("/maintenance/restore", file, "passphrase", "a long passphrase", "do", "restore", "agreed", "yes")
	holds(t, body, "Restarting with it")
	if status != http.StatusAccepted || a.lastCall().Args["Confirm"] != "On" {
		t.Errorf("restored: %d, %+v", status, a.lastCall())
	}
	_, body = c.post("/maintenance/keys", "key", "system")
	holds(t, body, "Lost 1: &lt;SSH host key&gt;")
	if last := a.lastCall(); last.Name != "ForceSystemKeyUpdate" {
		t.Errorf("it ran %+v", last)
	}
	_, body = c.post("/maintenance/keys", "key", "data")
	holds(t, body, "Number: 8")
	if last := a.lastCall(); last.Name != "ClusterDataKeyRotate" {
		t.Errorf("it ran %+v", last)
	}
	c.post("/maintenance/mode", "mode", "on")
	if call, ran := a.called(t.Context(), "xConfiguration"); !ran || len(call.Changes) != 1 || call.Changes[0].Path != "SystemUnit Maintenance Mode" || call.Changes[0].Value != "On" {
		t.Errorf("it ran %+v", call)
	}
	c.post("/language", "language", "ja", "here", "/")
	_, body = c.sendFiles("/maintenance/restore", file, "passphrase", "x", "do", "check")
	holds(t, body, "まだ何も変更していません")

	reader := signedIn(t, c.base, "auditor")
	_, body = reader.get("/maintenance")
	if strings.Contains(body, "/maintenance/backup") || strings.Contains(body, "/maintenance/restore") || !strings.Contains(body, "/maintenance/snapshot") {
		t.Errorf("an auditor sees\n%s", body)
	}
}

// TestCertificatesPage: what is shown, checked and used, each with the warning
// to take a backup beside it.
func TestCertificatesPage(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/certificates")
	for _, want := range []string{"peer1.example.net", "BEGIN CERTIFICATE REQUEST", "CN=Example Authority", "&lt;of the list&gt;", `href="/maintenance#h-backup"`} {
		holds(t, body, want)
	}
	c.post("/certificates/request", "key", "ECDSA", "names", "a.example.net", "organization", "Example")
	if call, ran := a.called(t.Context(), "CertificateRequest"); !ran || call.Args["Key"] != "ECDSA" || call.Args["Names"] != "a.example.net" || call.Args["Organization"] != "Example" {
		t.Errorf("it ran %+v", call)
	}
	files := map[string]string{"certificate": "CERT", "key": "KEY"}
	_, body = c.sendFiles("/certificates/server", files, "do", "check")
	holds(t, body, "It can be used. Nothing is changed yet")
	holds(t, body, "The present key vouches for it")
	if call, ran := a.called(t.Context(), "ServerCertificateSet"); !ran || call.Args["Try"] != "On" || call.Body != "CERT\nKEY\n" {
		t.Errorf("it ran %+v", call)
	}
	_, body = c.sendFiles("/certificates/server", files, "do", "use")
	holds(t, body, "in use for new connections")
	c.sendFiles("/certificates/trust", map[string]string{"authorities": "CA"})
	if call, ran := a.called(t.Context(), "TrustListSet"); !ran || call.Body != "CA\n" {
		t.Errorf("it ran %+v", call)
	}
	if status, _ := c.sendFiles("/certificates/trust", nil, "do", "use"); status != http.StatusUnprocessableEntity {
		t.Errorf("without a file: %d", status)
	}
	a.change(func() { a.refuse = engine.Errorf(engine.Denied, "the certificate would cut this system off") })
	if status, body := c.sendFiles("/certificates/server", files, "do", "use"); status != http.StatusForbidden || !strings.Contains(body, "cut this system off") {
		t.Errorf("refused: %d\n%s", status, body)
	}
	_, body = c.get("/restart")
	holds(t, body, "<h1>Restart</h1>")
}

// TestResetPage: what a factory reset keeps and loses is a page that the banner
// leads to, with the backup beside it.
func TestResetPage(t *testing.T) {
	t.Parallel()
	c := signedIn(t, start(t, newAppliance()), "admin")
	status, body := c.get("/reset")
	if status != http.StatusOK {
		t.Fatalf("status %d\n%s", status, body)
	}
	for _, want := range []string{"option keys", "kept", "the event log", "lost", "Option 1 Key", "The password of admin is lost.", "/maintenance#h-backup"} {
		holds(t, body, want)
	}
}
