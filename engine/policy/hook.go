package policy

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"hexad/engine"
)

// composition is how the answers of several scripts of one hook become one.
type composition int

const (
	findings composition = iota // union of all
	decision                    // the first that is not nil
	pipeline                    // each gets what the one before made
)

// hook is one place where scripts are asked: a row of the table below. A new
// hook is a row, an input type and a function of Policies.
type hook struct {
	name      string
	index     int // in hooks
	kind      composition
	limits    Limits
	call      bool // a call waits for the answer
	input     func() any
	answer    shape
	optional  bool                   // nil is an answer: "not mine"
	onFailure []OnFailure            // permitted beside the fail-safe
	fixtures  func() map[string]any  // valid inputs, by name, for checks and tests
	verify    func(answer any) error // what a shape cannot say; may be nil
	warn      func(answer any) any   // the answer in mode warn, nil for none; nil where mode warn changes nothing here
}

// permits lists what on_failure may be.
func (h *hook) permits() []OnFailure { return append([]OnFailure{FailSafe}, h.onFailure...) }

// Permitted lists what on_failure may be for a hook, the fail-safe first; nil
// for an unknown one.
func Permitted(hook string) []OnFailure {
	h := hookNamed(hook)
	if h == nil {
		return nil
	}
	return h.permits()
}

func fresh[T any]() any { return new(T) }

var (
	scalarText   = shape{kind: textKind}
	scalarNumber = shape{kind: numberKind}
	scalarFlag   = shape{kind: flagKind}
)

// findingShape is one finding. Source: reference/policy-api.md section 6.
var findingShape = shape{kind: recordKind, needs: []string{"id", "severity"}, fields: map[string]shape{
	"id": scalarText, "severity": {kind: textKind, enum: []string{"info", "warning", "error"}},
	"peer": scalarText, "field": scalarText, "params": {kind: paramsKind},
	"fix": {kind: recordKind, fields: map[string]shape{"set": scalarText, "to": scalarText, "page": scalarText}},
}}

var findingsShape = shape{kind: listKind, elem: &findingShape, max: 200}

// tagShape is an answer that carries an action.
func tagShape(actions []string, fields map[string]shape) shape {
	out := shape{kind: recordKind, needs: []string{"action"}, fields: map[string]shape{
		"action": {kind: textKind, enum: actions}, "reason": scalarText,
	}}
	for name, s := range fields {
		out.fields[name] = s
	}
	return out
}

var acceptReject = []string{"accept", "reject"}

var aliasesShape = shape{kind: listKind, elem: &scalarText, max: 20}

// targetShape is one target of a route: a candidate may be handed back as it is.
var targetShape = shape{kind: recordKind, needs: []string{"zone", "alias"}, fields: map[string]shape{
	"zone": scalarText, "alias": scalarText, "zone_type": scalarText, "zone_state": scalarText,
	"rule": scalarText, "priority": scalarNumber, "stop": scalarFlag,
}}

var ringShape = shape{kind: recordKind, needs: []string{"aliases", "seconds"}, fields: map[string]shape{
	"aliases": aliasesShape, "seconds": scalarNumber,
}}

// lostShape is how long the licences of one lost peer stay in the pool.
var lostShape = shape{kind: recordKind, needs: []string{"peer", "left_s"}, fields: map[string]shape{
	"peer": scalarText, "left_s": scalarNumber, "warn": scalarFlag,
}}

var actShape = shape{kind: recordKind, needs: []string{"act"}, fields: map[string]shape{
	"act": {kind: textKind, enum: []string{"notify", "severity", "expect", "suggest"}},
	"to":  scalarText, "for_s": scalarNumber, "reason": scalarText, "procedure": scalarText,
}}

var hooks = numbered([]*hook{
	{
		name: "cluster.validate", kind: findings, limits: ControlLimits, answer: findingsShape,
		input: fresh[engine.ClusterInput], fixtures: clusterFixtures,
	},
	{
		name: "keys.compare", kind: findings, limits: ControlLimits, answer: findingsShape,
		input: fresh[engine.KeysInput], fixtures: keysFixtures,
	},
	{
		name: "peer.prerequisites", kind: findings, limits: ControlLimits, answer: findingsShape,
		input: fresh[engine.PrerequisitesInput], fixtures: prerequisiteFixtures,
	},
	{
		name: "peer.identity", kind: decision, limits: ControlLimits, optional: true,
		input: fresh[engine.IdentityInput], fixtures: identityFixtures,
		answer: tagShape(acceptReject, map[string]shape{"name": scalarText}), warn: acceptAnyway,
	},
	{
		name: "cluster.peers_changed", kind: decision, limits: ControlLimits, optional: true,
		input: fresh[engine.PeersChangedInput], fixtures: peersChangedFixtures, verify: verifyReset,
		answer: shape{kind: recordKind, needs: []string{"reset"}, fields: map[string]shape{
			"reset": {kind: textKind, enum: []string{"arm", "disarm", "keep_armed", "none"}},
			"keep":  aliasesShape, "banner": scalarText, "blocked": scalarText,
		}},
	},
	{
		name: "procedure.gate", kind: decision, limits: ControlLimits, optional: true,
		input: fresh[engine.GateRequest], fixtures: gateFixtures, verify: verifyGate, warn: unlessHeld,
		answer: tagShape([]string{"accept", "wait", "reject"}, map[string]shape{"seconds": scalarNumber}),
	},
	{
		name: "capacity.limit", kind: decision, limits: ControlLimits, optional: true,
		input: fresh[engine.CapacityRequest], fixtures: capacityFixtures, verify: verifyCapacity,
		answer: shape{kind: recordKind, needs: []string{"calls", "registrations"}, fields: map[string]shape{
			"calls": scalarNumber, "registrations": scalarNumber, "counted_peers": scalarNumber, "reason": scalarText,
			"lost": {kind: listKind, elem: &lostShape, max: engine.MaxPeers},
		}},
	},
	{
		name: "registration.admit", kind: decision, limits: CallLimits, call: true, optional: true,
		input: fresh[engine.RegistrationRequest], fixtures: registrationFixtures, verify: verifyAdmission, warn: unlessRejected,
		answer: tagShape(acceptReject, map[string]shape{"code": scalarNumber, "subzone": scalarText, "ttl": scalarNumber}),
	},
	{
		name: "call.admit", kind: decision, limits: CallLimits, call: true, optional: true, onFailure: []OnFailure{FailureSkip},
		input: fresh[engine.CallRequest], fixtures: callFixtures, verify: verifyCode, warn: unlessRejected,
		answer: tagShape(acceptReject, map[string]shape{"code": scalarNumber}),
	},
	{
		name: "search.transform", kind: pipeline, limits: CallLimits, call: true, optional: true, onFailure: []OnFailure{FailureReject},
		input: fresh[engine.SearchRequest], fixtures: searchFixtures, verify: verifyTransform, warn: unlessRejected,
		answer: shape{kind: recordKind, fields: map[string]shape{
			"alias": scalarText, "action": {kind: textKind, enum: []string{"reject"}}, "reason": scalarText, "code": scalarNumber,
		}},
	},
	{
		name: "search.route", kind: decision, limits: CallLimits, call: true, optional: true, onFailure: []OnFailure{FailureReject},
		input: fresh[engine.RouteRequest], fixtures: routeFixtures, verify: verifyRoute, warn: unlessRejected,
		answer: tagShape([]string{"route", "reject", "skip"}, map[string]shape{
			"targets": {kind: listKind, elem: &targetShape, max: 50}, "continue": scalarFlag, "code": scalarNumber, "detail": scalarText,
		}),
	},
	{
		name: "findme.resolve", kind: decision, limits: CallLimits, call: true, optional: true,
		input: fresh[engine.FindMeRequest], fixtures: findMeFixtures, verify: verifyRings,
		answer: shape{kind: recordKind, needs: []string{"rings"}, fields: map[string]shape{
			"rings": {kind: listKind, elem: &ringShape, max: 10},
		}},
	},
	{
		name: "bandwidth.admit", kind: decision, limits: CallLimits, call: true, optional: true,
		input: fresh[engine.BandwidthRequest], fixtures: bandwidthFixtures, warn: unlessRejected,
		answer: tagShape(acceptReject, map[string]shape{"kbps": scalarNumber}),
	},
	{
		name: "alarm.react", kind: findings, limits: ControlLimits, optional: true,
		input: fresh[engine.AlarmRequest], fixtures: alarmFixtures, verify: verifyActs,
		answer: shape{kind: listKind, elem: &actShape, max: 20},
	},
})

// numbered tells each hook its place.
func numbered(list []*hook) []*hook {
	for i, h := range list {
		h.index = i
	}
	return list
}

func hookNamed(name string) *hook {
	for _, h := range hooks {
		if h.name == name {
			return h
		}
	}
	return nil
}

// Hooks lists the names of the hooks that scripts can answer.
func Hooks() []string {
	var out []string
	for _, h := range hooks {
		out = append(out, h.name)
	}
	return out
}

// decode checks an answer of the hook and makes Go values of it. Errors:
// bad_output.
func (h *hook) decode(v lua.LValue) (any, error) { return h.decodeBy(&decoder{}, v) }

// decodeBy is decode with a decoder that has served before.
func (h *hook) decodeBy(d *decoder, v lua.LValue) (any, error) {
	if v == lua.LNil {
		if h.optional {
			return nil, nil
		}
		return nil, badOutput("the answer is nil")
	}
	d.bytes, d.path = 0, append(d.path[:0], place{name: "answer"})
	var out any
	var err error
	if u, ok := v.(*lua.LUserData); ok {
		out, err = d.direct(u.Value.(*direct), &h.answer)
	} else {
		out, err = d.value(v, &h.answer)
	}
	if err == nil && h.verify != nil {
		err = h.verify(out)
	}
	return out, err
}

// acceptAnyway is a reject in mode warn.
func acceptAnyway(answer any) any {
	a := answer.(record)
	if a.text("action") != "reject" {
		return a
	}
	return record{{"action", lua.LString("accept")}}
}

// unlessRejected is what mode warn makes of a decision: a reject is only noted.
func unlessRejected(answer any) any {
	if answer.(record).text("action") == "reject" {
		return nil
	}
	return answer
}

// unlessHeld is what mode warn makes of the gate: it holds nothing up.
func unlessHeld(answer any) any {
	if answer.(record).text("action") != "accept" {
		return nil
	}
	return answer
}

// meta is what policy{…} declares.
type meta struct {
	Name      string
	API       int
	Hook      string
	Order     int
	Title     map[string]any
	Text      map[string]map[string]any
	Data      []string
	declared  int
	malformed error
}

var languages = shape{kind: recordKind, needs: []string{"en"}, fields: map[string]shape{"en": scalarText, "ja": scalarText}}

var metaShape = shape{kind: recordKind, needs: []string{"name", "api", "hook", "order", "title"}, fields: map[string]shape{
	"name": scalarText, "api": {kind: numberKind}, "hook": scalarText, "order": {kind: numberKind}, "title": languages,
	"uses": {kind: recordKind, fields: map[string]shape{"data": {kind: listKind, elem: &scalarText, max: 20}}},
}}

// declarePolicy is policy{…}: it notes the declaration and returns its table.
func declarePolicy(st *state, L *lua.LState) int {
	t := L.CheckTable(1)
	if st.meta != nil {
		st.meta.read(t)
	}
	L.SetTop(1)
	return 1
}

// read takes the declaration apart. Field text is checked by hand, since its
// names are the script's own ids.
func (m *meta) read(t *lua.LTable) {
	m.declared++
	plain := newTable(0, 8)
	each(t, func(k, v lua.LValue) {
		if k != lua.LString("text") {
			plain.RawSet(k, v)
		}
	})
	v, err := (&decoder{}).decode(plain, metaShape, "policy")
	if err != nil {
		m.malformed = err
		return
	}
	d := v.(record)
	m.Name, m.Hook = d.text("name"), d.text("hook")
	m.API, m.Order = d.number("api"), d.number("order")
	m.Title = d.get("title").(record).plain()
	if uses, ok := d.get("uses").(record); ok {
		for _, name := range uses.list("data") {
			m.Data = append(m.Data, textOf(name))
		}
	}
	m.Text, m.malformed = readTexts(t.RawGetString("text"))
}

func readTexts(v lua.LValue) (map[string]map[string]any, error) {
	if v == lua.LNil {
		return nil, nil
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, badOutput("policy.text is a %s", v.Type())
	}
	out := map[string]map[string]any{}
	d := &decoder{}
	var err error
	each(t, func(k, v lua.LValue) {
		var one any
		if err == nil {
			if one, err = d.decode(v, languages, "policy.text."+toString(k)); err == nil {
				out[toString(k)] = one.(record).plain()
			}
		}
	})
	return out, err
}

// check reports what is wrong with the declaration of script name.
func (m *meta) check(name string) error {
	refuse := func(format string, args ...any) error {
		return &fault{Class: "runtime", Line: 1, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case m.declared != 1:
		return refuse("the file declares %d policies, not one", m.declared)
	case m.malformed != nil:
		return refuse("%s", strings.TrimPrefix(m.malformed.Error(), "bad_output: "))
	case m.Name != name:
		return refuse("policy name %q differs from the file name %q", m.Name, name)
	case m.API != 1:
		return refuse("API version %d is not known here", m.API)
	case hookNamed(m.Hook) == nil:
		return refuse("unknown hook %q (there are %s)", m.Hook, strings.Join(Hooks(), ", "))
	case m.Order < 100 || m.Order > 999:
		return refuse("order %d is outside 100 to 999", m.Order)
	}
	for _, id := range sorted(m.Text) {
		if !strings.HasPrefix(id, "policy."+name+".") {
			return refuse("text id %q does not begin with policy.%s.", id, name)
		}
	}
	return nil
}
