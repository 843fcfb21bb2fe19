package config

import (
	"context"
	"io"
	"slices"
	"strings"

	"hexad/engine"
)

// Disposition is what became of one line of an import.
type Disposition struct {
	Number  int         `json:"line"`
	Path    string      `json:"path"`  // canonical where the item is known
	Value   string      `json:"value"` // masked for secrets
	Outcome Fate        `json:"outcome"`
	Reason  engine.Text `json:"reason,omitzero"` // why it was not applied
}

// Fate is the outcome of one line.
type Fate string

// The fates of a line.
const (
	Applied       Fate = "applied"
	LeftAlone     Fate = "left alone"     // it belongs to the machine that it was taken from
	NotApplicable Fate = "not applicable" // hexad has no such thing
	Unknown       Fate = "unknown"
	Invalid       Fate = "invalid"
)

// ImportOptions says what an import may touch.
type ImportOptions struct {
	// Machine applies the lines that belong to one machine too: its clustering
	// page, addresses, names and option keys. Secrets that another machine
	// sealed stay left alone.
	Machine bool
}

// Report tells what an import did: one Disposition for each line that says
// something.
type Report struct {
	Lines         []Disposition `json:"lines"`
	Applied       int           `json:"applied"`
	LeftAlone     int           `json:"left_alone"`
	NotApplicable int           `json:"not_applicable"`
	Unknown       int           `json:"unknown"`
	Invalid       int           `json:"invalid"`
	Outcome                     // nothing saved, and no error: all was in effect already
}

// attempts is how often an import is tried again when another change wins.
const attempts = 3

// Import reads configuration lines and applies those that concern this system:
// one revision, or none. A line that cannot be applied does not stop the
// others; a list entry that breaks a rule is left out whole. Importing the
// same again changes nothing.
//
// With Machine, this peer's own items follow the replicated ones, and the
// clustering page comes last: see Set. A page that the cluster's rules refuse
// is reported at its lines. An import never empties the peer list, since that
// would arm a factory reset.
//
// Errors: Invalid for an input beyond the bounds or a policy's refusal;
// Conflict, Denied and Unavailable from the stores. The report is filled in
// as far as it is known even then; no line of it is applied unless Saved says so.
func (s *Service) Import(ctx context.Context, actor engine.Actor, r io.Reader, opt ImportOptions) (Report, error) {
	ctx, end := engine.WithStages(ctx)
	defer end()
	var in intake
	in.machine = opt.Machine
	err := readLines(r, func(number int, text string) { in.take(s.reg, number, text) })
	if err != nil {
		return Report{}, err
	}
	in.keepLast()
	engine.Staged(ctx, "lines", "read", "this peer's own items too: %t", in.machine)
	actor.Via = "import"
	s.changing.Lock()
	defer s.changing.Unlock()
	for n := 1; ; n++ {
		try := in.clone()
		out, err := s.apply(ctx, actor, &try)
		if engine.CodeOf(err) == engine.Conflict && n < attempts {
			if _, err := s.Reload(ctx); err != nil {
				return try.report(Outcome{}), err
			}
			continue
		}
		return try.report(out), err
	}
}

// apply saves what of the intake can be saved on the present view.
func (s *Service) apply(ctx context.Context, actor engine.Actor, in *intake) (Outcome, error) {
	view := s.current.Load()
	s.keepPeers(in)
	p := in.settle(view)
	page := p.clustering
	p.clustering = nil
	out, err := s.save(ctx, actor, view.Revision, view, p, "import")
	if err != nil || len(page) == 0 {
		return out, err
	}
	paged, err := s.save(ctx, actor, s.current.Load().Revision, s.current.Load(), plan{clustering: page, next: p.next}, "import")
	if err != nil {
		in.refuse(func(c Checked) bool { return c.Item.Scope == Clustering }, Invalid, reasonRefused(err))
		return out, nil
	}
	out.Clustering, out.Changed = paged.Clustering, append(out.Changed, paged.Changed...)
	out.Restart, out.Findings = append(out.Restart, paged.Restart...), append(out.Findings, paged.Findings...)
	return out, nil
}

// keepPeers leaves a clustering page alone that would empty the peer list.
func (s *Service) keepPeers(in *intake) {
	entered := s.clustering.Entered()
	var page []Checked
	for _, c := range in.changes() {
		if c.Item.Scope == Clustering {
			page = append(page, c)
		}
	}
	after, err := clusteringPage(entered, page)
	if err == nil && len(entered.Peers) > 0 && len(after.Peers) == 0 {
		in.refuse(func(c Checked) bool { return c.Item.Scope == Clustering }, LeftAlone, reasonEmptyList)
	}
}

// intake is an import on its way: the lines, and the value of each that is to
// be applied.
type intake struct {
	machine bool
	lines   []Disposition
	values  []Checked // beside lines
	guessed int       // suggestions given so far
}

// take decides on one line by itself.
func (in *intake) take(reg *Registry, number int, text string) {
	line, err := ParseLine(text)
	if err == nil && line.Path == "" {
		return
	}
	d := Disposition{Number: number, Path: line.Path, Value: guard(line.Path, line.Value), Outcome: Applied}
	value := Checked{}
	if err != nil {
		d.Path, d.Value = "", ""
		d.Outcome, d.Reason = Invalid, reasonRefused(err)
	} else if m, ok := reg.find(line.Path); ok {
		d.Path, d.Value = m.Path, m.Item.mask(line.Value)
		value, d.Outcome, d.Reason = in.known(m, line.Value)
		if d.Outcome == Applied {
			d.Value = m.Item.mask(value.Value)
		}
	} else if reason, absent := reg.Absent(line.Path); absent {
		d.Outcome, d.Reason = NotApplicable, reason
	} else {
		d.Path = shorten(line.Path)
		d.Outcome, d.Reason = in.unknown(reg, line.Path)
	}
	in.lines, in.values = append(in.lines, d), append(in.values, value)
}

// known decides on a line whose item the registry has.
func (in *intake) known(m Match, value string) (Checked, Fate, engine.Text) {
	switch {
	case m.Item.Secret && sealed(value):
		return Checked{}, LeftAlone, reasonSealed
	case m.Item.Scope != Replicated && !in.machine:
		return Checked{}, LeftAlone, reasonMachine
	}
	c, err := m.check(value)
	if err != nil {
		return Checked{}, Invalid, reasonRefused(err)
	}
	return c, Applied, engine.Text{}
}

// guesses is how many unknown lines get suggestions: each costs milliseconds.
const guesses = 20

func (in *intake) unknown(reg *Registry, path string) (Fate, engine.Text) {
	if err := reg.outOfBounds(path); err != nil {
		return Invalid, reasonRefused(err)
	}
	if in.guessed++; in.guessed <= guesses {
		if near := reg.Suggest(path); len(near) > 0 {
			return Unknown, reasonNear(strings.Join(near, ", "))
		}
	}
	return Unknown, reasonUnknown
}

// keepLast leaves all but the last line of an item alone.
func (in *intake) keepLast() {
	last := map[string]int{}
	for n, d := range in.lines {
		if d.Outcome == Applied {
			last[d.Path] = n
		}
	}
	for n := range in.lines {
		if d := &in.lines[n]; d.Outcome == Applied && last[d.Path] != n {
			d.Outcome, d.Reason = LeftAlone, reasonLater
		}
	}
}

// settle plans the lines that are still to be applied, leaving out what breaks
// a rule between items until nothing does.
func (in *intake) settle(view *View) plan {
	for {
		p := view.plan(in.changes())
		if len(p.problems) == 0 {
			return p
		}
		dropped := false
		for _, bad := range p.problems {
			dropped = in.refuse(func(c Checked) bool {
				return c.Path == bad.entry || strings.HasPrefix(c.Path, bad.entry+" ")
			}, Invalid, reasonRefused(bad.err)) || dropped
		}
		if !dropped { // the rule was broken before: what is left does not touch it
			p.problems = nil
			return p
		}
	}
}

func (in *intake) changes() (out []Checked) {
	for n, d := range in.lines {
		if d.Outcome == Applied {
			out = append(out, in.values[n])
		}
	}
	return out
}

// refuse takes the lines that match out of those to be applied.
func (in *intake) refuse(match func(Checked) bool, fate Fate, reason engine.Text) (any bool) {
	for n := range in.lines {
		if d := &in.lines[n]; d.Outcome == Applied && match(in.values[n]) {
			d.Outcome, d.Reason, any = fate, reason, true
		}
	}
	return any
}

func (in *intake) clone() intake {
	c := *in
	c.lines = slices.Clone(in.lines)
	return c
}

func (in *intake) report(out Outcome) Report {
	r := Report{Lines: in.lines, Outcome: out}
	for _, d := range in.lines {
		switch d.Outcome {
		case Applied:
			r.Applied++
		case LeftAlone:
			r.LeftAlone++
		case NotApplicable:
			r.NotApplicable++
		case Unknown:
			r.Unknown++
		case Invalid:
			r.Invalid++
		}
	}
	return r
}
