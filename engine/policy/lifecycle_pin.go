package policy

import (
	"context"
	"slices"
	"time"

	"hexad/engine"
)

// Pinned notes that a script was pinned on this peer: what Options.Pinned of the
// Policies is connected to. Unpinned notes the opposite. Both return at once.
func (l *Lifecycle) Pinned(p engine.PolicyPin) {
	l.pinMu.Lock()
	known := slices.ContainsFunc(l.pins, func(o engine.PolicyPin) bool { return o.Script == p.Script && o.Version == p.Version })
	if !known {
		l.pins = append(slices.DeleteFunc(l.pins, func(o engine.PolicyPin) bool { return o.Script == p.Script }), p)
	}
	l.pinsDirty = l.pinsDirty || !known
	l.pinMu.Unlock()
	l.Changed()
}

// Unpinned is the opposite of Pinned.
func (l *Lifecycle) Unpinned(p engine.PolicyPin) {
	l.pinMu.Lock()
	before := len(l.pins)
	l.pins = slices.DeleteFunc(l.pins, func(o engine.PolicyPin) bool { return o.Script == p.Script })
	l.pinsDirty = l.pinsDirty || len(l.pins) != before
	l.pinMu.Unlock()
	l.Changed()
}

func (l *Lifecycle) pinned() []engine.PolicyPin {
	l.pinMu.Lock()
	defer l.pinMu.Unlock()
	return slices.Clone(l.pins)
}

// keepPins stores the pins when they changed, and raises and lowers their alarms.
func (l *Lifecycle) keepPins(ctx context.Context) {
	l.pinMu.Lock()
	dirty, pins := l.pinsDirty, slices.Clone(l.pins)
	l.pinsDirty = false
	l.pinMu.Unlock()
	if !dirty {
		return
	}
	if l.o.Records != nil {
		if err := l.o.Records.PutPins(ctx, pins); err != nil {
			l.log.Warn("pinned scripts not kept", "err", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raise(ctx)
}

// restorePins pins again what was pinned before this start, if it is in effect
// still.
func (l *Lifecycle) restorePins(ctx context.Context) {
	if l.o.Records == nil {
		return
	}
	stored, err := l.o.Records.Pins(ctx)
	if err != nil {
		l.log.Warn("pinned scripts not read", "err", err)
		return
	}
	l.pinMu.Lock()
	l.pins, l.pinsDirty = nil, len(stored) > 0
	for _, p := range stored {
		if l.loaded[p.Script] == p.Version {
			l.pins = append(l.pins, p)
		}
	}
	kept := slices.Clone(l.pins)
	l.pinMu.Unlock()
	for _, p := range kept {
		if err := l.o.Policies.Pin(p.Script, p.Reason); err != nil {
			l.log.Warn("script not pinned again", "script", p.Script, "err", err)
		}
	}
}

// Pin keeps a script from answering on this peer: its last good version stands
// in, else the hook's fail-safe, until Unpin or another version.
//
// Errors: NotFound; Invalid (no reason).
func (l *Lifecycle) Pin(ctx context.Context, actor engine.Actor, script, reason string) error {
	if reason == "" {
		return engine.Errorf(engine.Invalid, "a pin needs a reason").With("Reason", "say why the script is set aside here")
	}
	version, ok := l.inEffect(script)
	if !ok {
		return engine.Errorf(engine.NotFound, "no script %q is in effect", script).With("Script", "PolicyList shows them")
	}
	// Noted first, so that it carries who asked.
	l.Pinned(engine.PolicyPin{Script: script, Version: version, Reason: reason, By: actor.User, At: time.Now().UTC()})
	if err := l.o.Policies.Pin(script, reason); err != nil {
		l.Unpinned(engine.PolicyPin{Script: script})
		return err
	}
	l.keepPins(ctx)
	l.o.Emit(actor, "policy script "+script+" pinned: "+reason)
	return nil
}

// Unpin lets a pinned script answer again. Errors: NotFound.
func (l *Lifecycle) Unpin(ctx context.Context, actor engine.Actor, script string) error {
	if !slices.ContainsFunc(l.pinned(), func(p engine.PolicyPin) bool { return p.Script == script }) {
		return engine.Errorf(engine.NotFound, "%q is not pinned here", script).With("Script", "PolicyStatus shows what is pinned on which peer")
	}
	if err := l.o.Policies.Unpin(script); err != nil {
		return err
	}
	l.Unpinned(engine.PolicyPin{Script: script})
	l.keepPins(ctx)
	l.o.Emit(actor, "policy script "+script+" is pinned no longer")
	return nil
}

// inEffect is the version of a script that runs.
func (l *Lifecycle) inEffect(script string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.loaded[script]
	return v, ok
}
