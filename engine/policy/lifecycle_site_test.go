package policy_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/policies"
	"hexad/sqlstore/sqlstoretest"
)

// site is one peer's lifecycle on a real store, with everything beside it in
// memory.
type site struct {
	*policy.Lifecycle
	policies *policy.Policies
	peer     *sqlstoretest.Peer
	address  string
	all      *[]*site
	settings map[string]string

	mu        sync.Mutex
	decisions []policy.Decision
	pins      []engine.PolicyPin
	alarms    map[string]bool
	refuse    string // what this peer answers to staging
	cut       bool
	api       *int // what it says of its release; nil: the truth
	unheard   bool
}

// sites is a cluster of n lifecycles.
func sites(t *testing.T, n int) []*site {
	t.Helper()
	g := sqlstoretest.Start(t, n)
	out := make([]*site, n)
	for i, p := range g.Peers {
		out[i] = &site{peer: p, address: fmt.Sprintf("192.0.2.%d", i+1), all: &out, settings: map[string]string{}, alarms: map[string]bool{}}
		out[i].start(t)
	}
	return out
}

func builtins() []policy.Script {
	var out []policy.Script
	for _, s := range policies.Builtin() {
		out = append(out, policy.Script{Name: s.Name, Source: s.Source, Tests: s.Tests, Builtin: true})
	}
	return out
}

// start is what a start of the process does.
func (s *site) start(t *testing.T) {
	t.Helper()
	var err error
	s.policies, err = policy.New(policy.Options{
		Scripts: builtins(), Record: s.record, MaskAliases: func() bool { return s.setting(policy.ItemMaskAliases) == "On" },
		Pinned: func(p engine.PolicyPin) { s.Pinned(p) }, Unpinned: func(p engine.PolicyPin) { s.Unpinned(p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Lifecycle = policy.NewLifecycle(policy.LifecycleOptions{
		Policies: s.policies, Builtin: builtins(), Store: s.peer, Records: s, Peers: s, Alarms: s, Signer: newSigner(s.address),
		Setting: s.setting,
	})
	s.follow(t)
}

func (s *site) setting(item string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings[item]
}

// run lets the lifecycle run until the test ends.
func (s *site) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		if stop(); <-done != nil {
			t.Error("the lifecycle ended with an error")
		}
	})
}

func (s *site) follow(t *testing.T) {
	t.Helper()
	if err := s.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *site) record(d policy.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decisions = append([]policy.Decision{d}, s.decisions...)
}

func (s *site) Decision(_ context.Context, id string) (policy.Decision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.decisions {
		if d.ID == id {
			return d, nil
		}
	}
	return policy.Decision{}, engine.Errorf(engine.NotFound, "no decision %s", id)
}

func (s *site) Decisions(_ context.Context, since time.Time, hook string, limit int) ([]policy.Decision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []policy.Decision
	for _, d := range s.decisions {
		if !d.At.Before(since) && (hook == "" || hook == d.Hook) && len(out) < limit {
			out = append(out, d)
		}
	}
	return out, nil
}

func (s *site) MaskDecisions(_ context.Context, mask func(policy.Decision) (policy.Decision, error)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for i, d := range s.decisions {
		if d.Looked {
			continue
		}
		masked, err := mask(d)
		if err != nil {
			return n, err
		}
		s.decisions[i], n = masked, n+1
	}
	return n, nil
}

func (s *site) Pins(context.Context) ([]engine.PolicyPin, error) { return s.pins, nil }

func (s *site) PutPins(_ context.Context, pins []engine.PolicyPin) error {
	s.pins = slices.Clone(pins)
	return nil
}

func (s *site) Peers(context.Context) []policy.Peer {
	var out []policy.Peer
	for _, o := range *s.all {
		p := policy.Peer{Node: o.peer.Node, Address: o.address, Here: o == s, Reachable: !o.cut}
		if o.Lifecycle != nil && !o.unheard {
			p.Facts, p.Heard = o.Facts(), true
		}
		if o.api != nil {
			p.Facts.API = *o.api
		}
		out = append(out, p)
	}
	return out
}

func (s *site) Primary() bool { return (*s.all)[0] == s }

func (s *site) Ask(ctx context.Context, node, path string, in, out any) error {
	for _, o := range *s.all {
		if o.peer.Node != node {
			continue
		}
		answer := policy.StageAnswer{Detail: o.refuse}
		if o.cut || path != policy.StagePath {
			return errors.New("no connection")
		}
		if o.refuse == "" {
			answer = o.Judge(ctx, in.(policy.StageAsk))
		}
		*out.(*policy.StageAnswer) = answer
		return nil
	}
	return errors.New("no such node")
}

func (s *site) Reconcile(_ context.Context, _ string, conditions []policy.Condition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.alarms)
	for _, c := range conditions {
		s.alarms[fmt.Sprint(c.ID, " ", c.Key)] = true
	}
}

func (s *site) Lower(context.Context, int, string) {}

func (s *site) holds(alarm string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alarms[alarm]
}

// signer signs with a key of its own; its certificate is the key in hex.
type signer struct{ key ed25519.PrivateKey }

func newSigner(seed string) signer {
	sum := sha256.Sum256([]byte(seed))
	return signer{ed25519.NewKeyFromSeed(sum[:])}
}

func (s signer) Sign(digest []byte) ([]byte, string, error) {
	return ed25519.Sign(s.key, digest), hex.EncodeToString(s.key.Public().(ed25519.PublicKey)), nil
}

func (s signer) Verify(digest, signature []byte, certificate string) (string, bool, error) {
	key, err := hex.DecodeString(certificate)
	if err != nil || !ed25519.Verify(key, digest, signature) {
		return "", false, engine.Errorf(engine.Denied, "the signature is wrong")
	}
	return certificate, certificate == hex.EncodeToString(s.key.Public().(ed25519.PublicKey)), nil
}

var (
	anna = engine.Actor{User: "anna", Via: "shell"}
	ben  = engine.Actor{User: "ben", Via: "shell"}
)

// notice is a script of hook peer.prerequisites that makes one finding of its own.
func notice(name, id string) policy.SourceFile {
	return policy.SourceFile{Name: name, Source: fmt.Sprintf(`local P = policy {
  name = %q, api = 1, hook = "peer.prerequisites", order = 500,
  title = { en = "Notice", ja = "通知" },
  text = { ["policy.%s.%s"] = { en = "%s", ja = "%s" } },
}
function P.evaluate(c)
  return { { id = "policy.%s.%s", severity = "error" } }
end
return P
`, name, name, id, id, id, name, id), Tests: fmt.Sprintf(`function test_it()
  expect.has_finding(evaluate(fixture("pair")), "policy.%s.%s")
end
`, name, id)}
}

func (s *site) put(t *testing.T, files ...policy.SourceFile) {
	t.Helper()
	if _, err := s.Put(t.Context(), anna, files, "test"); err != nil {
		t.Fatal(err)
	}
}

func (s *site) stage(t *testing.T) policy.Staged {
	t.Helper()
	out, err := s.Stage(t.Context(), anna, policy.StageRequest{Comment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *site) activate(t *testing.T) engine.PolicyRevision {
	t.Helper()
	r, err := s.Activate(t.Context(), ben, policy.ActivateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range *s.all {
		sqlstoretest.Until(t, "the revision is in effect on "+o.address, func() error {
			if err := o.Follow(t.Context()); err != nil {
				return err
			}
			if now := o.policies.Revision(); now != r.Number {
				return fmt.Errorf("revision %d, want %d", now, r.Number)
			}
			return nil
		})
	}
	return r
}

// found are the ids of the site's own findings about a healthy pair.
func (s *site) found(t *testing.T) []string {
	t.Helper()
	j := s.policies.Prerequisites(t.Context(), pair())
	var out []string
	for _, f := range j.Findings {
		if strings.HasPrefix(f.ID, "policy.") {
			out = append(out, f.ID)
		}
	}
	return out
}

func pair() engine.PrerequisitesInput {
	peer := func(i int) engine.PeerRecord {
		return engine.PeerRecord{Index: i, Address: fmt.Sprintf("192.0.2.%d", i), ThisSystem: i == 1, State: "active", Reachable: true,
			Version: "1.0.0", Product: "expressway", Role: engine.Core, SystemName: "fails", Hardware: engine.HardwareRecord{Class: "virtual", Size: "medium"}}
	}
	return engine.PrerequisitesInput{Occasion: engine.OnPeriodic, Peers: []engine.PeerRecord{peer(1), peer(2)}}
}
