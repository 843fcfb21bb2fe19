package appliance_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hexad/engine/appliance/appliancetest"
	"hexad/engine/policy"
)

// Two people bring a script into service over the interface for programs: one
// writes it, the other approves it; the revision then goes out and comes in
// with the signature of the peer.
func TestPoliciesOfTwoPeople(t *testing.T) {
	t.Parallel()
	p := appliancetest.Cluster(t, 95, 1)[0]
	p.Exec(`xCommand AccountAdd Account: "anna" Password: "password of anna" Role: policy_author`)
	p.Exec(`xCommand AccountAdd Account: "ben" Password: "password of ben" Role: policy_approver`)
	p.Exec("xConfiguration Policy Scripts FourEyes: On")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // a certificate of its own, at a loopback address
	t.Cleanup(transport.CloseIdleConnections)
	ask := func(account, method, path string, body any) (int, json.RawMessage) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(method, "https://"+p.Address+":8443/api/v1"+path, strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(account, "password of "+account)
		res, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct{ Data, Error json.RawMessage }
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatalf("%s %s: %d, %v", method, path, res.StatusCode, err)
		}
		return res.StatusCode, append(answer.Data, answer.Error...)
	}
	type message map[string]any
	for i, step := range []struct {
		account, method, path string
		body                  message
		want                  int
	}{
		{"anna", "POST", "/policy/scripts", message{"body": []policy.SourceFile{teller("one", "r1")}}, http.StatusOK},
		{"anna", "POST", "/policy/revisions", nil, http.StatusForbidden},
		{"ben", "POST", "/policy/scripts", message{"body": []policy.SourceFile{teller("one", "r2")}}, http.StatusForbidden},
		{"ben", "POST", "/policy/revisions", message{"args": message{"Comment": "first"}}, http.StatusOK},
		{"ben", "POST", "/policy/revisions/1/activate", nil, http.StatusOK},
		{"nobody", "GET", "/policy/status", nil, http.StatusUnauthorized},
		{"anna", "GET", "/policy/status", nil, http.StatusOK},
	} {
		if status, answer := ask(step.account, step.method, step.path, step.body); status != step.want {
			t.Fatalf("step %d: %s %s as %s: %d, want %d: %s", i, step.method, step.path, step.account, status, step.want, answer)
		}
	}
	running(t, []*appliancetest.Peer{p}, 1)
	_, exported := ask("ben", "GET", "/policy/revisions/1/archive", nil)
	var archive struct{ Archive string }
	if err := json.Unmarshal(exported, &archive); err != nil || archive.Archive == "" {
		t.Fatalf("exported %s, %v", exported, err)
	}
	if status, answer := ask("anna", "POST", "/policy/archives", message{"body": archive.Archive}); status != http.StatusOK || !strings.Contains(string(answer), `"known":true`) {
		t.Errorf("imported: %d %s", status, answer)
	}
	// An administrator is one person too: what root wrote, root does not approve.
	if err := command(t, p, "PolicyPut", []policy.SourceFile{teller("two", "r1")}, nil, nil); err != nil {
		t.Fatal(err)
	}
	p.Exec("xCommand PolicyStage")
	if e := p.Refused("xCommand PolicyActivate"); !strings.Contains(e.Message, "four eyes") {
		t.Error(fmt.Sprint("activated: ", e))
	}
}
