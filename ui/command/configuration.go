package command

import (
	"context"
	"io"
	"strconv"
	"strings"

	"hexad/engine"
	"hexad/engine/config"
)

// Configuration reads and changes the configuration: config.Service.
type Configuration interface {
	Current() *config.View
	Set(ctx context.Context, actor engine.Actor, base int64, changes []engine.Change) (config.Outcome, error)
	Import(ctx context.Context, actor engine.Actor, r io.Reader, options config.ImportOptions) (config.Report, error)
	// Reload makes what the databases hold the present view.
	Reload(ctx context.Context) ([]engine.Change, error)
}

// History is what was changed, by whom, from where.
type History interface {
	// History returns at most limit entries of revisions above after and below
	// before (0: no upper bound), newest first.
	History(ctx context.Context, after, before int64, limit int) ([]engine.HistoryEntry, error)
}

// Most entries that xHistory shows.
const maxHistory = 200

func (t *Table) configurationEntries() []*Entry {
	if t.parts.Configuration == nil || t.parts.Registry == nil {
		return nil
	}
	return []*Entry{
		{Group: XConfiguration, Name: string(XConfiguration), Role: Auditor,
			Args:    []Argument{{Name: "Path", Space: chars(0, 1000), Help: engine.Text{EN: "Item or branch; all without", JA: "項目または枝。省略するとすべて"}}},
			Help:    engine.Text{EN: "Shows the configuration, or sets items of it", JA: "設定を表示または変更します"},
			Example: `xConfiguration SystemUnit Name: "peer1"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				if len(call.Changes) > 0 {
					return t.set(ctx, call)
				}
				return t.show(ctx, call)
			}},
		{Group: XCommand, Name: "Import", Role: Administrator, Writes: true,
			Args: []Argument{{Name: "Machine", Space: oneOf("Off", "On"), Default: "Off",
				Help: engine.Text{EN: "On: apply the lines that belong to one machine too", JA: "On: 1 台の機器に固有の行も適用します"}},
				{Name: "All", Space: oneOf("Off", "On"), Default: "Off", Help: engine.Text{EN: "On: answer the lines that were applied too", JA: "On: 適用した行も表示します"}}},
			Help:    engine.Text{EN: "Applies xConfiguration lines in one revision, or none; paste them, or use hexad import", JA: "xConfiguration の行を 1 つのリビジョンで適用します。貼り付けるか hexad import を使います"},
			Example: "hexad import FILE",
			run:     t.importLines},
	}
}

// resolveConfiguration finds whether a line shows or sets.
func (t *Table) resolveConfiguration(line Line) (Call, error) {
	call := Call{Name: string(XConfiguration), Args: map[string]string{}}
	if len(line.Segments) == 0 {
		call.Args["Path"] = strings.Join(line.Tail, " ")
		return call, nil
	}
	for _, s := range line.Segments {
		if s.Bare {
			return Call{}, usage("a colon is missing after %q", strings.Join(s.Words, " ")).
				With(usageItem, `for example: xConfiguration SystemUnit Name: "peer1"`)
		}
		call.Changes = append(call.Changes, engine.Change{Path: strings.Join(s.Words, " "), Value: s.Value})
	}
	return call, nil
}

// setting is one item as the shell's JSON has it.
type setting struct {
	Path    string `json:"path"`
	Value   string `json:"value"`
	Default bool   `json:"default"` // it was not set
}

func (t *Table) show(ctx context.Context, call Call) (Result, error) {
	path, view := call.Args["Path"], t.parts.Configuration.Current()
	items, err := view.All(path)
	if err != nil { // an old spelling, or a mistake
		m, unknown := t.parts.Registry.Lookup(path)
		if unknown != nil {
			return Result{}, unknown
		}
		if items, err = view.All(m.Path); err != nil {
			return Result{}, err
		}
	}
	result := Result{}
	if c := t.parts.Cluster; c != nil && c.View(ctx).Database == "Failed" {
		result.Lines = append(result.Lines, "! "+say(call.Language, engine.Text{
			EN: "The cluster database of this system failed: what belongs to the cluster is not known here. See the alarms.",
			JA: "このシステムのクラスタデータベースに障害が発生しました。クラスタの設定は表示されません。アラームを確認してください。"}))
	}
	data := make([]setting, 0, len(items))
	for _, i := range items {
		result.Lines = append(result.Lines, i.Line())
		data = append(data, setting{Path: i.Path, Value: i.Shown(), Default: i.Default})
	}
	result.Data = data
	return result, nil
}

func (t *Table) set(ctx context.Context, call Call) (Result, error) {
	out, err := t.parts.Configuration.Set(ctx, call.Actor, call.Base, call.Changes)
	return t.answered(call, out, err)
}

// attempts is how often a change that its caller based on no revision is
// decided anew when another change wins.
const attempts = 3

// decide makes a change that depends on the present configuration: changes is
// asked again, with a new view, when the configuration changed meanwhile.
func (t *Table) decide(ctx context.Context, call Call, changes func(*config.View) ([]engine.Change, error)) (Result, error) {
	for n := 1; ; n++ {
		view := t.parts.Configuration.Current()
		wanted, err := changes(view)
		if err != nil {
			return Result{}, err
		}
		base := view.Revision
		if call.Base != 0 {
			base = call.Base
		}
		out, err := t.parts.Configuration.Set(ctx, call.Actor, base, wanted)
		if engine.CodeOf(err) != engine.Conflict || call.Base != 0 || n == attempts {
			return t.answered(call, out, err)
		}
		if _, err := t.parts.Configuration.Reload(ctx); err != nil {
			return Result{}, err
		}
	}
}

// answered is the answer to a change, refused or not.
func (t *Table) answered(call Call, out config.Outcome, err error) (Result, error) {
	result := changed(call.Language, out)
	if err == nil && len(out.Changed) == 0 {
		result.Lines = append(result.Lines, say(call.Language, engine.Text{EN: "nothing to change: it is so already", JA: "変更はありません(既に同じ値です)"}))
	}
	if err != nil && out.Saved == nil {
		result = Result{} // the findings are in the error
	}
	return result, err
}

// changed is the answer to a change of the configuration.
func changed(l engine.Language, out config.Outcome) Result {
	result := Result{Data: out, Saved: out.Saved, Restart: out.Restart, Findings: out.Findings, Cluster: out.Clustering}
	if out.Saved == nil && out.Clustering != nil {
		result.Saved = out.Clustering.Saved
	}
	result.Lines = append(outcome(l, result.Saved, out.Restart), foundLines(l, out.Findings)...)
	return result
}

// item is the registry's entry of a path.
func (t *Table) item(path string) (*config.Item, bool) {
	if t.parts.Registry == nil {
		return nil, false
	}
	m, err := t.parts.Registry.Lookup(path)
	return m.Item, err == nil
}

// value is what an item is set to now, "" when it cannot be told.
func (t *Table) value(path string) string {
	if t.parts.Configuration == nil {
		return ""
	}
	value, _, err := t.parts.Configuration.Current().Get(path)
	if err != nil {
		return ""
	}
	return value
}

// indices are the entries of a list, and the next free one, as words.
func (t *Table) indices(list string) []string {
	if t.parts.Configuration == nil {
		return nil
	}
	used := t.parts.Configuration.Current().Entries(list)
	next := 1
	var out []string
	for _, i := range used {
		out = append(out, strconv.Itoa(i)+" ")
		if i == next {
			next++
		}
	}
	return append(out, strconv.Itoa(next)+" ")
}

// showHistory answers xHistory.
func (t *Table) showHistory(ctx context.Context, path string) (Result, error) {
	switch {
	case fold(path) == "configuration" && t.parts.History != nil:
		return t.configurationHistory(ctx)
	case fold(path) == "event" && t.parts.Journal != nil:
		return t.eventHistory(ctx)
	case path == "":
		return Result{}, usage("xHistory needs an element").With(usageItem, "xHistory Configuration, or xHistory Event")
	}
	return Result{}, unknown("element of xHistory", path, []string{"Configuration", "Event"}, "xHistory Configuration, or xHistory Event")
}

func (t *Table) configurationHistory(ctx context.Context) (Result, error) {
	entries, err := t.parts.History.History(ctx, 0, 0, maxHistory)
	if err != nil {
		return Result{}, err
	}
	tree := Tree("Configuration")
	for i, h := range entries {
		node := Tree("Change "+strconv.Itoa(i+1), number("Revision", h.Revision), moment("Time", h.Time),
			text("User", h.Actor.User), word("Via", h.Actor.Via), text("Source", h.Actor.Source), text("Peer", h.Peer),
			text("Item", h.Path), text("Old", h.Old), text("New", h.New))
		if h.Comment != "" {
			node.add(text("Comment", h.Comment))
		}
		tree.add(node)
	}
	return Result{Data: entries, Lines: history(tree)}, nil
}

func (t *Table) eventHistory(ctx context.Context) (Result, error) {
	events, err := t.parts.Journal.Events(ctx, maxHistory)
	if err != nil {
		return Result{}, err
	}
	tree := Tree("Event")
	for i, e := range events {
		node := Tree("Event "+strconv.Itoa(i+1), moment("Time", e.Time), text("Event", e.Name), text("Module", e.Module),
			text("Level", e.Level), text("Detail", e.Detail))
		for _, f := range e.Fields {
			node.add(text(f.Name, f.Value))
		}
		tree.add(node)
	}
	return Result{Data: events, Lines: history(tree)}, nil
}

// history writes a tree in the status form with *h.
func history(n *Node) []string {
	lines := n.Lines()
	for i, line := range lines {
		if rest, found := strings.CutPrefix(line, "*s"); found {
			lines[i] = "*h" + rest
		}
	}
	return lines
}
