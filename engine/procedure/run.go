package procedure

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
	"hexad/engine/fail"
)

// How often a procedure that runs here looks, how often it does again what is
// not done, and how long its record may take to be published.
const (
	lookEvery    = 250 * time.Millisecond
	actAgain     = 2 * time.Second
	publishTime  = 3 * time.Second
	explainEvery = time.Minute
	notesMost    = 200
)

// Runner starts procedures and carries out those that this peer owns. It is
// safe for concurrent use.
type Runner struct {
	o Options

	mu      sync.Mutex
	mine    *engine.Procedure // the one that this peer carries out
	unsaid  bool              // cluster.db has not its newest state
	ended   *engine.Procedure // the last one that does not go on here; this peer's copy may show it as running for a moment
	wake    chan struct{}
	acted   time.Time // when the present step was last asked for; this process only
	told    time.Time // when the rules were last told of it
	publish time.Time // when that was last tried
}

// New makes a Runner; Run carries out.
func New(o Options) *Runner { return &Runner{o: o, wake: make(chan struct{}, 1)} }

// Changed says that the copy of cluster.db moved.
func (r *Runner) Changed() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run carries out until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	if kept, err := r.o.Keeper.Kept(ctx); err != nil {
		r.o.Log.Warn("kept procedure not read", "module", "procedure", "err", err)
	} else if kept != nil && kept.State == engine.ProcedureRunning {
		r.mu.Lock()
		r.mine, r.unsaid = kept, true
		r.mu.Unlock()
	}
	for {
		wait := time.Hour
		if r.owns() {
			wait = lookEvery
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.wake:
			timer.Stop()
		case <-timer.C:
		}
		r.adopt(ctx)
		if r.owns() {
			r.advance(ctx)
		}
	}
}

func (r *Runner) owns() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mine != nil
}

// adopt takes over what cluster.db says of the procedures of this peer.
func (r *Runner) adopt(ctx context.Context) {
	list, err := r.o.Records.Procedures(ctx)
	if err != nil {
		return // this peer's own record holds meanwhile
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range list {
		switch {
		case r.ended != nil && p.ID == r.ended.ID && p.Seq < r.ended.Seq:
		case r.mine != nil && p.ID == r.mine.ID && (p.Seq > r.mine.Seq || p.Seq == r.mine.Seq && p.Owner != r.o.Node):
			r.mine, r.unsaid = nil, false
			if p.Owner == r.o.Node && p.State == engine.ProcedureRunning {
				r.mine = &p
			}
			r.keepLocked(ctx)
		case r.mine != nil && p.ID == r.mine.ID && p.Seq == r.mine.Seq:
			r.unsaid = false
		case r.mine != nil && p.ID != r.mine.ID && p.State.Open() && r.mine.State.Open():
			r.o.Log.Warn("another procedure was begun meanwhile", "module", "procedure", "id", r.mine.ID, "other", p.ID)
			r.mine, r.unsaid = nil, false
			r.keepLocked(ctx)
		case r.mine == nil && p.Owner == r.o.Node && p.State == engine.ProcedureRunning:
			r.mine, r.unsaid = &p, false
			r.keepLocked(ctx)
		}
	}
}

func (r *Runner) keepLocked(ctx context.Context) {
	if err := r.o.Keeper.Keep(ctx, r.mine); err != nil {
		r.o.Log.Warn("procedure not kept", "module", "procedure", "err", err)
	}
}

// advance looks at the present step once, and does what it needs.
func (r *Runner) advance(ctx context.Context) {
	r.mu.Lock()
	p := clone(r.mine)
	r.mu.Unlock()
	if p == nil {
		return
	}
	if p.State != engine.ProcedureRunning {
		r.say(ctx) // it is over, and cluster.db does not know that yet
		return
	}
	st := p.Present()
	if st == nil {
		r.finish(ctx, p)
		return
	}
	now := time.Now().UTC()
	kind, err := kindNamed(p.Kind)
	if err != nil { // of a newer release
		r.halt(ctx, p, err)
		return
	}
	r.explain(ctx, kind, st, now)
	done, waiting := r.look(ctx).done(ctx, st)
	switch {
	case done:
		note(p, engine.Text{EN: "done: " + st.Text.EN, JA: "完了: " + st.Text.JA})
		p.Step++
		p.Waiting, p.Since, p.Until = engine.Text{}, time.Time{}, time.Time{}
		r.mu.Lock()
		r.acted, r.told = time.Time{}, time.Time{}
		r.mu.Unlock()
		r.store(ctx, p)
		r.Changed()
		return
	case p.Since.IsZero():
		p.Since, p.Until, p.Waiting = now, now.Add(patience(st)), waiting
		note(p, st.Text)
		if !r.store(ctx, p) {
			return
		}
	case now.After(p.Until):
		r.halt(ctx, p, r.overdue(ctx, p, st))
		return
	case waiting != p.Waiting && st.Held.Before(now):
		p.Waiting = waiting
		r.store(ctx, p)
	default:
		r.say(ctx)
	}
	if st.Do != doAwait {
		r.act(ctx, p, kind, now)
	}
}

// overdue is the error of a step that did not end in time.
func (r *Runner) overdue(ctx context.Context, p *engine.Procedure, st *engine.ProcedureStep) error {
	err := engine.Errorf(engine.Unavailable, "this took too long: %s", p.Waiting.EN)
	if t, known := r.look(ctx).of(st.Node); st.Node == "" || known && t.Reachable {
		return err.With("", "mend what it waits for, then xCommand ProcedureResume Id: "+p.ID)
	}
	return err.With("", fmt.Sprintf("bring %s back, then xCommand ProcedureResume Id: %s; if it is lost for good, xCommand ProcedureAbort Id: %s and then xCommand ProcedureStart Kind: %s Address: %s",
		st.Peer, p.ID, p.ID, RemoveLost, st.Peer))
}

// explain tells the rules what is being done, so that its alarms are expected.
func (r *Runner) explain(ctx context.Context, kind Kind, st *engine.ProcedureStep, now time.Time) {
	r.mu.Lock()
	due := now.Sub(r.told) >= explainEvery
	if due {
		r.told = now
	}
	r.mu.Unlock()
	if due {
		r.o.Cluster.Explain(ctx, kind.gate, gateStep(st), st.Peer)
	}
}

// act asks the peer of the step to do it. The record says so before.
func (r *Runner) act(ctx context.Context, p *engine.Procedure, kind Kind, now time.Time) {
	st := p.Present()
	r.mu.Lock()
	early := now.Sub(r.acted) < actAgain || now.Before(st.Held)
	r.mu.Unlock()
	once := st.Do == doRestart || st.Do == doLeave || st.Do == doSet || st.Do == doUpdate
	if early || once && !st.Told.IsZero() {
		return
	}
	t, known := r.look(ctx).of(st.Node)
	if !known || !t.Reachable {
		return
	}
	r.mu.Lock()
	r.acted = now
	r.mu.Unlock()
	if _, err := r.o.Cluster.Gate(ctx, kind.gate, gateStep(st), st.Peer); err != nil {
		if codeOf(err) != engine.Unavailable {
			r.halt(ctx, p, err)
			return
		}
		st.Held = now.Add(actAgain)
		p.Waiting, p.Until = both("a rule: %v", "ルール: %v", err), now.Add(patience(st))
		r.store(ctx, p)
		return
	}
	if st.Do == doRestart && st.Before.IsZero() {
		st.Before = t.Facts.Started
		if st.Before.IsZero() {
			st.Before = time.Unix(0, 1)
		}
		if !r.store(ctx, p) {
			return
		}
	}
	if st.Do == doRestart && t.Facts.Started.After(st.Before) {
		return // it has restarted meanwhile, and is coming up
	}
	if st.Do == doRestart && t.Here { // this process ends: the next one finds what it asked for
		st.Told = now
		if !r.store(ctx, p) {
			return
		}
	}
	err := r.o.Cluster.Administer(ctx, st.Node, order(p, st, kind.gate))
	switch {
	case err == nil:
		st.Told = now
		r.store(ctx, p)
	case codeOf(err) == engine.Unavailable || codeOf(err) == engine.Exhausted:
		p.Waiting = both("%s: %v", "%s: %v", st.Peer, err)
		r.store(ctx, p)
	default:
		r.halt(ctx, p, err)
	}
}

func (r *Runner) halt(ctx context.Context, p *engine.Procedure, err error) {
	p.State, p.Problem = engine.ProcedureHalted, both("%v", "%v", err)
	note(p, both("halted: %v", "停止: %v", err))
	r.o.Tell(p.Actor, fmt.Sprintf("procedure %s %s halted: %v", p.Kind, p.ID, err))
	r.end(ctx, p)
}

func (r *Runner) finish(ctx context.Context, p *engine.Procedure) {
	p.State = engine.ProcedureDone
	note(p, both("the procedure is done; its result was verified", "手順が完了し、結果を確認しました"))
	r.o.Tell(p.Actor, fmt.Sprintf("procedure %s %s done", p.Kind, p.ID))
	r.end(ctx, p)
}

// end stores a procedure that does not go on here by itself. It stays this
// peer's until cluster.db has it.
func (r *Runner) end(ctx context.Context, p *engine.Procedure) {
	if !r.store(ctx, p) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.unsaid && r.mine != nil {
		r.endLocked(ctx)
	}
}

// endLocked lets go of a procedure that does not go on here by itself, when
// cluster.db has it.
func (r *Runner) endLocked(ctx context.Context) {
	r.ended, r.mine = r.mine, nil
	r.keepLocked(ctx)
}

// store makes p the newest state: in local.db always, in cluster.db as soon as
// that can be written. False when it goes on elsewhere, or not at all.
func (r *Runner) store(ctx context.Context, p *engine.Procedure) bool {
	p.Seq++
	p.Updated = time.Now().UTC()
	r.mu.Lock()
	if r.mine == nil || r.mine.ID != p.ID {
		r.mu.Unlock()
		return false // aborted meanwhile
	}
	r.mine, r.unsaid, r.publish = clone(p), true, time.Time{}
	r.keepLocked(ctx)
	r.mu.Unlock()
	if fail.Point("procedure.kept") != nil {
		return false
	}
	return r.say(ctx)
}

// say publishes what cluster.db has not yet. False when another peer has the
// procedure.
func (r *Runner) say(ctx context.Context) bool {
	r.mu.Lock()
	p, due := clone(r.mine), r.unsaid && time.Since(r.publish) > actAgain
	if due {
		r.publish = time.Now()
	}
	r.mu.Unlock()
	if p == nil || !due {
		return p != nil
	}
	ctx, stop := context.WithTimeout(ctx, publishTime)
	defer stop()
	err := r.o.Records.PutProcedure(ctx, *p)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.mine == nil || r.mine.ID != p.ID || r.mine.Seq != p.Seq:
		return r.mine != nil
	case err == nil:
		r.unsaid = false
		if p.State != engine.ProcedureRunning {
			r.endLocked(ctx)
		}
	case engine.CodeOf(err) == engine.Conflict:
		return false // it goes on elsewhere, or is there already: adopt finds out
	default:
		r.o.Log.Debug("procedure not published yet", "module", "procedure", "id", p.ID, "err", err)
	}
	return true
}

// Plan is what Start would do, without doing it.
//
// Errors: those of the kind: what is in the way, and what to do about it.
func (r *Runner) Plan(ctx context.Context, actor engine.Actor, kind string, args map[string]string) (engine.Procedure, error) {
	k, err := kindNamed(kind)
	if err != nil {
		return engine.Procedure{}, err
	}
	given := map[string]string{}
	for name, value := range args {
		if value = strings.TrimSpace(value); value == "" {
			continue
		}
		if !slices.Contains(k.Args, name) && !slices.Contains(k.Args, "*"+name) {
			return engine.Procedure{}, engine.Errorf(engine.Invalid, "%s takes no %s", kind, name).With(name, "leave it out")
		}
		given[name] = value
	}
	for _, a := range k.Args {
		if name, required := strings.CutPrefix(a, "*"); required && given[name] == "" {
			return engine.Procedure{}, engine.Errorf(engine.Invalid, "%s needs %s", kind, name).With(name, "give it")
		}
	}
	s := &situation{ctx: ctx, o: r.o, kind: k, args: given, view: r.o.Cluster.View(ctx), told: r.o.Cluster.Told()}
	s.page = s.view.Entered
	steps, err := k.plan(s)
	if err != nil {
		return engine.Procedure{}, err
	}
	return engine.Procedure{Kind: kind, Args: given, State: engine.ProcedurePlanned, Owner: r.o.Node, Via: s.view.Address, Actor: actor, Steps: steps}, nil
}

// Start plans a procedure and lets this peer carry it out.
//
// Errors: those of Plan; Conflict when another one is open.
func (r *Runner) Start(ctx context.Context, actor engine.Actor, kind string, args map[string]string) (engine.Procedure, error) {
	list, err := r.List(ctx)
	if err != nil && codeOf(err) != engine.Unavailable { // storing it finds out
		return engine.Procedure{}, err
	}
	for _, p := range list {
		if p.State.Open() {
			return engine.Procedure{}, engine.Errorf(engine.Conflict, "procedure %s (%s) is open: %s on %s", p.ID, p.Kind, p.State, p.Via).
				With("Kind", "wait for it, or end it with xCommand ProcedureAbort")
		}
	}
	p, err := r.Plan(ctx, actor, kind, args)
	if err != nil {
		return p, err
	}
	p.ID, p.State, p.Started = strings.ToLower(rand.Text()[:10]), engine.ProcedureRunning, time.Now().UTC()
	p.Updated = p.Started
	note(&p, both("started by %s on %s", "%s が %s で開始", actor.User, p.Via))
	p.Seq = 1
	alone := p.Steps[0].Do == doForce || p.Kind == Resynchronise || p.Kind == Primary
	if err := r.sayLast(ctx); err != nil && !alone {
		return engine.Procedure{}, err
	}
	if err := r.own(ctx, p, alone); err != nil {
		return engine.Procedure{}, err
	}
	r.o.Tell(actor, fmt.Sprintf("procedure %s %s started: %s", p.Kind, p.ID, arguments(p.Args)))
	return p, nil
}

// sayLast publishes the end of the procedure that this peer carried out last, if
// cluster.db does not have it yet: there it is open, and another one would be refused.
//
// Errors: Unavailable.
func (r *Runner) sayLast(ctx context.Context) error {
	r.mu.Lock()
	last := clone(r.mine)
	if last == nil || last.State.Open() {
		r.mu.Unlock()
		return nil
	}
	r.publish = time.Time{}
	r.mu.Unlock()
	r.say(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mine != nil && r.mine.ID == last.ID {
		return engine.Errorf(engine.Unavailable, "procedure %s (%s) has ended here, which the cluster database does not know yet", last.ID, last.Kind).
			With("Kind", "repeat this in some seconds; if that does not help, see whether the cluster database takes writes")
	}
	return nil
}

// own makes p this peer's. Where the group may be unable to commit, that is
// what the procedure mends: it then begins without the record in cluster.db.
func (r *Runner) own(ctx context.Context, p engine.Procedure, alone bool) error {
	attempt, stop := context.WithTimeout(ctx, publishTime)
	defer stop()
	err := r.o.Records.PutProcedure(attempt, p)
	if err != nil && (!alone || codeOf(err) == engine.Conflict) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mine != nil && r.mine.ID != p.ID {
		return engine.Errorf(engine.Conflict, "procedure %s (%s) runs here", r.mine.ID, r.mine.Kind).With("Kind", "wait for it, or abort it")
	}
	r.mine, r.unsaid = clone(&p), err != nil
	r.acted, r.told, r.publish = time.Time{}, time.Time{}, time.Time{}
	if err := r.o.Keeper.Keep(ctx, r.mine); err != nil {
		r.mine = nil
		return err
	}
	r.Changed()
	return nil
}

// Resume lets this peer carry out an open procedure from its present step: one
// that is halted, or whose peer is gone. id may be "" for the open one.
//
// Errors: NotFound; Conflict when it runs on a peer that answers, or is over.
func (r *Runner) Resume(ctx context.Context, actor engine.Actor, id string) (engine.Procedure, error) {
	p, err := r.open(ctx, id)
	if err != nil {
		return p, err
	}
	if p.State == engine.ProcedureRunning && p.Owner != r.o.Node {
		if t, ok := r.look(ctx).of(p.Owner); ok && t.Reachable {
			return p, engine.Errorf(engine.Conflict, "it runs on %s, which answers", t.Address).With("Id", "let it go on there, or abort it")
		}
	}
	p.State, p.Owner, p.Via, p.Problem = engine.ProcedureRunning, r.o.Node, r.o.Cluster.View(ctx).Address, engine.Text{}
	p.Waiting, p.Since, p.Until = engine.Text{}, time.Time{}, time.Time{}
	if st := p.Present(); st != nil { // asked for again: it may have failed
		st.Told, st.Held = time.Time{}, time.Time{}
	}
	p.Actor = actor
	note(&p, both("resumed by %s on %s", "%s が %s で再開", actor.User, p.Via))
	p.Seq++
	p.Updated = time.Now().UTC()
	r.o.Tell(actor, fmt.Sprintf("procedure %s %s resumed", p.Kind, p.ID))
	return p, r.own(ctx, p, p.Present() != nil && p.Present().Do == doForce || p.Kind == Resynchronise || p.Kind == Primary)
}

// Abort ends an open procedure where it stands; nothing is undone.
//
// Errors: NotFound, Conflict (it is over), Unavailable.
func (r *Runner) Abort(ctx context.Context, actor engine.Actor, id string) (engine.Procedure, error) {
	p, err := r.open(ctx, id)
	if err != nil {
		return p, err
	}
	p.State = engine.ProcedureAborted
	note(&p, both("aborted by %s after %d of %d steps", "%s が中止(%d/%d ステップ完了)", actor.User, p.Step, len(p.Steps)))
	p.Seq += 100 // beyond the changes that its owner makes at this moment
	p.Updated = time.Now().UTC()
	err = r.o.Records.PutProcedure(ctx, p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mine != nil && r.mine.ID == p.ID {
		if err != nil && codeOf(err) == engine.Conflict {
			return p, err
		}
		r.mine, r.unsaid = clone(&p), err != nil
		if r.unsaid { // said as soon as cluster.db can be written
			r.keepLocked(ctx)
		} else {
			r.endLocked(ctx)
		}
		err = nil
	}
	if err == nil {
		r.o.Tell(actor, fmt.Sprintf("procedure %s %s aborted", p.Kind, p.ID))
	}
	return p, err
}

func (r *Runner) open(ctx context.Context, id string) (engine.Procedure, error) {
	p, err := r.Show(ctx, id)
	if err != nil {
		return p, err
	}
	if !p.State.Open() {
		return p, engine.Errorf(engine.Conflict, "procedure %s (%s) is over: %s", p.ID, p.Kind, p.State).With("Id", "")
	}
	return p, nil
}

// Show is one procedure; without an id the open one, else the newest.
//
// Errors: NotFound.
func (r *Runner) Show(ctx context.Context, id string) (engine.Procedure, error) {
	list, err := r.List(ctx)
	if err != nil {
		return engine.Procedure{}, err
	}
	i := slices.IndexFunc(list, func(p engine.Procedure) bool { return p.ID == id || id == "" && p.State.Open() })
	if i < 0 && id == "" && len(list) > 0 {
		i = 0
	}
	if i < 0 {
		return engine.Procedure{}, engine.Errorf(engine.NotFound, "there is no such procedure").With("Id", "xCommand ProcedureList lists them")
	}
	return list[i], nil
}

// List are all that are known here, the newest first.
func (r *Runner) List(ctx context.Context) ([]engine.Procedure, error) {
	list, err := r.o.Records.Procedures(ctx)
	r.mu.Lock()
	mine, ended := clone(r.mine), clone(r.ended)
	r.mu.Unlock()
	if mine == nil && err != nil {
		return list, err
	}
	for _, own := range []*engine.Procedure{ended, mine} {
		if own == nil {
			continue
		}
		i := slices.IndexFunc(list, func(p engine.Procedure) bool { return p.ID == own.ID })
		switch {
		case i < 0:
			list = append([]engine.Procedure{*own}, list...)
		case list[i].Seq < own.Seq:
			list[i] = *own
		}
	}
	return list, nil
}

func note(p *engine.Procedure, text engine.Text) {
	p.Notes = append(p.Notes, engine.ProcedureNote{At: time.Now().UTC(), Text: text})
	if len(p.Notes) > notesMost {
		p.Notes = slices.Delete(p.Notes, 1, 1+len(p.Notes)-notesMost) // the first says who began it
	}
}

func clone(p *engine.Procedure) *engine.Procedure {
	if p == nil {
		return nil
	}
	out := *p
	out.Steps, out.Notes, out.Args = slices.Clone(p.Steps), slices.Clone(p.Notes), maps.Clone(p.Args)
	return &out
}

func arguments(args map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(args)) {
		out = append(out, k+"="+args[k])
	}
	return strings.Join(out, " ")
}
