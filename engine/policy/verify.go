package policy

import (
	"math"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"hexad/engine"
)

// What the engine checks of an answer, whatever a script says.
// Source: reference/policy-api.md section 6.

const (
	minTTL     = 60
	maxTTL     = 86_400
	maxAlias   = 255
	maxWaitS   = 3600
	maxExpectS = 86_400
	maxRingS   = 300
	maxLostS   = 100 * 86_400
)

// keepable is the closed list of what a factory reset may keep.
// Source: reference 2.12.
var keepable = []string{
	"network.lan1.ip", "accounts.admin", "accounts.root", "ssh.host_keys", "option_keys", "access.https",
	"access.ssh", "tls.server_certificate", "tls.private_key", "tls.trust_store",
}

// Keepable is the closed list of what a factory reset may keep.
func Keepable() []string { return slices.Clone(keepable) }

func verifyReset(answer any) error {
	a := answer.(record)
	keep := a.list("keep")
	for _, k := range keep {
		if !slices.Contains(keepable, textOf(k)) {
			return badOutput("answer.keep: a factory reset cannot keep %q", clip(textOf(k), 64))
		}
	}
	if id := a.text("banner"); id != "" {
		if _, known := banners[id]; !known {
			return badOutput("answer.banner: unknown banner %q", clip(id, 64))
		}
	}
	if id := a.text("blocked"); id != "" {
		if _, known := catalogue["cluster.reset."+id]; !known {
			return badOutput("answer.blocked: unknown reason %q", clip(id, 64))
		}
	}
	return nil
}

// whole reads a field as a whole number of a range; false when it is there and
// is none.
func whole(a record, field string, low, high float64) bool {
	n, ok := a.get(field).(lua.LNumber)
	v := float64(n)
	return !ok || v == math.Trunc(v) && v >= low && v <= high
}

// verifyCode checks a refusal's SIP status.
func verifyCode(answer any) error {
	a := answer.(record)
	if !whole(a, "code", 400, 699) {
		return badOutput("answer.code is not a SIP status from 400 to 699")
	}
	if len(a.text("reason")) > maxAlias {
		return badOutput("answer.reason is longer than %d bytes", maxAlias)
	}
	return nil
}

func verifyAdmission(answer any) error {
	a := answer.(record)
	if !whole(a, "ttl", minTTL, maxTTL) {
		return badOutput("answer.ttl is not a whole number from %d to %d", minTTL, maxTTL)
	}
	return verifyCode(answer)
}

func verifyGate(answer any) error {
	a := answer.(record)
	if a.text("action") == "wait" && !a.has("seconds") || !whole(a, "seconds", 1, maxWaitS) {
		return badOutput("answer.seconds is not a whole number from 1 to %d", maxWaitS)
	}
	return nil
}

func verifyCapacity(answer any) error {
	a := answer.(record)
	for _, field := range []string{"calls", "registrations", "counted_peers"} {
		if !whole(a, field, 0, 1e9) {
			return badOutput("answer.%s is not a whole number from 0 on", field)
		}
	}
	for i, l := range a.list("lost") {
		if !whole(l.(record), "left_s", -1e9, maxLostS) {
			return badOutput("answer.lost[%d].left_s is not a whole number up to %d", i+1, maxLostS)
		}
	}
	return nil
}

func alias(a any) bool { return textOf(a) != "" && len(textOf(a)) <= maxAlias }

func verifyTransform(answer any) error {
	a := answer.(record)
	if a.has("alias") == a.has("action") {
		return badOutput("answer has neither alias nor action, or both")
	}
	if a.has("alias") && !alias(a.get("alias")) {
		return badOutput("answer.alias is empty or longer than %d bytes", maxAlias)
	}
	return verifyCode(answer)
}

func verifyRoute(answer any) error {
	a := answer.(record)
	targets := a.list("targets")
	if (a.text("action") == "route") != (len(targets) > 0) {
		return badOutput("answer.targets: a route has targets, and nothing else has")
	}
	for i, t := range targets {
		if !alias(t.(record).get("alias")) {
			return badOutput("answer.targets[%d].alias is empty or longer than %d bytes", i+1, maxAlias)
		}
	}
	return verifyCode(answer)
}

func verifyRings(answer any) error {
	for i, one := range answer.(record).list("rings") {
		ring := one.(record)
		if !whole(ring, "seconds", 1, maxRingS) {
			return badOutput("answer.rings[%d].seconds is not a whole number from 1 to %d", i+1, maxRingS)
		}
		aliases := ring.list("aliases")
		if len(aliases) == 0 || !slices.ContainsFunc(aliases, alias) || slices.ContainsFunc(aliases, func(v any) bool { return !alias(v) }) {
			return badOutput("answer.rings[%d].aliases has none, or one that is empty or longer than %d bytes", i+1, maxAlias)
		}
	}
	return nil
}

// actNeeds is what each act says beside its name.
var actNeeds = map[string][]string{"notify": {"to"}, "severity": {"to"}, "expect": {"for_s", "reason"}, "suggest": {"procedure"}}

func verifyActs(answer any) error {
	for i, one := range answer.([]any) {
		a := one.(record)
		for _, field := range actNeeds[a.text("act")] {
			if !a.has(field) {
				return badOutput("answer[%d] lacks the field %s", i+1, field)
			}
		}
		if !whole(a, "for_s", 1, maxExpectS) {
			return badOutput("answer[%d].for_s is not a whole number from 1 to %d", i+1, maxExpectS)
		}
		if a.text("act") == "severity" && !slices.Contains(engine.Severities, engine.Severity(a.text("to"))) {
			return badOutput("answer[%d].to is not a severity", i+1)
		}
	}
	return nil
}
