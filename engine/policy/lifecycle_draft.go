package policy

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// SourceFile is one script as it is handed in.
type SourceFile struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Tests  string `json:"tests,omitempty"`
}

// Checked is the outcome of checking and testing some scripts.
type Checked struct {
	TestReport
	Refused bool `json:"refused"` // something but a warning is wrong
}

// Put stores files as drafts: their newest versions, which the next revision
// takes. Scripts that do not compile are refused, all with them; findings of
// the check are kept beside the version.
//
// Errors: Invalid, naming script and line; Unavailable.
func (l *Lifecycle) Put(ctx context.Context, actor engine.Actor, files []SourceFile, comment string) ([]engine.PolicyVersion, error) {
	if len(files) == 0 {
		return nil, engine.Errorf(engine.Invalid, "there is no script to store")
	}
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return nil, err
	}
	now, err := l.next(ctx, book)
	if err != nil {
		return nil, err
	}
	var out []engine.PolicyVersion
	for _, f := range files {
		v, err := l.version(f, now.data)
		if err != nil {
			return nil, err
		}
		v.Author, v.Comment, v.Created = actor.User, comment, time.Now().UTC()
		out = append(out, v)
	}
	for _, v := range out {
		_, builtin := l.builtin(v.Name)
		if err := l.o.Store.PutPolicyDraft(ctx, v, builtin); err != nil {
			return nil, err
		}
		l.o.Emit(actor, fmt.Sprintf("policy script %s stored, version %s", v.Name, short(v.SHA256)))
	}
	return out, nil
}

// version compiles a file and says what it declares.
func (l *Lifecycle) version(f SourceFile, data map[string]map[string]string) (engine.PolicyVersion, error) {
	s := Script{Name: f.Name, Source: f.Source, Tests: f.Tests}
	d, err := declarationOf(s)
	if err != nil {
		return engine.PolicyVersion{}, engine.Errorf(engine.Invalid, "%s", problemText(s.Name, err)).With(s.Name, "correct it; hexad policy check shows all that is wrong")
	}
	if d.API > NewestAPI {
		return engine.PolicyVersion{}, unknownAPI(s.Name, d.API)
	}
	v := engine.PolicyVersion{
		SHA256: digestOf(s), Name: f.Name, Hook: d.Hook, API: d.API, Source: f.Source, Tests: f.Tests,
		Report: jsonLine(Check(s, data)),
	}
	b, ok := l.builtin(f.Name)
	if !ok && (d.Order < firstSiteOrder || d.Order > lastSiteOrder) {
		return v, engine.Errorf(engine.Invalid, "%s: order %d is one of the built-ins; scripts of a site take %d to %d", f.Name, d.Order, firstSiteOrder, lastSiteOrder).
			With(f.Name, "set order = 500")
	}
	if ok {
		if !Overridable(f.Name) {
			return v, engine.Errorf(engine.Invalid, "the built-in %s is not to be replaced", f.Name).With(f.Name, "write a script of another name that adds to it")
		}
		v.Replaces = digestOf(b)
		if replaced, err := declarationOf(b); err == nil && replaced.Hook != v.Hook {
			return v, engine.Errorf(engine.Invalid, "%s replaces a built-in of hook %s and cannot answer %s", f.Name, replaced.Hook, v.Hook)
		}
	}
	return v, nil
}

// The orders of scripts that replace no built-in. Built-ins before them rule
// out; those behind them, which always answer, have the last word.
const (
	firstSiteOrder = 200
	lastSiteOrder  = 899
)

func unknownAPI(name string, api int) *engine.Error {
	return engine.Errorf(engine.Invalid, "%s:1: API version %d is not known here (the newest is %d)", name, api, NewestAPI).
		With(name, "upgrade this peer first")
}

func problemText(name string, err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if !strings.HasPrefix(text, name+":") {
		text = name + ": " + text
	}
	return text
}

// Remove makes the next revision go without a script: a built-in takes its
// place again. With cancel the draft is dropped instead, whatever it is.
//
// Errors: NotFound; Unavailable.
func (l *Lifecycle) Remove(ctx context.Context, actor engine.Actor, name string, cancel bool) error {
	draft := engine.PolicyRemoved
	if cancel {
		draft = ""
	}
	return l.o.Store.SetPolicyDraft(ctx, name, draft, actor.User)
}

// Check checks and tests files, or without any the scripts that would be staged
// now. Only what a run of tests selects is tested; built-ins are among them
// when all is set.
func (l *Lifecycle) Check(ctx context.Context, files []SourceFile, run *regexp.Regexp, cover, all bool) (Checked, error) {
	scripts, data, err := l.chosen(ctx, files, all)
	if err != nil {
		return Checked{}, err
	}
	return CheckAll(scripts, data, TestOptions{Run: run, Cover: cover}), nil
}

func (l *Lifecycle) chosen(ctx context.Context, files []SourceFile, all bool) ([]Script, map[string]map[string]string, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := l.next(ctx, book)
	if err != nil {
		return nil, nil, err
	}
	if len(files) > 0 {
		var out []Script
		for _, f := range files {
			out = append(out, Script{Name: f.Name, Source: f.Source, Tests: f.Tests})
		}
		return out, c.data, nil
	}
	scripts, err := l.scripts(c)
	if err != nil {
		return nil, nil, err
	}
	if !all {
		scripts = c.site(scripts)
	}
	return scripts, c.data, nil
}

// CheckAll checks scripts whole: lint, compile, load, one evaluation for each
// fixture of the hook, and the tests.
func CheckAll(scripts []Script, data map[string]map[string]string, o TestOptions) Checked {
	out := Checked{TestReport: Test(scripts, o)}
	for i := range out.Scripts {
		r := &out.Scripts[i]
		for _, p := range Check(scripts[i], data) {
			if !slices.Contains(r.Problems, p) {
				r.Problems = append(r.Problems, p)
			}
		}
		for _, p := range r.Problems {
			out.Refused = out.Refused || !p.Warning
		}
	}
	out.Refused = out.Refused || out.Failed > 0
	return out
}

// SetData drafts one row of an operators' table; value "" with removed drops it.
//
// Errors: Invalid; Unavailable.
func (l *Lifecycle) SetData(ctx context.Context, actor engine.Actor, table string, rows map[string]string, removed bool) error {
	if !scriptName.MatchString(table) {
		return engine.Errorf(engine.Invalid, "%q is no name of a table: [a-z][a-z0-9_]{0,39}", table).With("Table", "for example branches")
	}
	var changes []engine.PolicyDatum
	for _, key := range sorted(rows) {
		if key == "" || len(key) > 255 || len(rows[key]) > 4096 {
			return engine.Errorf(engine.Invalid, "a key has 1 to 255 characters, a value at most 4096").With("Key", "shorten it")
		}
		changes = append(changes, engine.PolicyDatum{Table: table, Key: key, Value: rows[key], Removed: removed, Author: actor.User, At: time.Now().UTC()})
	}
	return l.o.Store.DraftPolicyData(ctx, changes)
}

// Tables are the operators' tables as they are in effect, and as they would be
// staged now.
type Tables struct {
	Active map[string]map[string]string `json:"active"`
	Next   map[string]map[string]string `json:"next"`
}

// Data returns the operators' tables.
func (l *Lifecycle) Data(ctx context.Context) (Tables, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return Tables{}, err
	}
	c, err := l.next(ctx, book)
	if err != nil {
		return Tables{}, err
	}
	base, err := l.revision(ctx, book.Active())
	return Tables{Active: base.data, Next: c.data}, err
}

// PutWaiver waives a finding at a peer ("" every peer) until a time.
//
// Errors: Invalid (an id that may not be waived, an end that is past or more
// than a year away, no reason); Unavailable.
func (l *Lifecycle) PutWaiver(ctx context.Context, actor engine.Actor, w engine.PolicyWaiver) (engine.PolicyWaiver, error) {
	now := time.Now().UTC()
	switch {
	case !l.Waivable(w.Finding):
		return w, engine.Errorf(engine.Invalid, "the finding %q may not be waived", w.Finding).With("Finding", "correct its cause")
	case !w.Until.After(now) || w.Until.After(now.AddDate(1, 0, 1)):
		return w, engine.Errorf(engine.Invalid, "a waiver ends between now and a year from now").With("For", "for example 24h")
	case strings.TrimSpace(w.Reason) == "":
		return w, engine.Errorf(engine.Invalid, "a waiver needs a reason").With("Reason", "say why it is acceptable until then")
	}
	w.ID, w.Author, w.Created = newID("w-"), actor.User, now
	err := l.o.Store.PutPolicyWaiver(ctx, w)
	if err == nil {
		l.o.Emit(actor, fmt.Sprintf("finding %s waived until %s: %s", w.Finding, w.Until.Format(time.RFC3339), w.Reason))
	}
	return w, err
}

// EndWaiver ends a waiver before its time. Errors: NotFound; Unavailable.
func (l *Lifecycle) EndWaiver(ctx context.Context, actor engine.Actor, id string) error {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(book.Waivers, func(w engine.PolicyWaiver) bool { return w.ID == id }) {
		return engine.Errorf(engine.NotFound, "there is no waiver %q", id).With("Id", "PolicyWaivers lists them")
	}
	l.o.Emit(actor, "waiver "+id+" ended")
	return l.o.Store.DeletePolicyWaiver(ctx, id)
}
