package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"hexad/engine"
)

// Trace says what a decision that is made for show notes beside its answer.
type Trace struct {
	Lines bool // the lines of each script that ran
}

// Evaluate asks the active revision's scripts of a hook about an input in JSON,
// as service would, and returns the decision with its steps. Nothing is
// recorded, counted or raised. A context that the input leaves out is this
// peer's.
//
// Errors: NotFound (the hook), Invalid (the input).
func (p *Policies) Evaluate(ctx context.Context, hook string, input []byte, t Trace) (Decision, error) {
	h := hookNamed(hook)
	if h == nil {
		return Decision{}, engine.Errorf(engine.NotFound, "there is no hook %s", clip(hook, 64)).With("hook", "one of "+strings.Join(Hooks(), ", "))
	}
	in := h.input()
	if err := decodeInput(input, in); err != nil {
		return Decision{}, engine.Errorf(engine.Invalid, "the input of hook %s: %w", hook, err)
	}
	q := p.begin(ctx, hook)
	q.trial, q.lines = true, t.Lines
	q.keep()
	q.answerTo(in)
	d, err := q.kept.encode()
	if err != nil {
		return Decision{}, engine.Errorf(engine.Internal, "the decision cannot be written: %w", err)
	}
	return d, nil
}

func decodeInput(input []byte, in any) error {
	d := json.NewDecoder(bytes.NewReader(input))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something after it")
	}
	return nil
}

// answerTo asks with the input of any hook.
func (q *asking) answerTo(in any) {
	switch in := in.(type) {
	case *engine.ClusterInput:
		q.validateCluster(*in)
	case *engine.KeysInput:
		q.compareKeys(*in)
	case *engine.PrerequisitesInput:
		q.prerequisites(*in)
	case *engine.PeersChangedInput:
		q.peersChanged(*in)
	case *engine.IdentityInput:
		q.identity(*in)
	case *engine.GateRequest:
		q.gate(*in)
	case *engine.CapacityRequest:
		q.limit(*in)
	case *engine.RegistrationRequest:
		q.admitRegistration(*in)
	case *engine.CallRequest:
		q.admit(*in)
	case *engine.SearchRequest:
		q.transform(*in)
	case *engine.RouteRequest:
		q.route(*in)
	case *engine.FindMeRequest:
		q.findMe(*in)
	case *engine.BandwidthRequest:
		q.bandwidth(*in)
	case *engine.AlarmRequest:
		q.react(*in)
	}
}

// Candidate is a compiled revision that is not active: for dry runs, for
// explanations with another revision and for trying one script.
type Candidate struct{ p *Policies }

// Compile compiles a candidate. Errors name script and line.
func Compile(number int64, scripts []Script, data map[string]map[string]string) (*Candidate, error) {
	p, err := New(Options{Scripts: scripts, Revision: number, Data: data})
	if err != nil {
		return nil, err
	}
	return &Candidate{p}, nil
}

// Evaluate asks the candidate as Policies.Evaluate asks the active revision. It
// is safe for concurrent use.
func (c *Candidate) Evaluate(ctx context.Context, hook string, input []byte, t Trace) (Decision, error) {
	return c.p.Evaluate(ctx, hook, input, t)
}

// EvaluateWith compiles scripts and asks them once.
func EvaluateWith(ctx context.Context, scripts []Script, data map[string]map[string]string, hook string, input []byte, t Trace) (Decision, error) {
	c, err := Compile(0, scripts, data)
	if err != nil {
		return Decision{}, err
	}
	return c.Evaluate(ctx, hook, input, t)
}
