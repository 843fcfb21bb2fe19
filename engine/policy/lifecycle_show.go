package policy

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
)

// Listed is one script as the list shows it.
type Listed struct {
	Name     string `json:"name"`
	Hook     string `json:"hook"`
	Order    int    `json:"order"`
	Origin   string `json:"origin"` // builtin, override, site
	Version  string `json:"version,omitempty"`
	Mode     string `json:"mode"`
	Failure  string `json:"on_failure,omitempty"`
	Draft    string `json:"draft,omitempty"` // what the next revision takes
	DraftBy  string `json:"draft_by,omitempty"`
	Author   string `json:"author,omitempty"`
	Outdated bool   `json:"outdated,omitempty"`

	Title engine.Text `json:"title"` // as the script declares it
}

// List shows every script: what is active, and the drafts.
func (l *Lifecycle) List(ctx context.Context) ([]Listed, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return nil, err
	}
	c, err := l.revision(ctx, book.Active())
	if err != nil {
		return nil, err
	}
	scripts, err := l.scripts(c)
	if err != nil {
		return nil, err
	}
	outdated := l.outdatedOf(c)
	var out []Listed
	for _, s := range scripts {
		one := Listed{Name: s.Name, Origin: l.origin(s), Version: digestOf(s), Mode: string(Enforce), Outdated: slices.Contains(outdated, s.Name)}
		if i := slices.IndexFunc(c.items, func(i engine.PolicyItem) bool { return i.Name == s.Name }); i >= 0 {
			item := c.items[i]
			one.Failure, one.Author = item.OnFailure, c.texts[item.SHA256].Author
			if item.Mode != "" {
				one.Mode = item.Mode
			}
			one.Order = item.Order
		}
		if d, err := Declares(s); err == nil {
			one.Hook, one.Title = d.Hook, d.Title
			if one.Order == 0 {
				one.Order = d.Order
			}
		}
		out = append(out, one)
	}
	for _, s := range book.Scripts {
		if s.Draft == "" {
			continue
		}
		i := slices.IndexFunc(out, func(o Listed) bool { return o.Name == s.Name })
		if i < 0 {
			out, i = append(out, Listed{Name: s.Name, Hook: s.Hook, Origin: "site", Mode: ""}), len(out)
		}
		out[i].Draft, out[i].DraftBy = s.Draft, s.DraftBy
	}
	slices.SortStableFunc(out, func(a, b Listed) int {
		if c := strings.Compare(a.Hook, b.Hook); c != 0 {
			return c
		}
		if a.Order != b.Order {
			return a.Order - b.Order
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

func (l *Lifecycle) origin(s Script) string {
	_, builtin := l.builtin(s.Name)
	switch {
	case s.Builtin:
		return "builtin"
	case builtin:
		return "override"
	}
	return "site"
}

// Shown is one script with its text and the versions that there are of it.
type Shown struct {
	Name     string                 `json:"name"`
	Origin   string                 `json:"origin"`
	Version  engine.PolicyVersion   `json:"version"`
	Versions []engine.PolicyVersion `json:"versions"`
}

// Show returns a script as it is in effect, or one of its versions: the
// beginning of a SHA-256, "draft", "builtin", or the number of a revision.
//
// Errors: NotFound.
func (l *Lifecycle) Show(ctx context.Context, name, version string) (Shown, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return Shown{}, err
	}
	v, err := l.find(ctx, book, name, version)
	if err != nil {
		return Shown{}, err
	}
	out := Shown{Name: name, Version: v, Origin: "site"}
	if b, ok := l.builtin(name); ok {
		out.Origin = "override"
		if digestOf(b) == v.SHA256 {
			out.Origin = "builtin"
		}
	}
	for _, other := range book.Versions {
		if other.Name == name {
			other.Report = ""
			out.Versions = append(out.Versions, other)
		}
	}
	return out, nil
}

// find returns a version of a script with its texts.
func (l *Lifecycle) find(ctx context.Context, book engine.PolicyBook, name, version string) (engine.PolicyVersion, error) {
	digest := version
	b, builtin := l.builtin(name)
	asItComes := engine.PolicyVersion{Name: name, Source: b.Source, Tests: b.Tests, SHA256: digestOf(b), API: 1, Author: "hexad"}
	if d, err := declarationOf(b); builtin && err == nil {
		asItComes.Hook = d.Hook
	}
	in := func(r engine.PolicyRevision) string {
		for _, i := range r.Items {
			if i.Name == name && i.SHA256 != "" {
				return i.SHA256
			}
		}
		return "builtin"
	}
	number, isNumber := strconv.ParseInt(version, 10, 64)
	switch {
	case version == "":
		digest = in(book.Active())
	case version == "draft":
		if i := slices.IndexFunc(book.Scripts, func(s engine.PolicyScript) bool { return s.Name == name && s.Draft != "" }); i >= 0 {
			digest = book.Scripts[i].Draft
		}
	case isNumber == nil && len(version) < 7:
		r, ok := book.Revision(number)
		if !ok {
			return asItComes, engine.Errorf(engine.NotFound, "there is no revision %d", number).With("Version", "PolicyHistory lists them")
		}
		digest = in(r)
	}
	if builtin && (digest == "builtin" || digest != "" && strings.HasPrefix(asItComes.SHA256, digest)) {
		return asItComes, nil
	}
	for _, v := range book.Versions {
		if v.Name == name && digest != "" && strings.HasPrefix(v.SHA256, digest) {
			texts, err := l.o.Store.PolicyVersions(ctx, []string{v.SHA256})
			return texts[v.SHA256], err
		}
	}
	if version == "" {
		return asItComes, engine.Errorf(engine.NotFound, "no script %q is active", name).With("Script", "PolicyList shows them; a draft is shown with Version: draft")
	}
	return asItComes, engine.Errorf(engine.NotFound, "there is no version %q of script %q", version, name).With("Version", "PolicyShow lists its versions")
}

// Diff compares two versions of a script, as find names them; "" for from is
// the built-in of that name, or what is active.
func (l *Lifecycle) Diff(ctx context.Context, name, from, to string) (lines []string, same bool, err error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return nil, false, err
	}
	if _, builtin := l.builtin(name); from == "" && builtin {
		from = "builtin"
	}
	if to == "" && slices.ContainsFunc(book.Scripts, func(s engine.PolicyScript) bool {
		return s.Name == name && s.Draft != "" && s.Draft != engine.PolicyRemoved
	}) {
		to = "draft"
	}
	a, err := l.compared(ctx, book, name, from)
	if err != nil {
		return nil, false, err
	}
	b, err := l.compared(ctx, book, name, to)
	if err != nil {
		return nil, false, err
	}
	lines = DiffLines(name+".lua "+short(a.SHA256), name+".lua "+short(b.SHA256), a.Source, b.Source)
	lines = append(lines, DiffLines(name+"_test.lua "+short(a.SHA256), name+"_test.lua "+short(b.SHA256), a.Tests, b.Tests)...)
	return lines, len(lines) == 0, nil
}

// compared is find; a script that a revision does not have has no lines in it.
func (l *Lifecycle) compared(ctx context.Context, book engine.PolicyBook, name, version string) (engine.PolicyVersion, error) {
	v, err := l.find(ctx, book, name, version)
	n, notNumber := strconv.ParseInt(version, 10, 64)
	if _, exists := book.Revision(n); engine.CodeOf(err) == engine.NotFound && notNumber == nil && exists {
		return engine.PolicyVersion{Name: name}, nil
	}
	return v, err
}

// Past is one revision of the history with what it changed.
type Past struct {
	engine.PolicyRevision
	Changed []string           `json:"changed"`
	Acks    []engine.PolicyAck `json:"acks,omitempty"`
}

// History lists the revisions, newest first.
func (l *Lifecycle) History(ctx context.Context) ([]Past, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return nil, err
	}
	out := []Past{}
	for _, r := range book.Revisions {
		base, _ := book.Revision(r.BasedOn)
		one := Past{PolicyRevision: r, Changed: changedItems(base.Items, r.Items)}
		for _, k := range book.Acks {
			if k.Revision == r.Number {
				one.Acks = append(one.Acks, k)
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// changedItems names what differs: +new, -left out, ~another version or setting.
func changedItems(old, now []engine.PolicyItem) []string {
	out := []string{}
	had := map[string]engine.PolicyItem{}
	for _, i := range old {
		had[i.Name] = i
	}
	for _, i := range now {
		before, ok := had[i.Name]
		switch {
		case !ok:
			out = append(out, "+"+i.Name)
		case before != i:
			out = append(out, "~"+i.Name)
		}
		delete(had, i.Name)
	}
	for _, name := range sorted(had) {
		out = append(out, "-"+name)
	}
	return out
}

// Waivers lists the waivers that have not ended.
func (l *Lifecycle) Waivers(ctx context.Context) ([]engine.PolicyWaiver, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	now := time.Now()
	out := slices.DeleteFunc(slices.Clone(book.Waivers), func(w engine.PolicyWaiver) bool { return !now.Before(w.Until) })
	return out, err
}

// Decisions lists decisions of this peer since a time, newest first.
func (l *Lifecycle) Decisions(ctx context.Context, since time.Time, hook string, limit int) ([]Decision, error) {
	list, err := l.o.Records.Decisions(ctx, since, hook, limit)
	if list == nil {
		list = []Decision{}
	}
	return list, err
}
