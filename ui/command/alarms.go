package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
)

// shown is a raised alarm with its kind, for machines. Severity is the one that
// the rules gave it where they did.
type shown struct {
	engine.RaisedAlarm
	UUID     string          `json:"uuid"`
	Severity engine.Severity `json:"severity"`
	Title    engine.Text     `json:"title"`
	Detail   engine.Text     `json:"detail"`
	Remedy   engine.Text     `json:"remedy"`
}

// alarms is what holds now on all peers, worst first.
func (t *Table) alarms(ctx context.Context, l engine.Language) (*Node, any, error) {
	raised, err := t.parts.Alarms.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	list := make([]shown, 0, len(raised))
	for _, r := range raised {
		kind := t.parts.Catalogue(r.ID)
		fill := func(text engine.Text) engine.Text {
			return engine.Text{EN: text.In(engine.English, r.Params), JA: text.In(engine.Japanese, r.Params)}
		}
		list = append(list, shown{RaisedAlarm: r, UUID: kind.UUID, Severity: r.SeverityOf(kind.Severity),
			Title: fill(kind.Title), Detail: fill(kind.Detail), Remedy: fill(kind.Remedy)})
	}
	slices.SortStableFunc(list, func(a, b shown) int {
		return cmp.Or(slices.Index(engine.Severities, a.Severity)-slices.Index(engine.Severities, b.Severity),
			a.ID-b.ID, cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Key, b.Key))
	})
	tree := Tree("Alarm")
	for i, a := range list {
		node := Tree("Alarm "+strconv.Itoa(i+1), number("ID", a.ID), word("Severity", string(a.Severity)), word("State", string(a.State)),
			text("Title", a.Title.In(l, nil)), text("Detail", a.Detail.In(l, nil)), text("Remedy", a.Remedy.In(l, nil)),
			text("Peer", a.Peer))
		if a.Key != "" {
			node.add(text("Key", a.Key))
		}
		addMark(node, a.RaisedAlarm, l)
		tree.add(node.add(moment("FirstRaised", a.First), moment("LastRaised", a.Last), number("Count", a.Count)))
	}
	return tree, list, nil
}

// addMark adds what the rules made of an alarm.
func addMark(node *Node, a engine.RaisedAlarm, l engine.Language) {
	if a.Mark == nil {
		return
	}
	if a.ExpectedAt(time.Now()) {
		node.add(Tree("Expected", moment("Until", a.Mark.Expected), text("Reason", a.Mark.Reason)))
	}
	for i, s := range a.Mark.Suggested {
		node.add(Tree("Suggested "+strconv.Itoa(i+1), text("Procedure", s), text("Text", alarm.Suggestion(s, l))))
	}
	for i, to := range sortedKeys(a.Mark.Notified) {
		node.add(Tree("Notified "+strconv.Itoa(i+1), text("To", to), moment("Time", a.Mark.Notified[to])))
	}
	if a.Mark.Decision != "" {
		node.add(text("Decision", a.Mark.Decision))
	}
}

func (t *Table) alarmAcknowledge() *Entry {
	return &Entry{Group: XCommand, Name: "AlarmAcknowledge", Role: Administrator, Writes: true,
		Args: []Argument{
			{Name: "AlarmID", Space: from(10000, 99999), Required: true, Help: engine.Text{EN: "Number of the alarm", JA: "アラームの番号"}},
			{Name: "Peer", Space: chars(0, 128), Help: engine.Text{EN: "Address of the peer that it holds on; without: this system", JA: "発生しているピアのアドレス。省略するとこのシステム"}},
			{Name: "Key", Space: chars(0, 255), Help: engine.Text{EN: "Which of several of the same number; without: all", JA: "同じ番号のうちどれか。省略するとすべて"}},
			{Name: "Comment", Space: chars(0, 255), Help: engine.Text{EN: "What is being done about it", JA: "対応内容"}},
		},
		Help:    engine.Text{EN: "Marks an alarm as seen; it stays listed until its cause is gone", JA: "アラームを確認済みにします。原因がなくなるまで一覧に残ります"},
		Example: `xCommand AlarmAcknowledge AlarmID: 20007 Comment: "restart planned tonight"`,
		run:     t.acknowledge}
}

// acknowledge marks every raised alarm that the arguments name.
//
// Errors: NotFound.
func (t *Table) acknowledge(ctx context.Context, call Call) (Result, error) {
	id, _ := strconv.Atoi(call.Args["AlarmID"]) // checked by the value space
	raised, err := t.parts.Alarms.List(ctx)
	if err != nil {
		return Result{}, err
	}
	here := ""
	if t.parts.Cluster != nil {
		here = t.parts.Cluster.View(ctx).Node
	}
	key, keyed := call.Args["Key"]
	var done []engine.RaisedAlarm
	for _, r := range raised {
		where := call.Args["Peer"]
		onPeer := where == "" && (here == "" || r.Node == here) || where != "" && (r.Peer == where || r.Node == where)
		if r.ID != id || !onPeer || keyed && r.Key != key {
			continue
		}
		if err := t.parts.Alarms.Acknowledge(ctx, r.Node, r.ID, r.Key, call.Actor.User, call.Args["Comment"]); err != nil {
			return Result{}, err
		}
		done = append(done, r)
	}
	if len(done) == 0 {
		return Result{}, engine.Errorf(engine.NotFound, "alarm %d is not raised on %s", id, cmp.Or(call.Args["Peer"], "this system")).
			With("AlarmID", "xStatus Alarm lists what is raised, and where")
	}
	return Result{Data: map[string]any{"acknowledged": len(done)}, Lines: []string{fmt.Sprintf("acknowledged: %d", len(done))}}, nil
}
