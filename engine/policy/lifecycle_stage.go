package policy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// StagePath is where a peer is asked on the peer link to load a revision.
const StagePath = "/v1/policy/stage"

// StageAsk asks a peer whether it can run a revision of its own copy.
type StageAsk struct {
	Revision int64 `json:"revision"`
}

// StageAnswer is its word.
type StageAnswer struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // script:line: what is wrong
	Tests  int    `json:"tests"`
}

// Settings are what is set for a script beside its text. Nil fields stay.
type Settings struct {
	Mode      *string
	OnFailure *string
	Order     *int
}

// StageRequest asks for a revision. Settings are by script.
type StageRequest struct {
	Comment  string
	Settings map[string]Settings
}

// Staged is a revision with what the peers said.
type Staged struct {
	Revision engine.PolicyRevision `json:"revision"`
	Changed  []string              `json:"changed"`
	Acks     []engine.PolicyAck    `json:"acks"`
	Missing  []string              `json:"missing,omitempty"` // peers that do not answer
}

func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()[:10]) }

// Stage makes the next revision of the active one and all drafts. Every
// reachable peer compiles and tests it; the first refusal stops it.
//
// Errors: Invalid (nothing to stage, a refusal, which names peer, script and
// line), Conflict, Unavailable.
func (l *Lifecycle) Stage(ctx context.Context, actor engine.Actor, in StageRequest) (Staged, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return Staged{}, err
	}
	c, err := l.next(ctx, book)
	if err != nil {
		return Staged{}, err
	}
	set, err := l.settle(&c, in.Settings)
	if err != nil {
		return Staged{}, err
	}
	if len(c.changed) == 0 && !set {
		return Staged{}, engine.Errorf(engine.Invalid, "there is nothing to stage: no script, table or setting differs from revision %d", book.Active().Number).
			With("", "store a script first: hexad policy put FILE")
	}
	if set && !slices.Contains(c.authors, actor.User) {
		c.authors = append(c.authors, actor.User)
	}
	if err := l.sound(c); err != nil { // before anything is written
		return Staged{}, err
	}
	if err := l.supported(ctx, c); err != nil {
		return Staged{}, err
	}
	r := engine.PolicyRevision{
		Number: c.number, State: engine.PolicyStaging, BasedOn: book.Active().Number, Author: strings.Join(c.authors, ", "), StagedBy: actor.User,
		Comment: in.Comment, Created: time.Now().UTC(), Items: c.items,
	}
	if err := l.o.Store.StagePolicy(ctx, r, c.data); err != nil {
		return Staged{}, err
	}
	out := Staged{Revision: r, Changed: c.changed}
	err = l.askPeers(ctx, actor, &out, nil)
	return out, err
}

// firstAPI is the API version that every release with scripts of a site knows.
const firstAPI = 1

// supported holds that a revision uses an API version only when every member
// supports it, by what the members that do not answer said last. The others say
// it themselves.
//
// Errors: Invalid, naming the peer. Source: reference/policy-api.md section 7.
func (l *Lifecycle) supported(ctx context.Context, c candidate) error {
	need, script := 0, ""
	for _, i := range c.items {
		if v := c.texts[i.SHA256]; v.API > need {
			need, script = v.API, i.Name
		}
	}
	if need == 0 || l.o.Peers == nil {
		return nil
	}
	for _, p := range l.o.Peers.Peers(ctx) {
		switch {
		case p.Here || p.Reachable:
		case p.Heard && p.Facts.API < need:
			return engine.Errorf(engine.Invalid, "peer %s does not answer, and its release knows no API version above %d: %s uses %d", p.Address, p.Facts.API, script, need).
				With(script, "upgrade that peer first, or remove it from the cluster")
		case !p.Heard && need > firstAPI:
			return engine.Errorf(engine.Invalid, "peer %s does not answer, and it is not known whether its release knows API version %d, which %s uses", p.Address, need, script).
				With(script, "bring that peer back first, or remove it from the cluster")
		}
	}
	return nil
}

// settle applies settings to the candidate's items; true when one differs.
func (l *Lifecycle) settle(c *candidate, settings map[string]Settings) (bool, error) {
	differs := false
	for _, name := range sorted(settings) {
		i := slices.IndexFunc(c.items, func(i engine.PolicyItem) bool { return i.Name == name })
		if i < 0 {
			if _, ok := l.builtin(name); !ok {
				return false, engine.Errorf(engine.NotFound, "there is no script %q in this revision", name).With("Script", "PolicyList shows them")
			}
			c.items, i = append(c.items, engine.PolicyItem{Name: name}), len(c.items)
		}
		before := c.items[i]
		if err := settings[name].apply(&c.items[i]); err != nil {
			return false, err
		}
		if before != c.items[i] {
			differs = true
			if !slices.Contains(c.changed, name) {
				c.changed = append(c.changed, name)
			}
		}
	}
	return differs, nil
}

func (s Settings) apply(i *engine.PolicyItem) error {
	if s.Mode != nil {
		switch Mode(*s.Mode) {
		case Enforce, "":
			i.Mode = ""
		case Warn, Shadow:
			i.Mode = *s.Mode
		default:
			return engine.Errorf(engine.Invalid, "there is no mode %q", *s.Mode).With("Mode", "use enforce, warn or shadow")
		}
	}
	if s.OnFailure != nil {
		switch *s.OnFailure {
		case "", "default":
			i.OnFailure = ""
		case "reject", "skip":
			i.OnFailure = *s.OnFailure
		default:
			return engine.Errorf(engine.Invalid, "there is no answer %q to a failure", *s.OnFailure).With("OnFailure", "use default, reject or skip")
		}
	}
	if s.Order != nil {
		i.Order = *s.Order
	}
	return nil
}

// askPeers asks every reachable peer that has not answered yet, and writes
// what they said.
func (l *Lifecycle) askPeers(ctx context.Context, actor engine.Actor, out *Staged, answered []engine.PolicyAck) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	n := out.Revision.Number
	for _, p := range l.o.Peers.Peers(ctx) {
		if slices.ContainsFunc(answered, func(k engine.PolicyAck) bool { return k.Peer == p.Address && k.OK }) {
			continue
		}
		if !p.Here && !p.Reachable {
			out.Missing = append(out.Missing, p.Address)
			continue
		}
		wg.Go(func() {
			ack := l.askPeer(ctx, p, n)
			mu.Lock()
			defer mu.Unlock()
			out.Acks = append(out.Acks, ack)
		})
	}
	wg.Wait()
	slices.SortFunc(out.Acks, func(a, b engine.PolicyAck) int { return compareNames(a.Peer, b.Peer) })
	if len(out.Acks) == 0 && out.Revision.State == engine.PolicyStaged {
		return nil // all of them have answered before
	}
	state, reason := engine.PolicyStaged, ""
	for _, k := range out.Acks {
		if !k.OK && reason == "" {
			state, reason = engine.PolicyRefused, k.Peer+": "+k.Detail
		}
	}
	if err := l.o.Store.AnswerPolicyStage(ctx, n, out.Acks, state, reason); err != nil {
		return err
	}
	out.Revision.State, out.Revision.Reason = state, reason
	if state == engine.PolicyRefused {
		l.o.Emit(actor, fmt.Sprintf("policy revision %d refused by peer %s", n, reason))
		return engine.Errorf(engine.Invalid, "revision %d is not staged: peer %s", n, reason).With("Revision", "correct the script, store it and stage again")
	}
	l.o.Emit(actor, fmt.Sprintf("policy revision %d staged", n))
	return nil
}

func (l *Lifecycle) askPeer(ctx context.Context, p Peer, n int64) engine.PolicyAck {
	ask, answer := StageAsk{Revision: n}, StageAnswer{}
	if p.Here {
		answer = l.Judge(ctx, ask)
	} else if err := l.o.Peers.Ask(ctx, p.Node, StagePath, ask, &answer); err != nil {
		answer = StageAnswer{Detail: "did not answer: " + err.Error()}
	}
	return engine.PolicyAck{Revision: n, Peer: p.Address, OK: answer.OK, Detail: answer.Detail, At: time.Now().UTC()}
}

// Judge says whether this peer can run a revision: it waits until its copy has
// it, compiles all of it, and runs the tests of the site's scripts.
func (l *Lifecycle) Judge(ctx context.Context, ask StageAsk) StageAnswer {
	r, err := l.await(ctx, ask.Revision)
	if err != nil {
		return StageAnswer{Detail: err.Error()}
	}
	c, err := l.revision(ctx, r)
	if err != nil {
		return StageAnswer{Detail: err.Error()}
	}
	if err := l.sound(c); err != nil {
		return StageAnswer{Detail: plain(err)}
	}
	if err := l.cutsOff(ctx, c); err != nil {
		return StageAnswer{Detail: plain(err)}
	}
	return StageAnswer{OK: true}
}

// identified is how many of the last decisions about the identity of peers are
// asked again, identifiedSince how far back.
const (
	identified      = 200
	identifiedSince = 24 * time.Hour
)

// cutsOff asks a candidate about the identity of the peers that this one let in
// lately. A rule that refuses them would cut the cluster apart, and with it the
// way back: a rollback needs most peers.
//
// Errors: Invalid, naming the peer.
func (l *Lifecycle) cutsOff(ctx context.Context, c candidate) error {
	if l.o.Records == nil || l.o.Peers == nil {
		return nil
	}
	scripts, err := l.scripts(c)
	if err != nil {
		return err
	}
	asked := slices.ContainsFunc(scripts, func(s Script) bool {
		return !s.Builtin && s.Mode != Shadow && c.texts[c.digest(s.Name)].Hook == "peer.identity"
	})
	if !asked {
		return nil
	}
	ask, err := evaluatorOf(c.number, scripts, c.data)
	if err != nil {
		return engine.Errorf(engine.Invalid, "%s", problemText("revision", err))
	}
	members := map[string]bool{}
	for _, p := range l.o.Peers.Peers(ctx) {
		members[strings.ToLower(p.Address)] = !p.Here
	}
	decisions, err := l.o.Records.Decisions(ctx, time.Now().Add(-identifiedSince), "peer.identity", identified)
	if err != nil {
		return err
	}
	for _, d := range decisions { // newest first
		var in engine.IdentityInput
		if json.Unmarshal(d.Input, &in) != nil || !members[strings.ToLower(in.ConfiguredAddress)] {
			continue
		}
		members[strings.ToLower(in.ConfiguredAddress)] = false // once is enough
		now, err := ask(ctx, d.Hook, d.Input, false)
		if err != nil || accepted(now.Answer) || !accepted(d.Answer) {
			continue
		}
		return engine.Errorf(engine.Invalid, "%s would refuse peer %s, which is let in now: %s", now.Script, in.ConfiguredAddress, kindOf(now.Answer)).
			With(now.Script, "correct the rule, or remove that peer first; hexad policy explain "+d.ID+" shows what it was asked")
	}
	return nil
}

func accepted(answer json.RawMessage) bool {
	var a struct{ Action string }
	return json.Unmarshal(answer, &a) == nil && a.Action == "accept"
}

// arrivalTime is how long a peer waits for its copy to have a revision.
const arrivalTime = 5 * time.Second

// await returns a revision as soon as this peer's copy has it.
func (l *Lifecycle) await(ctx context.Context, n int64) (engine.PolicyRevision, error) {
	ctx, stop := context.WithTimeout(ctx, arrivalTime)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		book, err := l.o.Store.PolicyBook(ctx)
		if err == nil {
			if r, ok := book.Revision(n); ok {
				return r, nil
			}
		}
		select {
		case <-ctx.Done():
			return engine.PolicyRevision{}, engine.Errorf(engine.Unavailable, "revision %d has not arrived within %s", n, arrivalTime)
		case <-tick.C:
		}
	}
}

// sound compiles a candidate and tests what the site wrote.
//
// Errors: Invalid, naming script and line.
func (l *Lifecycle) sound(c candidate) error {
	scripts, err := l.scripts(c)
	if err != nil {
		return err
	}
	for _, s := range c.site(scripts) {
		if v := c.texts[c.digest(s.Name)]; v.API > NewestAPI {
			return unknownAPI(s.Name, v.API)
		}
	}
	if err := compiles(c.number, scripts, c.data); err != nil {
		return engine.Errorf(engine.Invalid, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	report := CheckAll(c.site(scripts), c.data, TestOptions{})
	if !report.Refused {
		return nil
	}
	for _, s := range report.Scripts {
		for _, p := range s.Problems {
			if !p.Warning {
				return engine.Errorf(engine.Invalid, "%s", p.Error()).With(s.Script, "correct the script")
			}
		}
		for _, t := range s.Tests {
			if t.Failure != "" {
				return engine.Errorf(engine.Invalid, "test %s/%s failed at %s_test:%d: %s", s.Script, t.Name, s.Script, t.Line, t.Failure).
					With(s.Script, "correct the script or its test")
			}
		}
	}
	return nil
}

func (c candidate) digest(name string) string {
	for _, i := range c.items {
		if i.Name == name {
			return i.SHA256
		}
	}
	return ""
}

// plain is an error without its remedy, which is for people elsewhere.
func plain(err error) string {
	var e *engine.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
