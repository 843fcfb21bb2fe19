package appliance

import (
	"context"
	"encoding/json"

	"hexad/engine"
)

// stateCapacity is the last good answer of capacity.limit, as JSON.
const stateCapacity = "policy.capacity"

// Gate marks what is waived: a waived refusal holds nobody up.
func (r rules) Gate(ctx context.Context, in engine.GateRequest) engine.GateAnswer {
	a := r.a.policies.Gate(ctx, in)
	if r.a.lifecycle != nil {
		a.Findings = r.a.lifecycle.Waive(a.Findings)
	}
	return a
}

// Capacity keeps each good answer, so that a restart does not lose it.
func (r rules) Capacity(ctx context.Context, in engine.CapacityRequest) engine.Capacity {
	c := r.a.policies.Capacity(ctx, in)
	if c.Degraded != nil || c.Script == "" {
		return c
	}
	text, err := json.Marshal(c)
	if err == nil {
		err = r.a.local.PutState(ctx, stateCapacity, string(text))
	}
	if err != nil {
		r.a.log.Debug("capacity not kept", "module", "policy", "err", err)
	}
	return c
}

// stateLost is since when peers are lost, as JSON.
const stateLost = "cluster.lost"

// lostPeers keeps since when peers are lost in local.db.
type lostPeers struct{ a *appliance }

func (l lostPeers) Lost(ctx context.Context) (map[string]engine.LostPeer, error) {
	text, err := l.a.local.State(ctx, stateLost)
	out := map[string]engine.LostPeer{}
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &out)
	}
	return out, err
}

func (l lostPeers) PutLost(ctx context.Context, lost map[string]engine.LostPeer) error {
	text, err := json.Marshal(lost)
	if err != nil {
		return err
	}
	return l.a.local.PutState(ctx, stateLost, string(text))
}

// keptCapacity lets the last good answer of the run before stand in.
func (a *appliance) keptCapacity(ctx context.Context) {
	text, err := a.local.State(ctx, stateCapacity)
	var c engine.Capacity
	if err == nil && text != "" && json.Unmarshal([]byte(text), &c) == nil {
		a.policies.KeepCapacity(c)
	}
}
