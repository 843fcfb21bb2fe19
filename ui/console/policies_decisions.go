package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/engine/policy"
)

// DecisionsPage lists decisions that this peer made.
type DecisionsPage struct {
	PolicyFrame
	Hooks     []Choice
	Since     []Choice
	Decisions []DecisionView
	Limit     int
}

// decisionsShown is how many decisions the page lists.
const decisionsShown = 200

// decisionTimes are how far back the list goes.
var decisionTimes = []string{"15m", "1h", "24h", "168h"}

// DecisionView is one decision for people.
type DecisionView struct {
	ID           string
	At           time.Time
	Hook         string
	Revision     int64
	Script       string
	Degraded     bool
	Masked       bool
	Took         string // ms
	Instructions int
	Input        string
	Answer       string
	Short        string // the answer in one line
	Steps        []StepView
	URL          string
}

// StepView is one script's part, or a stage of what hexad did itself; Said is
// then its outcome.
type StepView struct {
	Stage   string
	Said    string
	Script  string
	Version string
	Outcome Badge
	Why     []string
	Detail  string
	Answer  string
}

func (s *Server) decisionsPage(c echo.Context) error {
	q := c.QueryParams()
	p := DecisionsPage{PolicyFrame: s.policyFrame(c, "decisions"), Limit: decisionsShown}
	for _, hook := range policy.Hooks() {
		p.Hooks = append(p.Hooks, Choice{Value: hook, Selected: hook == q.Get("hook")})
	}
	since := q.Get("since")
	if !slices.Contains(decisionTimes, since) {
		since = "1h"
	}
	for _, t := range decisionTimes {
		p.Since = append(p.Since, Choice{Value: t, Selected: t == since})
	}
	args := map[string]string{"Since": since, "Limit": strconv.Itoa(decisionsShown)}
	if hook := q.Get("hook"); hook != "" {
		args["Hook"] = hook
	}
	var decisions []policy.Decision
	if err := s.askPolicy(c, &decisions, "PolicyDecisions", args); err != nil {
		return s.render(c, refused(&p.PolicyFrame, err), "policydecisions", p)
	}
	for _, d := range decisions {
		v := decisionView(d)
		v.Short = s.answerKind(p.Lang, v.Short)
		p.Decisions = append(p.Decisions, v)
	}
	return s.render(c, http.StatusOK, "policydecisions", p)
}

// answerKind is what AnswerKind says, its own words in the reader's language;
// ids and fields are the same in every one.
func (s *Server) answerKind(l engine.Language, kind string) string {
	words := map[string]string{"no findings": "answerkind.no_findings", "nothing": "answerkind.nothing", "answer": "answerkind.other"}
	if key, ok := words[kind]; ok {
		return s.pages.texts[l].say(key)
	}
	return kind
}

func decisionView(d policy.Decision) DecisionView {
	v := DecisionView{ID: d.ID, At: d.At, Hook: d.Hook, Revision: d.Revision, Script: d.Script, Degraded: d.Degraded, Masked: d.Masked,
		Took: strconv.FormatFloat(float64(d.Took.Microseconds())/1000, 'f', -1, 64), Instructions: d.Instructions,
		Input: indented(d.Input), Answer: indented(d.Answer), Short: shortened(policy.AnswerKind(d.Answer), 160),
		URL: "/policies/decision?id=" + url.QueryEscape(d.ID)}
	for _, step := range d.Steps {
		if step.Stage != "" {
			v.Steps = append(v.Steps, StepView{Stage: step.Stage, Said: step.Outcome, Detail: step.Detail})
			continue
		}
		one := StepView{Script: step.Script, Version: step.Version, Outcome: outcomeBadge(step.Outcome), Detail: step.Detail, Answer: shortened(plain.Replace(string(step.Answer)), 300)}
		for _, w := range step.Why {
			one.Why = append(one.Why, whyLine(w))
		}
		v.Steps = append(v.Steps, one)
	}
	return v
}

// whyLine writes a line of why as code{name=value}.
func whyLine(w policy.Why) string {
	var parts []string
	for name, value := range w.Params {
		parts = append(parts, name+"="+value)
	}
	if len(parts) == 0 {
		return w.Code
	}
	slices.Sort(parts)
	return w.Code + " {" + strings.Join(parts, ", ") + "}"
}

func outcomeBadge(outcome string) Badge {
	kinds := map[string]Badge{
		"answered": {Kind: "ok", Icon: "ok"}, "nothing": {Kind: "muted", Icon: "off"}, "passed": {Kind: "muted", Icon: "ok"}, "shadow": {Kind: "muted", Icon: "unknown"},
		"warned": {Kind: "warn", Icon: "warn"}, "last_good": {Kind: "warn", Icon: "sync"}, "failed": {Kind: "bad", Icon: "bad"},
		"pinned": {Kind: "bad", Icon: "lock"}, "skipped": {Kind: "muted", Icon: "off"},
	}
	b, known := kinds[outcome]
	if !known {
		return Badge{Kind: "muted", Icon: "unknown", Key: "outcome.other", Detail: outcome}
	}
	b.Key = "outcome." + outcome
	return b
}

// plain takes back what JSON escapes for the sake of HTML; templates do that
// themselves.
var plain = strings.NewReplacer(`\\`, `\\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

func indented(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return plain.Replace(b.String())
}

func shortened(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}

// DecisionPage explains one decision.
type DecisionPage struct {
	PolicyFrame
	Decision DecisionView
	Again    *DecisionView
	Same     bool
	With     string
	Sources  []TracedSource
}

// TracedSource is a script with the lines that ran.
type TracedSource struct {
	Script string
	Lines  []SourceLine
}

func (s *Server) decisionPage(c echo.Context) error {
	p := DecisionPage{PolicyFrame: s.policyFrame(c, "decisions"), With: c.QueryParam("with")}
	args := map[string]string{"Id": c.QueryParam("id"), "Lines": "True"}
	if n, err := strconv.ParseInt(p.With, 10, 64); err == nil && n >= 0 {
		args["With"] = p.With
	}
	var explained policy.Explained
	if err := s.askPolicy(c, &explained, "PolicyExplain", args); err != nil {
		return err
	}
	p.Decision, p.Same = decisionView(explained.Decision), explained.Same
	if explained.Again != nil {
		again := decisionView(*explained.Again)
		p.Again = &again
	}
	for _, source := range explained.Sources {
		p.Sources = append(p.Sources, traced(source))
	}
	return s.render(c, http.StatusOK, "policydecision", p)
}

func traced(source policy.ExplainedLines) TracedSource {
	lines := colour(strings.Join(source.Lines, "\n"))
	for _, n := range source.Ran {
		marked(lines, n, "ran", "")
	}
	return TracedSource{Script: source.Script, Lines: lines}
}

// tryPolicy asks what was typed one question, without recording it.
func (s *Server) tryPolicy(c echo.Context, p EditPage, file policy.SourceFile) error {
	result, err := s.runWith(c, "PolicyEval", map[string]string{"Hook": p.Hook.Name, "Lines": "True"},
		map[string]any{"script": file, "input": json.RawMessage(p.Input)})
	var d policy.Decision
	if err == nil {
		err = decode(result.Data, &d)
	}
	if err != nil {
		return s.render(c, refused(&p.PolicyFrame, err), "policyedit", p)
	}
	view := decisionView(d)
	p.Decision, p.Source = &view, colour(p.Text)
	for _, step := range d.Steps {
		for _, line := range step.Lines {
			marked(p.Source, line, "ran", "")
		}
	}
	return s.render(c, http.StatusOK, "policyedit", p)
}
