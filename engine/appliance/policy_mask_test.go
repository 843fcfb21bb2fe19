package appliance_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
)

// Aliases of decisions that were kept before masking was asked for are masked on
// every way to them: the shell, the console's API and SQL.
func TestKeptAliasesAreMasked(t *testing.T) {
	t.Parallel()
	p := appliancetest.Network(t, 116, 1)[0].Up()
	p.Stop()
	appliancetest.Offline(t, p, func(ctx context.Context, l *sqlstore.Local) error {
		return l.AppendDecisions(ctx, []sqlstore.Decision{
			{ID: "d-alias", Time: time.Now(), Hook: "call.admit", Input: `{"alias":"secretary@example.com"}`, Answer: `{"allowed":true}`,
				Steps: []sqlstore.DecisionStep{{Kind: "script", Name: "call_guard", Outcome: "nothing", Detail: `{"script":"call_guard","version":"1","outcome":"nothing","why":[{"code":"user","params":{"user":"secretary"}}]}`}}},
			{ID: "d-torn", Time: time.Now(), Hook: "call.admit", Input: `{"alias":"secretary@exa`, Answer: `{}`},
		})
	})
	p.Up()
	if text := p.Exec("xCommand PolicyExplain Id: d-alias"); !strings.Contains(text, "user=secretary") {
		t.Fatalf("as it was made: %s", text)
	}
	p.Exec("xConfiguration Policy Scripts MaskAliases: On")
	p.Await("the aliases are masked", 10*time.Second, func() string {
		text := p.Exec(`xCommand SQL Database: local Statement: "SELECT * FROM diag_decision LEFT JOIN diag_decision_step USING (id) WHERE hook = 'call.admit'"`)
		if strings.Contains(text, "secretary") {
			return text
		}
		return ""
	})
	text := p.Exec("xCommand PolicyExplain Id: d-alias") + p.Exec("xCommand PolicyDecisions Hook: call.admit Since: 1h")
	if !strings.Contains(text, "aliases masked") || !strings.Contains(text, "user=*1") || !strings.Contains(text, "d-torn") {
		t.Errorf("shown: %s", text)
	}
	if err := p.Refused("xCommand PolicyExplain Id: d-alias With: 0"); !strings.Contains(err.Message, "masked") {
		t.Errorf("asked again: %v", err)
	}
}
