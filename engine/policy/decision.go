package policy

import (
	"context"

	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Decision is the record of one question to the scripts of a hook. Input and
// Answer are JSON: the input's type and the typed answer's. Script is the one
// that decided, "" when none did or all have a say.
type Decision struct {
	ID           string          `json:"id"`
	At           time.Time       `json:"at"`
	Hook         string          `json:"hook"`
	Revision     int64           `json:"revision"`
	Input        json.RawMessage `json:"input"`
	Answer       json.RawMessage `json:"answer"`
	Script       string          `json:"script,omitempty"`
	Degraded     bool            `json:"degraded"`
	Took         time.Duration   `json:"took"`
	Instructions int             `json:"instructions"`
	Steps        []Step          `json:"steps"`
	Masked       bool            `json:"masked,omitempty"` // its aliases are masked: it cannot be asked again
	Looked       bool            `json:"-"`                // for aliases to mask
}

// The outcomes of a step.
const (
	StepAnswered = "answered"  // its answer counts
	StepNothing  = "nothing"   // it had none
	StepPassed   = "passed"    // it had nothing against it: the scripts behind it decide
	StepShadow   = "shadow"    // it had one, in mode shadow
	StepWarned   = "warned"    // it rejected, in mode warn
	StepLastGood = "last_good" // it failed or is pinned; its last good version answered
	StepFailed   = "failed"    // it failed and nothing stood in but the fail-safe
	StepPinned   = "pinned"    // it is pinned to the fail-safe
	StepSkipped  = "skipped"   // the chain had no time left, or on_failure passed over it
)

// Step is one script's part in a decision, or a stage of what hexad did itself
// around it: then Stage names it and Script is "". Answer is what the script
// answered, as JSON; Lines are the lines that ran, ascending, when they were
// asked for.
type Step struct {
	Stage   string          `json:"stage,omitempty"`
	Script  string          `json:"script,omitempty"`
	Version string          `json:"version,omitempty"`
	Outcome string          `json:"outcome"`
	Why     []Why           `json:"why,omitempty"`
	Detail  string          `json:"detail,omitempty"`
	Answer  json.RawMessage `json:"answer,omitempty"`
	Lines   []int           `json:"lines,omitempty"`
}

// Failure is one evaluation that failed: what alarm policy.failed is about.
type Failure struct {
	Script  string
	Version string
	Hook    string
	Class   string // runtime, limit.*, bad_output, panic
	Line    int    // 0 when it is not known
	Message string
}

func (f Failure) Error() string {
	return fmt.Sprintf("policy %s of hook %s failed (%s, line %d): %s", f.Script, f.Hook, f.Class, f.Line, f.Message)
}

// ids makes the ids of decisions: unique on a peer, from a random beginning.
type ids struct{ next *atomic.Uint64 }

func newIDs() ids {
	out := ids{new(atomic.Uint64)}
	out.next.Store(rand.Uint64())
	return out
}

const idLetters = "abcdefghijkmnpqrstuvwxyz23456789" // none that look alike

// make spreads the counter over the letters: consecutive ids differ at sight.
func (i ids) make() string {
	n := i.next.Add(1) * 0x9e3779b97f4a7c15
	var b [12]byte
	b[0], b[1] = 'd', '-'
	for j := 2; j < len(b); j++ {
		b[j] = idLetters[n>>59]
		n <<= 5
	}
	return string(b[:])
}

// kept is a decision with what its JSON is made from.
type kept struct {
	Decision
	input, answer any
	values        []any // of the steps
}

// encode makes the JSON parts.
func (k *kept) encode() (Decision, error) {
	var errs []error
	marshal := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		errs = append(errs, err)
		return b
	}
	k.Input, k.Answer = marshal(k.input), marshal(k.answer)
	for i, v := range k.values {
		if v != nil {
			k.Steps[i].Answer = marshal(v)
		}
	}
	return k.Decision, errors.Join(errs...)
}

// queue holds decisions of call hooks until Run records them.
type queue struct {
	decisions chan *kept
	dropped   atomic.Int64
}

const queued = 4096

// Run records the decisions of call hooks beside the calls, until ctx ends.
// Without it they are recorded before the answer. Decisions that come faster
// than they can be kept are dropped and counted in the log.
func (p *Policies) Run(ctx context.Context) error {
	q := &queue{decisions: make(chan *kept, queued)}
	p.queue.Store(q)
	defer p.queue.Store(nil)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case k := <-q.decisions:
			p.record(k)
		case <-second.C:
			if n := q.dropped.Swap(0); n > 0 {
				p.logger.Warn("policy decisions not recorded", "count", n)
			}
		case <-ctx.Done():
			return p.drain(q)
		}
	}
}

func (p *Policies) drain(q *queue) error {
	for {
		select {
		case k := <-q.decisions:
			p.record(k)
		default:
			return nil
		}
	}
}

// keep records a decision now, or soon where a call waits for it.
func (p *Policies) keep(k *kept, call bool) {
	q := p.queue.Load()
	if !call || q == nil {
		p.record(k)
		return
	}
	select {
	case q.decisions <- k:
	default:
		q.dropped.Add(1)
	}
}

func (p *Policies) record(k *kept) {
	d, err := k.encode()
	if err == nil && p.masks() {
		d, err = Masked(d)
	}
	if err != nil {
		p.logger.Error("policy decision not recorded", "hook", k.Hook, "error", err)
		return
	}
	p.o.Record(d)
}
