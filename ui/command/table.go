package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"hexad/engine"
	"hexad/engine/config"
)

// Argument is one argument of a command.
type Argument struct {
	Name     string       `json:"name"`
	Space    config.Space `json:"-"`
	Required bool         `json:"required"`
	Default  string       `json:"default,omitempty"`
	Secret   bool         `json:"secret,omitempty"` // never shown in the audit
	Help     engine.Text  `json:"help"`
}

// Entry is one command of the table.
type Entry struct {
	Group  Group
	Name   string // joined: "ZoneAdd"
	Role   Role   // the least that may run it
	Writes bool   // changes something, and so is audited
	Root   bool   // the account root alone may run it
	Backup bool   // a backup is to be taken first: every answer says so
	Args   []Argument
	Help   engine.Text
	// Example is a whole line that a person could type.
	Example string
	run     func(ctx context.Context, call Call) (Result, error)
}

// Argument returns the argument called name, in any case.
func (e *Entry) Argument(name string) (Argument, bool) {
	for _, a := range e.Args {
		if fold(a.Name) == fold(name) {
			return a, true
		}
	}
	return Argument{}, false
}

// Table is all commands of one peer. It is safe for concurrent use.
type Table struct {
	parts   Parts
	entries []*Entry // in group and name order
	status  []element
}

// New makes the table of the commands that parts can carry out.
func New(parts Parts) *Table {
	t := &Table{parts: parts}
	if t.parts.Audit == nil {
		t.parts.Audit = func(context.Context, Audited) {}
	}
	if t.parts.Catalogue == nil {
		t.parts.Catalogue = func(id int) engine.Alarm { return engine.Alarm{ID: id} }
	}
	t.status = t.elements()
	t.entries = slices.Concat(t.configurationEntries(), t.listEntries(), t.clusterEntries(), t.procedureEntries(),
		t.systemEntries(), t.backupEntries(), t.resetEntries(), t.purgeEntries(), t.snapshotEntries(), t.statusEntries(), t.policyEntries(), t.accountEntries(), t.sshEntries())
	slices.SortStableFunc(t.entries, func(a, b *Entry) int {
		return strings.Compare(string(a.Group)+" "+fold(a.Name), string(b.Group)+" "+fold(b.Name))
	})
	return t
}

// Entries lists the commands in group and name order.
func (t *Table) Entries() []*Entry { return slices.Clone(t.entries) }

// Lookup finds a command by its name, words joined or spaced, in any case.
//
// Errors: Invalid, with the name that was probably meant.
func (t *Table) Lookup(name string) (*Entry, error) {
	var names []string
	for _, e := range t.entries {
		if fold(e.Name) == fold(name) {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return nil, unknown("command", name, names, "type xCommand ? for the list")
}

// Run checks and carries out one command.
//
// Errors: Invalid (name, arguments), Denied (role), and those of the command,
// always as *engine.Error.
func (t *Table) Run(ctx context.Context, call Call) (Result, error) {
	e, err := t.Lookup(call.Name)
	if err != nil {
		return Result{}, err
	}
	writes := e.Writes || len(call.Changes) > 0
	if err := t.permit(e, call, writes); err != nil {
		t.audit(ctx, e, call, writes, err)
		return Result{}, err
	}
	call.Name = e.Name
	if call.Args, err = e.check(call.Args); err != nil {
		return Result{}, err
	}
	result, err := e.run(ctx, call)
	if err == nil && (e.Backup || t.resets(e)) {
		result.Backup = &backupFirst
		if e.Backup { // otherwise the banner says so
			result.Lines = append([]string{BackupLine(call.Language)}, result.Lines...)
		}
	}
	t.audit(ctx, e, call, writes, err)
	return result, typed(e.Name, err)
}

// resets reports whether a command arms the factory reset of an empty peer
// list, or carries the armed one out.
func (t *Table) resets(e *Entry) bool {
	return (e.Name == "ClusterSave" || e.Name == "Restart") && t.parts.Cluster != nil && t.parts.Cluster.Pending().Reset != nil
}

func (t *Table) permit(e *Entry, call Call, writes bool) error {
	reads := e.Role == Auditor && !writes
	tries := e.Role == PolicyAuthor && !writes // who approves checks first
	if e.Root && call.Actor.User != "root" {
		return engine.Errorf(engine.Denied, "%s is a command of the account root", e.Name).
			With(e.Name, "sign in as root over SSH, or use hexad shell on the machine")
	}
	switch call.Role {
	case Administrator:
		return nil
	case Auditor:
		if reads {
			return nil
		}
		return engine.Errorf(engine.Denied, "%s: the account %q may read only", e.Name, call.Actor.User).
			With(e.Name, "sign in as an administrator")
	case PolicyAuthor, PolicyApprover:
		if reads || e.Role == call.Role || tries && call.Role == PolicyApprover {
			return nil
		}
		return engine.Errorf(engine.Denied, "%s: the account %q has the role %s", e.Name, call.Actor.User, call.Role).
			With(e.Name, "sign in with an account that has the role "+string(e.Role))
	}
	return engine.Errorf(engine.Denied, "%s: no account is signed in", e.Name).With(e.Name, "sign in first")
}

// check returns the arguments by their canonical names, spelled as their
// value spaces spell them.
func (e *Entry) check(given map[string]string) (map[string]string, error) {
	args := map[string]string{}
	for name, value := range given {
		a, ok := e.Argument(name)
		if !ok {
			var names []string
			for _, a := range e.Args {
				names = append(names, a.Name)
			}
			return nil, unknown("argument of "+e.Name, name, names, "type "+string(e.Group)+" "+e.Name+" ? for its arguments")
		}
		if _, twice := args[a.Name]; twice {
			return nil, usage("%s: the argument %s is given twice", e.Name, a.Name)
		}
		value, err := a.canonical(value)
		if err != nil {
			return nil, err
		}
		args[a.Name] = value
	}
	for _, a := range e.Args {
		if _, ok := args[a.Name]; !ok && a.Required {
			return nil, engine.Errorf(engine.Invalid, "%s: the argument %s %s is missing", e.Name, a.Name, a.Space).
				With(a.Name, "for example: "+e.Example)
		}
	}
	return args, nil
}

func (t *Table) audit(ctx context.Context, e *Entry, call Call, writes bool, err error) {
	if !writes {
		return
	}
	args := map[string]string{}
	for name, value := range call.Args {
		if a, ok := e.Argument(name); !ok || a.Secret {
			value = "***"
		}
		args[name] = value
	}
	for _, c := range call.Changes {
		value := c.Value
		if item, ok := t.item(c.Path); !ok || item.Secret {
			value = "***"
		}
		args[c.Path] = value
	}
	done := "OK"
	if err != nil {
		done = string(engine.CodeOf(err)) + ": " + typed(e.Name, err).Error()
	}
	t.parts.Audit(ctx, Audited{Actor: call.Actor, Command: e.Name, Args: args, Result: done})
}

// typed makes any error an *engine.Error; a foreign one is a fault of hexad
// whose text stays in the cause.
func typed(name string, err error) error {
	if err == nil {
		return nil
	}
	var e *engine.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &engine.Error{Code: engine.Unavailable, Message: name + ": not finished in time", Remedy: "try again", Err: err}
	}
	return &engine.Error{Code: engine.Internal, Message: name + " failed inside hexad", Remedy: "see the event log", Err: err}
}
