package simulation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math"
	"sync"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/policies"
)

// rules are the built-in rules. Each question is put to Lua once in the life of
// this test program: a rule sees its input only, and is asked the same things
// on every peer and in every seed.
type rules struct {
	*policy.Policies // answers what is not kept
	seed             maphash.Seed

	mu     sync.Mutex
	known  map[uint64]engine.Judgement
	resets map[uint64]engine.ResetDecision
	sizes  map[uint64]engine.Capacity
	asked  int
	ran    int
}

var builtin = sync.OnceValues(func() (*rules, error) {
	var scripts []policy.Script
	for _, b := range policies.Builtin() {
		scripts = append(scripts, policy.Script{Name: b.Name, Source: b.Source, Builtin: true})
	}
	lua, err := policy.New(policy.Options{Scripts: scripts, Logger: slog.New(slog.DiscardHandler)})
	return &rules{Policies: lua, seed: maphash.MakeSeed(), known: map[uint64]engine.Judgement{}, resets: map[uint64]engine.ResetDecision{}, sizes: map[uint64]engine.Capacity{}}, err
})

// rulesAsked tells how often the rules were asked, and how often Lua was.
func rulesAsked() string {
	r, _ := builtin()
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("rules_asked=%d rules_run=%d", r.asked, r.ran)
}

// mostKnown bounds the answers that are kept.
const mostKnown = 200_000

func ask[In, Out any](r *rules, known map[uint64]Out, hook string, in In, lua func(context.Context, In) Out) Out {
	text, err := json.Marshal(in)
	if err != nil {
		panic(err) // the inputs are plain data
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	h.WriteString(hook)
	h.Write(text)
	key := h.Sum64()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if out, ok := known[key]; ok {
		return out
	}
	r.ran++
	out := lua(context.Background(), in)
	if len(known) < mostKnown {
		known[key] = out
	}
	return out
}

// still takes out of the facts of a peer what moves by itself and no rule that
// is asked here looks at.
func still(peers []engine.PeerRecord) []engine.PeerRecord {
	out := make([]engine.PeerRecord, len(peers))
	for i, p := range peers {
		p.Config.Revision, p.RTTMS = 0, coarse(p.RTTMS)
		if len(p.RTTs) > 0 {
			rtts := make(map[string]float64, len(p.RTTs))
			for address, ms := range p.RTTs {
				if ms = coarse(ms); ms > 0 {
					rtts[address] = ms
				}
			}
			p.RTTs = rtts
		}
		out[i] = p
	}
	return out
}

// coarse is a round trip as far as the rules tell one from another: those that
// are supported are as if they had not been measured.
func coarse(ms float64) float64 {
	if ms <= 80 {
		return 0
	}
	return math.Ceil(ms/50) * 50
}

func (r *rules) Capacity(_ context.Context, in engine.CapacityRequest) engine.Capacity {
	return ask(r, r.sizes, "capacity", in, r.Policies.Capacity)
}

func (r *rules) ValidateCluster(_ context.Context, in engine.ClusterInput) engine.Judgement {
	in.Peers = still(in.Peers)
	in.Self = still([]engine.PeerRecord{in.Self})[0]
	return ask(r, r.known, "cluster", in, r.Policies.ValidateCluster)
}

func (r *rules) CompareKeys(_ context.Context, in engine.KeysInput) engine.Judgement {
	in.Peers = still(in.Peers)
	in.Self = still([]engine.PeerRecord{in.Self})[0]
	return ask(r, r.known, "keys", in, r.Policies.CompareKeys)
}

func (r *rules) Prerequisites(_ context.Context, in engine.PrerequisitesInput) engine.Judgement {
	in.Peers = still(in.Peers)
	in.Self = still([]engine.PeerRecord{in.Self})[0]
	return ask(r, r.known, "prerequisites", in, r.Policies.Prerequisites)
}

func (r *rules) PeersChanged(_ context.Context, in engine.PeersChangedInput) engine.ResetDecision {
	return ask(r, r.resets, "changed", in, r.Policies.PeersChanged)
}
