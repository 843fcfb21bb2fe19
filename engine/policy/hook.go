package policy

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// composition is how the answers of several scripts of one hook become one.
type composition int

const (
	findings composition = iota // union of all
	decision                    // the first that is not nil
)

// hook is one place where scripts are asked: a row of the table below. A new
// hook is a row, an input type and a function of Policies.
type hook struct {
	name     string
	kind     composition
	limits   Limits
	answer   shape
	optional bool                   // nil is an answer: "not mine"
	fixtures func() map[string]any  // valid inputs, by name, for checks and tests
	verify   func(answer any) error // what a shape cannot say; may be nil
	warn     func(answer any) any   // the answer in mode warn; nil for findings
}

var scalarText = shape{kind: textKind}

// findingShape is one finding. Source: reference/policy-api.md section 6.
var findingShape = shape{kind: recordKind, needs: []string{"id", "severity"}, fields: map[string]shape{
	"id": scalarText, "severity": {kind: textKind, enum: []string{"info", "warning", "error"}},
	"peer": scalarText, "field": scalarText, "params": {kind: paramsKind},
	"fix": {kind: recordKind, fields: map[string]shape{"set": scalarText, "to": scalarText, "page": scalarText}},
}}

var findingsShape = shape{kind: listKind, elem: &findingShape, max: 200}

var hooks = []*hook{
	{name: "cluster.validate", kind: findings, limits: ControlLimits, answer: findingsShape, fixtures: clusterFixtures},
	{name: "keys.compare", kind: findings, limits: ControlLimits, answer: findingsShape, fixtures: keysFixtures},
	{name: "peer.prerequisites", kind: findings, limits: ControlLimits, answer: findingsShape, fixtures: prerequisiteFixtures},
	{
		name: "cluster.peers_changed", kind: decision, limits: ControlLimits, optional: true, fixtures: peersChangedFixtures,
		answer: shape{kind: recordKind, needs: []string{"reset"}, fields: map[string]shape{
			"reset": {kind: textKind, enum: []string{"arm", "disarm", "keep_armed", "none"}},
			"keep":  {kind: listKind, elem: &scalarText, max: 20}, "banner": scalarText, "blocked": scalarText,
		}},
		verify: verifyReset,
	},
	{
		name: "peer.identity", kind: decision, limits: ControlLimits, optional: true, fixtures: identityFixtures,
		answer: shape{kind: recordKind, needs: []string{"action"}, fields: map[string]shape{
			"action": {kind: textKind, enum: []string{"accept", "reject"}}, "name": scalarText, "reason": scalarText,
		}},
		warn: acceptAnyway,
	},
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
func (h *hook) decode(v lua.LValue) (any, error) {
	if v == lua.LNil {
		if h.optional {
			return nil, nil
		}
		return nil, badOutput("the answer is nil")
	}
	d := &decoder{}
	out, err := d.decode(v, h.answer, "answer")
	if err == nil && h.verify != nil {
		err = h.verify(out)
	}
	return out, err
}

// acceptAnyway is a reject in mode warn.
func acceptAnyway(answer any) any {
	a := answer.(map[string]any)
	if a["action"] != "reject" {
		return a
	}
	return map[string]any{"action": "accept", "name": ""}
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
	d := v.(map[string]any)
	m.Name, m.Hook = d["name"].(string), d["hook"].(string)
	m.API, m.Order = int(d["api"].(float64)), int(d["order"].(float64))
	m.Title = d["title"].(map[string]any)
	if uses, ok := d["uses"].(map[string]any); ok {
		tables, _ := uses["data"].([]any)
		for _, name := range tables {
			m.Data = append(m.Data, name.(string))
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
				out[toString(k)] = one.(map[string]any)
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
	case m.Order < 100 || m.Order > 899:
		return refuse("order %d is outside 100 to 899", m.Order)
	}
	for _, id := range sorted(m.Text) {
		if !strings.HasPrefix(id, "policy."+name+".") {
			return refuse("text id %q does not begin with policy.%s.", id, name)
		}
	}
	return nil
}

// keepable is the closed list of what a factory reset may keep.
// Source: reference 2.12.
var keepable = []string{
	"network.lan1.ip", "accounts.admin", "accounts.root", "ssh.host_keys", "option_keys", "access.https",
	"access.ssh", "tls.server_certificate", "tls.private_key", "tls.trust_store",
}

// Keepable is the closed list of what a factory reset may keep.
func Keepable() []string { return slices.Clone(keepable) }

func verifyReset(answer any) error {
	a := answer.(map[string]any)
	keep, _ := a["keep"].([]any)
	for _, k := range keep {
		if !slices.Contains(keepable, k.(string)) {
			return badOutput("answer.keep: a factory reset cannot keep %q", clip(k.(string), 64))
		}
	}
	if id, ok := a["banner"].(string); ok {
		if _, known := banners[id]; !known {
			return badOutput("answer.banner: unknown banner %q", clip(id, 64))
		}
	}
	if id, ok := a["blocked"].(string); ok {
		if _, known := catalogue["cluster.reset."+id]; !known {
			return badOutput("answer.blocked: unknown reason %q", clip(id, 64))
		}
	}
	return nil
}
