package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// ActivateRequest asks to bring a staged revision into effect. Mode "" leaves
// the modes as they were staged; otherwise every script that the revision
// changes takes it. FourEyes asks for another person's approval even where the
// configuration does not.
type ActivateRequest struct {
	Revision int64 // 0: the staged one
	Mode     string
	FourEyes bool
}

// Activate brings a staged revision into effect on every peer, by one
// replicated write. Peers that could not be asked when it was staged are asked
// first.
//
// Errors: NotFound; Denied (four eyes); Invalid (a peer refuses it); Conflict
// (another revision came between); Unavailable.
func (l *Lifecycle) Activate(ctx context.Context, actor engine.Actor, in ActivateRequest) (engine.PolicyRevision, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return engine.PolicyRevision{}, err
	}
	r, err := stagedRevision(book, in.Revision)
	if err != nil {
		return r, err
	}
	if err := l.approved(actor, r, in.FourEyes); err != nil {
		return r, err
	}
	c, err := l.revision(ctx, r)
	if err == nil {
		err = l.supported(ctx, c)
	}
	if err != nil {
		return r, err
	}
	var acks []engine.PolicyAck
	for _, k := range book.Acks {
		if k.Revision == r.Number {
			acks = append(acks, k)
		}
	}
	if err := l.askPeers(ctx, actor, &Staged{Revision: r}, acks); err != nil {
		return r, err
	}
	if in.Mode != "" {
		base, _ := book.Revision(r.BasedOn)
		for i, item := range r.Items {
			if !slices.ContainsFunc(base.Items, func(b engine.PolicyItem) bool { return b.Name == item.Name && b.SHA256 == item.SHA256 }) {
				if err := (Settings{Mode: &in.Mode}).apply(&r.Items[i]); err != nil {
					return r, err
				}
			}
		}
	}
	if in.Mode != "" { // the peers judged the modes that it was staged with
		c.items = r.Items
		if err := l.cutsOff(ctx, c); err != nil {
			return r, err
		}
	}
	r.Approver, r.Activated = actor.User, time.Now().UTC()
	r.Reason = fmt.Sprintf("followed by revision %d", r.Number)
	if err := l.o.Store.ActivatePolicy(ctx, r); err != nil {
		return r, err
	}
	r.State, r.Reason = engine.PolicyActive, ""
	l.o.Emit(actor, fmt.Sprintf("policy revision %d activated", r.Number))
	l.Changed()
	return r, nil
}

func stagedRevision(book engine.PolicyBook, n int64) (engine.PolicyRevision, error) {
	for _, r := range book.Revisions {
		switch {
		case n == 0 && r.State == engine.PolicyStaged:
			return r, nil
		case n != 0 && r.Number == n && r.State == engine.PolicyStaged:
			return r, nil
		case n != 0 && r.Number == n:
			why := ""
			if r.Reason != "" {
				why = " (" + r.Reason + ")"
			}
			return r, engine.Errorf(engine.Conflict, "revision %d is %s%s, not staged", n, r.State, why).With("Revision", "stage it again; an older one comes back with PolicyRollback")
		}
	}
	return engine.PolicyRevision{}, engine.Errorf(engine.NotFound, "no such revision is staged").With("Revision", "stage one first: hexad policy stage")
}

// approved holds the rule of four eyes.
func (l *Lifecycle) approved(actor engine.Actor, r engine.PolicyRevision, asked bool) error {
	if !asked && !strings.EqualFold(l.o.Setting(ItemFourEyes), "On") {
		return nil
	}
	if slices.Contains(strings.Split(r.Author, ", "), actor.User) {
		return engine.Errorf(engine.Denied, "revision %d was written by %s: somebody else has to approve it (four eyes)", r.Number, actor.User).
			With("Revision", "ask another approver to activate it")
	}
	return nil
}

// Rollback makes a new revision with the contents of revision n and activates
// it at once; the history stays. n < 0 is the revision that was active before.
// n 0 is the built-ins alone.
//
// Errors: NotFound; Invalid (it cannot be loaded here); Conflict; Unavailable.
func (l *Lifecycle) Rollback(ctx context.Context, actor engine.Actor, n int64, comment string) (engine.PolicyRevision, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return engine.PolicyRevision{}, err
	}
	active := book.Active()
	if n < 0 {
		n = active.BasedOn
	}
	old, ok := book.Revision(n)
	switch {
	case !ok:
		return old, engine.Errorf(engine.NotFound, "there is no revision %d", n).With("Revision", "PolicyHistory lists them")
	case old.Number == active.Number:
		return old, engine.Errorf(engine.Invalid, "revision %d is active already", n).With("Revision", "name an earlier one")
	}
	c, err := l.revision(ctx, old)
	if err != nil {
		return old, err
	}
	if err := l.supported(ctx, c); err != nil {
		return old, err
	}
	return l.goBack(ctx, actor, book, c, fmt.Sprintf("rolled back to revision %d", n), comment)
}

// goBack activates contents that were active before.
func (l *Lifecycle) goBack(ctx context.Context, actor engine.Actor, book engine.PolicyBook, c candidate, reason, comment string) (engine.PolicyRevision, error) {
	c.number = book.Newest() + 1
	scripts, err := l.scripts(c)
	if err == nil {
		err = compiles(c.number, scripts, c.data)
	}
	if err != nil {
		return engine.PolicyRevision{}, engine.Errorf(engine.Invalid, "the contents cannot be loaded here: %s", problemText("revision", err)).
			With("Revision", "name another revision")
	}
	now := time.Now().UTC()
	r := engine.PolicyRevision{
		Number: c.number, State: engine.PolicyActive, BasedOn: book.Active().Number, Author: actor.User, StagedBy: actor.User, Approver: actor.User,
		Comment: comment, Created: now, Activated: now, Reason: reason, Items: c.items,
	}
	if err := l.o.Store.StagePolicy(ctx, r, c.data); err != nil {
		return r, err
	}
	l.o.Emit(actor, fmt.Sprintf("policy revision %d: %s", r.Number, reason))
	l.Changed()
	return r, nil
}

// rollBackPinned takes a version back that half of the reachable peers or more
// have pinned: on the primary, unless the configuration forbids it.
// Source: reference/policy-api.md section 5.
func (l *Lifecycle) rollBackPinned(ctx context.Context) {
	if l.o.Peers == nil {
		return
	}
	peers := l.o.Peers.Peers(ctx) // on every peer: what they say last is remembered
	if !l.o.Peers.Primary() || strings.EqualFold(l.o.Setting(ItemAutoRollback), "Off") {
		return
	}
	reachable, pinned := 0, map[engine.PolicyPin]int{}
	for _, p := range peers {
		if !p.Here && !p.Reachable {
			continue
		}
		reachable++
		facts := p.Facts
		if p.Here {
			facts = l.Facts()
		}
		for _, pin := range facts.Pins {
			if pin.By == engine.System.User {
				pinned[engine.PolicyPin{Script: pin.Script, Version: pin.Version}]++
			}
		}
	}
	for pin, count := range pinned {
		if 2*count >= reachable {
			l.takeBack(ctx, pin, count, reachable)
		}
	}
}

// takeBack activates a revision with the version of a script that was active
// before the failing one; without such a version the script is left out.
func (l *Lifecycle) takeBack(ctx context.Context, pin engine.PolicyPin, count, reachable int) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return
	}
	active := book.Active()
	i := slices.IndexFunc(active.Items, func(i engine.PolicyItem) bool { return i.Name == pin.Script && i.SHA256 == pin.Version })
	if i < 0 { // a built-in, or gone already
		return
	}
	c, err := l.revision(ctx, active)
	if err != nil {
		return
	}
	before, found := previous(book, pin.Script, pin.Version)
	if found {
		c.items = slices.Clone(c.items)
		c.items[i] = before
	} else {
		c.items = slices.Delete(slices.Clone(c.items), i, i+1)
	}
	if c.texts, err = l.texts(ctx, c.items); err != nil {
		return
	}
	reason := fmt.Sprintf("%s failed and was pinned on %d of %d peers; version %s is taken back", pin.Script, count, reachable, short(pin.Version))
	var refused *engine.Error
	if _, err := l.goBack(ctx, engine.System, book, c, reason, "automatic rollback"); errors.As(err, &refused) && refused.Code != engine.Conflict {
		l.log.Error("automatic rollback failed", "script", pin.Script, "err", err)
	}
}

// previous is the item that a script had before version came into effect, on
// the way that led to the active revision; false when it had none. What was rolled back
// lies beside that way.
func previous(book engine.PolicyBook, script, version string) (engine.PolicyItem, bool) {
	r := book.Active()
	for {
		i := slices.IndexFunc(r.Items, func(i engine.PolicyItem) bool { return i.Name == script })
		switch {
		case i < 0:
			return engine.PolicyItem{}, false
		case r.Items[i].SHA256 != version:
			return r.Items[i], true
		}
		before, ok := book.Revision(r.BasedOn)
		if !ok || before.Number >= r.Number {
			return engine.PolicyItem{}, false
		}
		r = before
	}
}
