package policy

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"hexad/engine"
)

// Follow brings the active revision of this peer's copy into effect, when it is
// another one than is. When it cannot be loaded the built-ins run alone.
//
// Errors: those of reading the copy; what runs then stays.
func (l *Lifecycle) Follow(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, mark, err := l.o.Store.PolicyMark(ctx)
	if err != nil || l.following && mark == l.mark {
		return err
	}
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return err
	}
	waivers := slices.Clone(book.Waivers)
	l.waivers.Store(&waivers)
	active := book.Active()
	if !l.following || !sameRevision(active, l.active) {
		if err := l.load(ctx, book, active); err != nil {
			return err
		}
	}
	l.mark, l.following = mark, true
	l.raise(ctx)
	l.o.Applied()
	return nil
}

// sameRevision tells whether two revisions are one; another cluster, which this
// peer may have joined, counts from 1 too.
func sameRevision(a, b engine.PolicyRevision) bool {
	return a.Number == b.Number && a.Activated.Equal(b.Activated) && a.Created.Equal(b.Created) && slices.Equal(a.Items, b.Items)
}

// load makes r the running revision.
func (l *Lifecycle) load(ctx context.Context, book engine.PolicyBook, r engine.PolicyRevision) error {
	c, err := l.revision(ctx, r)
	if engine.CodeOf(err) == engine.Unavailable {
		return err
	}
	var scripts []Script
	if err == nil {
		scripts, err = l.scripts(c)
	}
	if err == nil {
		l.lastGood(ctx, book, r, scripts)
		err = l.o.Policies.Activate(r.Number, scripts, c.data)
	}
	if err != nil {
		l.log.Error("policy revision not loaded", "revision", r.Number, "err", err)
		scripts = l.o.Builtin
		if fallback := l.o.Policies.Activate(0, scripts, nil); fallback != nil {
			return fmt.Errorf("activate the built-in rules: %w", fallback)
		}
	}
	l.unloadable, l.active = err, r
	l.cannot.Store(0)
	if err != nil {
		l.cannot.Store(r.Number)
	}
	l.replaced(ctx, scripts)
	l.outdated = l.outdatedOf(c)
	if r.Number > 0 && err == nil {
		l.o.Emit(engine.System, fmt.Sprintf("policy revision %d is in effect", r.Number))
	}
	return nil
}

// replaced notes the versions in effect. A failure of a script that is no more
// holds no longer.
func (l *Lifecycle) replaced(ctx context.Context, scripts []Script) {
	now := map[string]string{}
	for _, s := range scripts {
		now[s.Name] = versionOf(s)
	}
	for name, version := range l.loaded {
		if now[name] != version && l.o.Alarms != nil {
			l.o.Alarms.Lower(ctx, AlarmPolicyFailed, name)
		}
	}
	l.loaded = now
	if !l.following {
		l.restorePins(ctx)
	}
}

// versionOf is the version that a running script has.
func versionOf(s Script) string {
	if s.Version != "" {
		return s.Version
	}
	return Version(s.Source)
}

// outdatedOf lists the built-ins that changed since they were replaced.
func (l *Lifecycle) outdatedOf(c candidate) []string {
	var out []string
	for _, item := range c.items {
		b, ok := l.builtin(item.Name)
		v := c.texts[item.SHA256]
		if ok && item.SHA256 != "" && v.Replaces != "" && v.Replaces != digestOf(b) {
			out = append(out, item.Name)
		}
	}
	return out
}

// raise tells the alarms what holds; the lock is held.
func (l *Lifecycle) raise(ctx context.Context) {
	if l.o.Alarms == nil {
		return
	}
	var out []Condition
	for _, p := range l.pinned() {
		runs := "the fail-safe answer"
		if p.Runs != "" {
			runs = short(p.Runs)
		}
		out = append(out, Condition{ID: AlarmPolicyPinned, Key: p.Script, Params: map[string]string{
			"script": p.Script, "version": runs, "pinned": short(p.Version), "detail": p.Reason,
		}})
	}
	for _, name := range l.outdated {
		out = append(out, Condition{ID: AlarmOverrideOld, Key: name, Params: map[string]string{"script": name}})
	}
	if l.unloadable != nil {
		out = append(out, Condition{ID: AlarmRevisionBad, Params: map[string]string{
			"revision": strconv.FormatInt(l.active.Number, 10), "detail": l.unloadable.Error(),
		}})
	}
	l.o.Alarms.Reconcile(ctx, "policy", out)
}

func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}

// Facts is what this peer tells the others of its policies. It waits for nobody.
func (l *Lifecycle) Facts() engine.PolicyFacts {
	f := engine.PolicyFacts{
		Revision: l.o.Policies.Revision(), API: NewestAPI, Pins: l.pinned(), Changed: int(l.changed.Load()), Unloadable: l.cannot.Load(),
	}
	l.measure(&f)
	return f
}

// Waive marks the findings that an administrator has waived: they are shown,
// but neither block nor raise an alarm.
func (l *Lifecycle) Waive(found []engine.Finding) []engine.Finding {
	waivers := l.waivers.Load()
	if waivers == nil || len(*waivers) == 0 {
		return found
	}
	now := time.Now()
	for i, f := range found {
		for _, w := range *waivers {
			if w.Finding != f.ID || w.Peer != "" && w.Peer != f.Peer || !now.Before(w.Until) || !l.Waivable(f.ID) {
				continue
			}
			found[i].Severity, found[i].Alarm = engine.FindingInfo, 0
			found[i].Waived = &engine.WaivedBy{ID: w.ID, By: w.Author, Until: w.Until, Reason: w.Reason, Severity: f.Severity}
			break
		}
	}
	return found
}

// Waivable reports whether findings of that id may be waived; those of a
// site's own scripts may.
func (l *Lifecycle) Waivable(id string) bool {
	if e, ok := catalogue[id]; ok {
		return e.Waivable
	}
	return isSiteFinding(id)
}
