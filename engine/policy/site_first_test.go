package policy_test

import (
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
)

// before opens the built-ins with a script of a site that is asked before them.
func before(t *testing.T, hook, body string, mode policy.Mode) *policy.Policies {
	t.Helper()
	s := scriptOf(hook, body)
	s.Mode = mode
	return open(t, policy.Options{Scripts: append(builtins(), s)})
}

// A script of the site is asked before the built-in. It can refuse a peer that
// the built-in takes; one that the built-in refuses it cannot let in.
func TestASiteMakesIdentityStricterNeverLooser(t *testing.T) {
	t.Parallel()
	good := engine.IdentityInput{ConfiguredAddress: "a.example.com", SANs: []string{"a.example.com"}, TLSMode: engine.Enforcing, ChainOK: true}
	wrong := good
	wrong.SANs = []string{"b.example.com"}
	loose := wrong
	loose.TLSMode = engine.Permissive
	for _, c := range []struct {
		name, body string
		mode       policy.Mode
		in         engine.IdentityInput
		accept     bool
		says       string
	}{
		{"refuses", `return reject { reason = "not_ours" }`, "", good, false, "not_ours"},
		{"refuses while permissive", `return reject { reason = "not_ours" }`, "", loose, false, "not_ours"},
		{"has nothing to say", `return nil`, "", good, true, "a.example.com"},
		{"accepts what is proved", `return accept { name = "mine" }`, "", good, true, "a.example.com"},
		{"accepts a wrong name", `return accept { name = "a.example.com" }`, "", wrong, false, "name_missing"},
		{"accepts a wrong name while permissive", `return accept { name = "a.example.com" }`, "", loose, true, "name_missing"},
		{"fails", `error("no")`, "", good, false, "policy_failed"},
		{"fails while permissive", `error("no")`, "", loose, true, "policy_failed"},
		{"warns", `return reject { reason = "not_ours" }`, policy.Warn, good, true, "a.example.com"},
		{"warns of a wrong name", `return reject { reason = "not_ours" }`, policy.Warn, wrong, false, "name_missing"},
		{"in the shadow", `return reject { reason = "not_ours" }`, policy.Shadow, good, true, "a.example.com"},
	} {
		d := before(t, "peer.identity", c.body, c.mode).Identity(t.Context(), c.in)
		if d.Accept != c.accept || c.says != d.Name && c.says != d.Reason && c.says != d.Warning {
			t.Errorf("%s: %+v, want accept %v, %s", c.name, d, c.accept, c.says)
		}
	}
}

// What a script of the site may answer to a change of the list: less than the
// built-in would, never a reset that the list does not call for.
func TestASiteAnswersAChangeOfTheListFirst(t *testing.T) {
	t.Parallel()
	pair, none := []string{"a.example.com", "b.example.com"}, []string{}
	cleared := func(armed bool) engine.PeersChangedInput {
		in := engine.PeersChangedInput{Previous: engine.ConfigRecord{PeerAddresses: pair}, Proposed: engine.ConfigRecord{PeerAddresses: none}, ResetImage: "present"}
		in.Reset.Armed = armed
		return in
	}
	restored := engine.PeersChangedInput{Previous: engine.ConfigRecord{PeerAddresses: none},
		Proposed: engine.ConfigRecord{PeerAddresses: []string{"b.example.com", "a.example.com"}}, Reset: engine.ArmedReset{Armed: true, From: pair}}
	kept := engine.PeersChangedInput{Previous: engine.ConfigRecord{PeerAddresses: pair}, Proposed: engine.ConfigRecord{PeerAddresses: pair[:1]}}
	for _, c := range []struct {
		name, body string
		in         engine.PeersChangedInput
		want       engine.ResetAction
		keep       int // -1: whatever
		wrong      string
	}{
		{"leaves it to the built-in", `return nil`, cleared(false), engine.ResetArm, -1, ""},
		{"does not arm", `return { reset = "none" }`, cleared(false), engine.ResetNone, 0, ""},
		{"keeps more", `return { reset = "arm", keep = { "network.lan1.ip", "tls.private_key" }, banner = "factory_reset_on_restart" }`, cleared(false), engine.ResetArm, 2, ""},
		{"keeps what must go", `return { reset = "arm", keep = { "policies" } }`, cleared(false), engine.ResetNone, 0, "cannot keep"},
		{"arms where peers stay", `return { reset = "arm" }`, kept, engine.ResetNone, 0, "list that was cleared"},
		{"arms where none were", `return { reset = "arm" }`, restored, engine.ResetNone, 0, "list that was cleared"},
		{"takes another order too", `return { reset = "disarm" }`, restored, engine.ResetDisarm, 0, ""},
		{"disarms an empty list", `return { reset = "disarm" }`, cleared(true), engine.ResetNone, 0, "peers are back"},
		{"disarms what is not armed", `return { reset = "disarm" }`, kept, engine.ResetNone, 0, "peers are back"},
		{"keeps armed", `return { reset = "keep_armed", banner = "factory_reset_order_differs" }`, restored, engine.ResetKeepArmed, 0, ""},
		{"keeps armed what is not", `return { reset = "keep_armed" }`, kept, engine.ResetNone, 0, "nothing is armed"},
	} {
		d := before(t, "cluster.peers_changed", c.body, "").PeersChanged(t.Context(), c.in)
		if d.Action != c.want || c.keep >= 0 && len(d.Keep) != c.keep || (d.Degraded != nil) != (c.wrong != "") || c.wrong != "" && !strings.Contains(d.Degraded.Error(), c.wrong) {
			t.Errorf("%s: %+v, want %s %q", c.name, d, c.want, c.wrong)
		}
	}
}
