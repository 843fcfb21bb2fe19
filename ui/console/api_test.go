package console_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"hexad/ui/command"
	"hexad/ui/console"
)

// call sends a request as a program does, with an account's name and password.
func (c *client) call(method, path, account, secret, body string, header ...string) (int, string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if account != "" {
		r.SetBasicAuth(account, secret)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, text := c.do(r)
	return res.StatusCode, text
}

func TestCommandsOfPrograms(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := newClient(t, start(t, a))
	for range 2 { // the second time the password is remembered
		status, body := c.call("POST", "/api/v1/commands/PolicyStage", "admin", password, `{"args": {"Comment": "why", "Order": 300, "Flag": true}, "body": [{"name": "x"}]}`)
		if status == http.StatusUnauthorized {
			t.Fatalf("%d %s", status, body)
		}
		got := a.lastCall()
		if got.Name != "PolicyStage" || got.Args["Comment"] != "why" || got.Args["Order"] != "300" || got.Args["Flag"] != "True" ||
			got.Body != `[{"name": "x"}]` || got.Actor.Via != "api" || got.Actor.User != "admin" || got.Role != command.Administrator {
			t.Errorf("ran %+v", got)
		}
	}
	c.call("PUT", "/api/v1/policy/data/branches/77", "admin", password, `{"args": {"Value": "Osaka"}}`)
	if got := a.lastCall(); got.Name != "PolicyDataSet" || got.Args["Table"] != "branches" || got.Args["Key"] != "77" || got.Args["Value"] != "Osaka" {
		t.Errorf("ran %+v", got)
	}
	c.call("GET", "/api/v1/decisions/d-1?Lines=True", "admin", password, "")
	if got := a.lastCall(); got.Name != "PolicyExplain" || got.Args["Id"] != "d-1" || got.Args["Lines"] != "True" {
		t.Errorf("ran %+v", got)
	}
}

func TestProgramsSignInToo(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := newClient(t, start(t, a))
	before := a.lastCall()
	for name, tt := range map[string]struct {
		account, secret, body, site string
		want                        int
	}{
		"nobody":          {"", "", "", "", http.StatusUnauthorized},
		"wrong password":  {"admin", "wrong", "", "", http.StatusUnauthorized},
		"unknown account": {"nobody", password, "", "", http.StatusUnauthorized},
		"another site":    {"admin", password, "", "cross-site", http.StatusForbidden},
		"unknown field":   {"admin", password, `{"arg": {}}`, "", http.StatusUnprocessableEntity},
	} {
		header := []string{}
		if tt.site != "" {
			header = []string{"Sec-Fetch-Site", tt.site}
		}
		status, body := c.call("POST", "/api/v1/commands/PolicyStage", tt.account, tt.secret, tt.body, header...)
		if status != tt.want {
			t.Errorf("%s: %d %s, want %d", name, status, body, tt.want)
		}
	}
	if now := a.lastCall(); now.Name != before.Name {
		t.Errorf("ran %+v", now)
	}
	if status, body := signedIn(t, c.base, "admin").call("POST", "/api/v1/commands/PolicyStage", "", "", ""); status == http.StatusUnauthorized {
		t.Errorf("with the console's session: %d %s", status, body)
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(console.OpenAPI(command.New(command.Parts{}).Entries(), "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.OpenAPI != "3.1.0" || len(doc.Paths) == 0 {
		t.Fatalf("%v: %.200s", err, text)
	}
	seen := map[string]bool{}
	for path, operations := range doc.Paths {
		for method, o := range operations {
			if o.OperationID == "" || seen[o.OperationID] || o.Summary == "" {
				t.Errorf("%s %s: operation %q, summary %q", method, path, o.OperationID, o.Summary)
			}
			seen[o.OperationID] = true
		}
	}
}
