package policy

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hexad/engine"
)

// The breaker: a script that fails this often is pinned on this peer.
// Source: reference/policy-api.md section 5.
const (
	failuresInRow  = 3
	failuresInTime = 5
	failureWindow  = time.Minute
)

// ScriptStatus is how one script of the active revision does on this peer,
// since its version became active here. P99 is of its evaluations that ended;
// Pin is nil while its active version answers.
type ScriptStatus struct {
	Script      string            `json:"script"`
	Hook        string            `json:"hook"`
	Version     string            `json:"version"`
	Mode        Mode              `json:"mode"`
	Builtin     bool              `json:"builtin"`
	Order       int               `json:"order"`
	Evaluations int64             `json:"evaluations"`
	Failures    int64             `json:"failures"`
	P99         time.Duration     `json:"p99"`
	Good        bool              `json:"good"`                // has answered well here
	LastGood    string            `json:"last_good,omitempty"` // the version that would stand in
	Pin         *engine.PolicyPin `json:"pin,omitempty"`
	LastFailure *Failure          `json:"last_failure,omitempty"`
	FailedAt    time.Time         `json:"failed_at,omitzero"`
}

// health is what this peer has seen of one version of a script.
type health struct {
	evaluations atomic.Int64
	failures    atomic.Int64
	row         atomic.Int32 // failures in a row
	latency     latency
	pin         atomic.Pointer[pin]

	mu       sync.Mutex
	recent   []time.Time // of the last failures
	failed   *Failure
	failedAt time.Time
}

// pin tells which version answers instead: nil when the fail-safe does.
type pin struct {
	engine.PolicyPin
	runs *script
}

// succeeded counts an evaluation that ended well.
func (s *script) succeeded(took time.Duration) {
	h := s.health
	h.evaluations.Add(1)
	h.latency.add(took)
	if h.row.Load() != 0 {
		h.row.Store(0)
	}
	if !s.proven.Load() {
		s.proven.Store(true)
	}
}

// fail counts a failure and reports why the breaker pins the script now, "" when
// it does not.
func (h *health) fail(f Failure, now time.Time, starved bool) string {
	h.evaluations.Add(1)
	h.failures.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed, h.failedAt = &f, now
	if starved {
		return ""
	}
	row := h.row.Add(1)
	h.recent = append(h.recent, now)
	if len(h.recent) > failuresInTime {
		h.recent = h.recent[1:]
	}
	switch {
	case row >= failuresInRow:
		return "3 failures in a row"
	case len(h.recent) == failuresInTime && now.Sub(h.recent[0]) <= failureWindow:
		return "5 failures in a minute"
	}
	return ""
}

// fresh forgets the failures that led to a pin.
func (h *health) fresh() {
	h.row.Store(0)
	h.mu.Lock()
	h.recent = nil
	h.mu.Unlock()
}

func (s *script) pinTo(reason, by string, now time.Time) engine.PolicyPin {
	out := pin{PolicyPin: engine.PolicyPin{Script: s.Name, Version: s.Version, Reason: reason, By: by, At: now.UTC()}}
	if out.runs = s.good; out.runs != nil {
		out.Runs = out.runs.Version
	}
	s.health.pin.Store(&out)
	return out.PolicyPin
}

// inherit joins a new revision to the one before it: health goes on with a
// version, a proven version becomes the last good one of its successor. It
// returns the pins that end with it.
func inherit(r, before *revision) []engine.PolicyPin {
	if before == nil {
		return nil
	}
	var released []engine.PolicyPin
	for name, old := range before.scripts {
		s := r.scripts[name]
		if s != nil && s.Version == old.Version && s.compiled == old.compiled {
			s.health = old.health
			s.proven.Store(old.proven.Load())
			if old.good != nil {
				s.good = old.good
			}
			continue
		}
		if p := old.health.pin.Load(); p != nil {
			released = append(released, p.PolicyPin)
		}
		if s != nil && s.hook == old.hook {
			if old.proven.Load() {
				s.good = old.alone()
			} else if s.good == nil {
				s.good = old.good
			}
		}
	}
	slices.SortFunc(released, func(a, b engine.PolicyPin) int { return cmp.Compare(a.Script, b.Script) })
	return released
}

// alone is s without what stands behind it: one generation is kept, not a chain
// of them.
func (s *script) alone() *script {
	out := &script{Script: s.Script, compiled: s.compiled, order: s.order, health: s.health}
	out.LastGood = nil
	return out
}

// Status tells how the scripts of the active revision do, by hook and order.
func (p *Policies) Status() []ScriptStatus {
	r := p.active.Load()
	var out []ScriptStatus
	for _, h := range hooks {
		for _, s := range r.chains[h.index] {
			out = append(out, s.status())
		}
	}
	return out
}

func (s *script) status() ScriptStatus {
	h := s.health
	out := ScriptStatus{
		Script: s.Name, Hook: s.hook.name, Version: s.Version, Mode: s.Mode, Builtin: s.Builtin, Order: s.order,
		Evaluations: h.evaluations.Load(), Failures: h.failures.Load(), P99: h.latency.p99(), Good: s.proven.Load(),
	}
	if s.good != nil {
		out.LastGood = s.good.Version
	}
	if p := h.pin.Load(); p != nil {
		copied := p.PolicyPin
		out.Pin = &copied
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed != nil {
		copied := *h.failed
		out.LastFailure, out.FailedAt = &copied, h.failedAt
	}
	return out
}

// Pins lists the pins of this peer, by script.
func (p *Policies) Pins() []engine.PolicyPin {
	r := p.active.Load()
	var out []engine.PolicyPin
	for _, name := range sorted(r.scripts) {
		if pin := r.scripts[name].health.pin.Load(); pin != nil {
			out = append(out, pin.PolicyPin)
		}
	}
	return out
}

// Pin takes the active version of a script out of service on this peer: its last
// good version answers instead, the hook's fail-safe when there is none.
//
// Errors: NotFound (no such script), Conflict (pinned already).
func (p *Policies) Pin(script, reason string) error {
	p.mu.Lock()
	s := p.active.Load().scripts[script]
	if s == nil {
		p.mu.Unlock()
		return engine.Errorf(engine.NotFound, "there is no policy %s in the active revision", script)
	}
	if s.health.pin.Load() != nil {
		p.mu.Unlock()
		return engine.Errorf(engine.Conflict, "policy %s is pinned already", script)
	}
	pinned := s.pinTo(reason, "operator", time.Now())
	p.mu.Unlock()
	p.tellPinned(pinned)
	return nil
}

// Unpin lets the active version of a script answer again.
//
// Errors: NotFound (no such script, or it is not pinned).
func (p *Policies) Unpin(script string) error {
	p.mu.Lock()
	s := p.active.Load().scripts[script]
	if s == nil || s.health.pin.Load() == nil {
		p.mu.Unlock()
		return engine.Errorf(engine.NotFound, "policy %s is not pinned here", script)
	}
	s.health.fresh()
	released := s.health.pin.Swap(nil).PolicyPin
	p.mu.Unlock()
	p.tellUnpinned(released)
	return nil
}

// trip pins s, unless it is pinned already.
func (p *Policies) trip(s *script, reason string, now time.Time) {
	p.mu.Lock()
	if s.health.pin.Load() != nil {
		p.mu.Unlock()
		return
	}
	pinned := s.pinTo(reason, "system", now)
	s.health.fresh()
	p.mu.Unlock()
	p.logger.Error("policy pinned", "script", pinned.Script, "version", pinned.Version, "runs", pinned.Runs, "reason", reason)
	p.tellPinned(pinned)
}

func (p *Policies) tellPinned(pinned engine.PolicyPin) {
	if p.o.Pinned != nil {
		p.o.Pinned(pinned)
	}
}

func (p *Policies) tellUnpinned(pinned engine.PolicyPin) {
	if p.o.Unpinned != nil {
		p.o.Unpinned(pinned)
	}
}

// latency counts durations in buckets of a quarter of a power of two, from
// 64 ns on.
type latency struct{ buckets [96]atomic.Uint32 }

func (l *latency) add(d time.Duration) { l.buckets[bucketOf(d)].Add(1) }

func bucketOf(d time.Duration) int {
	n := uint64(max(d, 64))
	top := bits.Len64(n) - 1
	return min((top-6)*4+int(n>>(top-2)&3), 95)
}

// p99 is the upper end of the bucket that holds the 99th percentile, 0 when
// nothing was counted.
func (l *latency) p99() time.Duration {
	total := uint64(0)
	var counts [96]uint64
	for i := range l.buckets {
		counts[i] = uint64(l.buckets[i].Load())
		total += counts[i]
	}
	if total == 0 {
		return 0
	}
	seen := uint64(0)
	for i, n := range counts {
		if seen += n; seen*100 >= total*99 {
			return time.Duration(uint64(4+i%4+1) << (i/4 + 4))
		}
	}
	return 0
}
