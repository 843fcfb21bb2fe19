package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"hexad/engine"
)

// Question is one input of a hook.
type Question struct {
	Hook  string          `json:"hook"`
	Input json.RawMessage `json:"input"`
}

// DryRunRequest chooses what a dry run asks: recorded decisions since a time, of
// one hook or of all (""), and Questions beside them. Revision is the candidate, 0 for
// what would be staged now.
type DryRunRequest struct {
	Since     time.Time
	Hook      string
	Revision  int64
	Questions []Question
	Limit     int // of decisions; 0: 20,000
}

// Difference counts the answers that changed in one way.
type Difference struct {
	Hook    string   `json:"hook"`
	Was     string   `json:"was"` // kind of answer: accept, reject premium_rate, 2 findings …
	Is      string   `json:"is"`
	Count   int      `json:"count"`
	Samples []string `json:"samples"` // ids of decisions, at most five
}

// DryRun is what a candidate would have answered otherwise.
type DryRun struct {
	Active      int64        `json:"active"`
	Candidate   int64        `json:"candidate"` // 0: not staged yet
	Asked       int          `json:"asked"`
	Present     int          `json:"present"` // of these: the present configuration
	Changed     int          `json:"changed"`
	Failed      int          `json:"failed"` // could not be asked again
	Masked      int          `json:"masked"` // left out: their aliases are masked
	Differences []Difference `json:"differences"`
}

const maxReplayed = 20_000

// presentID marks the question about the present configuration.
const presentID = "present"

// DryRun asks the active revision and a candidate the same questions again and
// tells where their answers differ. Nothing of it is recorded.
//
// Errors: Invalid (the candidate cannot be loaded); NotFound; Unavailable.
func (l *Lifecycle) DryRun(ctx context.Context, in DryRunRequest) (DryRun, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return DryRun{}, err
	}
	active, err := l.evaluator(ctx, book, book.Active().Number)
	if err != nil {
		return DryRun{}, err
	}
	var candidate evaluator
	if in.Revision != 0 {
		candidate, err = l.evaluator(ctx, book, in.Revision)
	} else {
		candidate, err = l.nextEvaluator(ctx, book)
	}
	if err != nil {
		return DryRun{}, err
	}
	out := DryRun{Active: book.Active().Number, Candidate: in.Revision, Differences: []Difference{}}
	questions, err := l.questions(ctx, in, &out)
	if err != nil {
		return out, err
	}
	for _, q := range questions {
		if ctx.Err() != nil {
			return out, engine.Errorf(engine.Unavailable, "the dry run was not finished in time: %d of %d asked", out.Asked, len(questions)).
				With("Since", "take a shorter time or one hook")
		}
		out.compare(ctx, q, active, candidate)
	}
	slices.SortStableFunc(out.Differences, func(a, b Difference) int { return b.Count - a.Count })
	return out, nil
}

type recorded struct {
	id string
	Question
}

// questions are the recorded inputs, newest first. The newest of each findings
// hook is the present configuration, for peers judge it each minute. How many
// those are, and what is left out, is counted in run.
func (l *Lifecycle) questions(ctx context.Context, in DryRunRequest, run *DryRun) (out []recorded, err error) {
	run.Present = len(in.Questions)
	for _, q := range in.Questions {
		out = append(out, recorded{presentID, q})
	}
	limit := in.Limit
	if limit <= 0 || limit > maxReplayed {
		limit = maxReplayed
	}
	decisions, err := l.o.Records.Decisions(ctx, in.Since, in.Hook, limit)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, d := range decisions {
		if d.Masked {
			run.Masked++
			continue
		}
		out = append(out, recorded{d.ID, Question{d.Hook, d.Input}})
		if h := hookNamed(d.Hook); h != nil && h.kind == findings && !seen[d.Hook] {
			run.Present++
		}
		seen[d.Hook] = true
	}
	for _, h := range hooks {
		if h.kind != findings || seen[h.name] || in.Hook != "" && in.Hook != h.name {
			continue
		}
		newest, err := l.o.Records.Decisions(ctx, time.Time{}, h.name, 1)
		if err != nil {
			return nil, err
		}
		for _, d := range newest {
			if !d.Masked {
				out = append(out, recorded{d.ID, Question{d.Hook, d.Input}})
				run.Present++
			}
		}
	}
	return out, nil
}

func (r *DryRun) compare(ctx context.Context, q recorded, active, candidate evaluator) {
	was, err := active(ctx, q.Hook, q.Input, false)
	is, err2 := candidate(ctx, q.Hook, q.Input, false)
	r.Asked++
	if err != nil || err2 != nil {
		r.Failed++
		return
	}
	if sameAnswer(was.Answer, is.Answer) {
		return
	}
	r.Changed++
	before, after := kindOf(was.Answer), kindOf(is.Answer)
	i := slices.IndexFunc(r.Differences, func(d Difference) bool { return d.Hook == q.Hook && d.Was == before && d.Is == after })
	if i < 0 {
		r.Differences, i = append(r.Differences, Difference{Hook: q.Hook, Was: before, Is: after}), len(r.Differences)
	}
	d := &r.Differences[i]
	if d.Count++; len(d.Samples) < 5 {
		d.Samples = append(d.Samples, q.id)
	}
}

// sameAnswer compares two answers as values.
func sameAnswer(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && jsonLine(x) == jsonLine(y)
}

// evaluator asks revision n.
func (l *Lifecycle) evaluator(ctx context.Context, book engine.PolicyBook, n int64) (evaluator, error) {
	r, ok := book.Revision(n)
	if !ok {
		return nil, engine.Errorf(engine.NotFound, "there is no revision %d", n).With("Revision", "PolicyHistory lists them")
	}
	c, err := l.revision(ctx, r)
	if err != nil {
		return nil, err
	}
	return l.asked(c)
}

func (l *Lifecycle) nextEvaluator(ctx context.Context, book engine.PolicyBook) (evaluator, error) {
	c, err := l.next(ctx, book)
	if err != nil {
		return nil, err
	}
	return l.asked(c)
}

func (l *Lifecycle) asked(c candidate) (evaluator, error) {
	scripts, err := l.scripts(c)
	if err != nil {
		return nil, err
	}
	ask, err := evaluatorOf(c.number, scripts, c.data)
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "the revision cannot be loaded: %s", problemText("policy", err)).With("", "hexad policy check shows what is wrong")
	}
	return ask, nil
}

// Eval asks a revision (-1: the active one, 0: the built-ins alone) or, with a
// file, that script alone, and returns the decision. Nothing is recorded.
//
// Errors: Invalid (hook, input, script); NotFound.
func (l *Lifecycle) Eval(ctx context.Context, hook string, input json.RawMessage, revision int64, file *SourceFile, lines bool) (Decision, error) {
	switch {
	case file == nil && revision < 0:
		return l.o.Policies.Evaluate(ctx, hook, input, Trace{Lines: lines})
	case file == nil:
		book, err := l.o.Store.PolicyBook(ctx)
		if err != nil {
			return Decision{}, err
		}
		ask, err := l.evaluator(ctx, book, revision)
		if err != nil {
			return Decision{}, err
		}
		return ask(ctx, hook, input, lines)
	}
	s := Script{Name: file.Name, Source: file.Source}
	declared, err := declarationOf(s)
	if err != nil {
		return Decision{}, engine.Errorf(engine.Invalid, "%s", problemText(s.Name, err)).With(s.Name, "correct it")
	}
	if hook == "" {
		hook = declared.Hook
	}
	data, err := l.Data(ctx)
	if err != nil {
		return Decision{}, err
	}
	ask, err := evaluatorOf(0, []Script{s}, data.Next)
	if err != nil {
		return Decision{}, engine.Errorf(engine.Invalid, "%s", problemText(s.Name, err)).With(s.Name, "correct it")
	}
	return ask(ctx, hook, input, lines)
}

// Explained is one decision with what it went through, and what is asked for
// beside it.
type Explained struct {
	Decision Decision         `json:"decision"`
	Again    *Decision        `json:"again,omitempty"` // with the lines that ran, or of another revision
	Same     bool             `json:"same"`            // Again answers the same
	Sources  []ExplainedLines `json:"sources,omitempty"`
}

// ExplainedLines is the source of a script with the lines that ran.
type ExplainedLines struct {
	Script string   `json:"script"`
	Lines  []string `json:"lines"`
	Ran    []int    `json:"ran"`
}

// Explain returns a decision of this peer. With lines it is evaluated again with
// the trace of lines; with >= 0 evaluates it with that revision instead. One
// whose aliases are masked is shown as it is kept: the rules would answer
// something else to the masks.
//
// Errors: NotFound; Invalid (with: aliases are masked).
func (l *Lifecycle) Explain(ctx context.Context, id string, lines bool, with int64) (Explained, error) {
	d, err := l.o.Records.Decision(ctx, id)
	if err != nil {
		return Explained{}, err
	}
	out := Explained{Decision: d, Same: true}
	switch {
	case d.Masked && with >= 0:
		return out, engine.Errorf(engine.Invalid, "the aliases of decision %s are masked, so no revision can be asked again", d.ID).
			With("With", "show it without; new decisions are kept whole with "+ItemMaskAliases+" off")
	case d.Masked || !lines && with < 0:
		return out, nil
	}
	n := d.Revision
	if with >= 0 {
		n = with
	}
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return out, err
	}
	ask, err := l.evaluator(ctx, book, n)
	if err != nil {
		return out, err
	}
	again, err := ask(ctx, d.Hook, d.Input, lines)
	if err != nil {
		return out, err
	}
	out.Again, out.Same = &again, sameAnswer(again.Answer, d.Answer)
	for _, step := range again.Steps {
		if !lines || len(step.Lines) == 0 {
			continue
		}
		v, err := l.find(ctx, book, step.Script, jsonLine(n))
		if err == nil {
			out.Sources = append(out.Sources, ExplainedLines{Script: step.Script, Lines: textLines(v.Source), Ran: step.Lines})
		}
	}
	return out, nil
}
