package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"hexad/engine"
)

// maxRecovery bounds an answer that carries all items.
const maxRecovery = 64 << 20

// recovery is what a member tells one of any generation about its copy.
type recovery struct {
	Node        string            `json:"node"`
	PrimaryHere bool              `json:"primary_here"`
	State       engine.CopyState  `json:"state"` // its history as far as was asked
	Founding    *engine.Founding  `json:"founding,omitempty"`
	Items       map[string]string `json:"items,omitempty"`
}

// recoveryAsk asks for it.
type recoveryAsk struct {
	Revision int64 `json:"revision"` // how far the history is to be compared
	Items    bool  `json:"items"`
}

// RecoveryHandler is what this peer answers to members of any generation. The
// link has authenticated the sender; nothing here changes a copy.
func (s *Service) RecoveryHandler(remote Remote) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/copy", func(w http.ResponseWriter, r *http.Request) {
		var in recoveryAsk
		if !read(w, r, &in) {
			return
		}
		out, err := s.tellCopy(r.Context(), in)
		reply(w, out, err)
	})
	mux.HandleFunc("POST /v1/hold", func(w http.ResponseWriter, r *http.Request) {
		node, _ := remote(r.Context())
		var in struct{ Generation string }
		if !read(w, r, &in) {
			return
		}
		reply(w, struct{}{}, s.hold(r.Context(), node, in.Generation))
	})
	return mux
}

func (s *Service) tellCopy(ctx context.Context, in recoveryAsk) (recovery, error) {
	if s.o.Generations == nil {
		return recovery{}, engine.Errorf(engine.Unavailable, "no copy here")
	}
	state, err := s.o.Generations.State(ctx, in.Revision)
	if err != nil {
		return recovery{}, err
	}
	out := recovery{Node: s.o.Node, State: state, Founding: s.o.Generations.Founding(), PrimaryHere: state.Primary == s.o.Node}
	if in.Items {
		out.Items, err = s.o.Generations.Items(ctx)
	}
	return out, err
}

// ask asks a member of any generation about its copy.
func (s *Service) ask(ctx context.Context, node, path string, in, out any) error {
	client := s.o.Recovery(node)
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, recoveryTime)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+node+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxRecovery))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var e engine.Error
		if json.Unmarshal(raw, &e) != nil || e.Code == "" {
			return fmt.Errorf("peer answered %s", resp.Status)
		}
		return &e
	}
	return json.Unmarshal(raw, out)
}

// recoveryTime bounds one exchange; a hold waits for a change of the group.
const recoveryTime = 15 * time.Second

// followEvery is how often a fenced peer looks whether it may follow.
const followEvery = 2 * time.Second

// considerAgain is when it looks although nothing changed here: the other side
// may have.
const considerAgain = 30 * time.Second

// considered is what a peer did not follow when it last looked.
type considered struct {
	what string
	at   time.Time
}

// followGenerations takes this peer over to a newer generation when nothing of
// its own can be lost by it, and otherwise says why it stays fenced.
func (s *Service) followGenerations(ctx context.Context) {
	if s.o.Generations == nil || s.o.Recovery == nil {
		return
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		for _, r := range s.newer() {
			if s.consider(ctx, r) {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.refusals:
		case <-tick.C:
		}
	}
}

// newer are the refusals by members of a newer generation.
func (s *Service) newer() []Refusal {
	own := s.o.Identity().Generation
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Refusal
	for _, r := range s.refused {
		if r.Kind == "generation" && r.Remote.Number > own.Number && r.Node != "" {
			out = append(out, r)
		}
	}
	return out
}

// consider follows the generation of a member that refused this system, if it
// may, and reports whether it did.
func (s *Service) consider(ctx context.Context, r Refusal) bool {
	// To look costs a copy of the database: not again before something changed.
	seen := fmt.Sprint(r.Node, r.Remote, s.o.Group.Servers().Applied, s.copyPage().SavedAt)
	s.mu.Lock()
	known := s.considered.what == seen && time.Since(s.considered.at) < considerAgain
	s.mu.Unlock()
	if known {
		return false
	}
	own, _, empty, err := s.takeOwn(ctx)
	if err != nil {
		s.setFenced(r, "this system's own copy cannot be examined: "+messageOf(err))
		return false
	}
	var theirs recovery
	if err := s.ask(ctx, r.Node, "/v1/copy", recoveryAsk{Revision: own.Revision}, &theirs); err != nil {
		s.o.Log.Debug("newer generation not examined", "module", "cluster", "peer", r.Address, "err", err)
		return false
	}
	s.saving.Lock() // the page may not change, nor the primary be forced, until it is decided
	defer s.saving.Unlock()
	if theirs.State.Generation.Number <= s.o.Identity().Generation.Number {
		return false
	}
	if why := s.mayFollow(own, empty, theirs); why != "" {
		s.setFenced(r, why)
		s.mu.Lock()
		s.considered = considered{seen, time.Now()}
		s.mu.Unlock()
		return false
	}
	saved, err := s.saveAside(ctx, empty, "follow")
	if err == nil {
		err = s.o.Generations.Follow(ctx, theirs.State.Generation)
	}
	if err != nil {
		s.setFenced(r, "following failed: "+messageOf(err))
		s.o.Log.Error("newer generation not followed", "module", "cluster", "generation", theirs.State.Generation.Number, "err", err)
		return false
	}
	s.o.Log.Warn("newer generation followed", "module", "cluster", "generation", theirs.State.Generation.Number,
		"from_revision", own.Revision, "copy", saved.Name)
	s.followed(ctx, theirs)
	return true
}

// followed makes what is known of the new generation the agreed state until
// its leader has sent it.
func (s *Service) followed(ctx context.Context, theirs recovery) {
	s.mu.Lock()
	members, cluster := s.agreed.Members, s.agreed.Cluster
	s.mu.Unlock()
	s.regenerated(ctx)
	s.mu.Lock()
	s.agreed = engine.Agreed{Cluster: cluster, Generation: theirs.State.Generation, Members: members, Primary: theirs.State.Primary}
	s.mu.Unlock()
}

// takeOwn is Take for a peer that may have nothing: one that followed a
// generation whose leader has sent it nothing yet. Its former copies were saved
// aside then, so that nothing can be lost by following another one.
func (s *Service) takeOwn(ctx context.Context) (own engine.CopyState, items map[string]string, empty bool, err error) {
	own, items, err = s.o.Generations.Take(ctx)
	if err == nil {
		return own, items, false, nil
	}
	if _, readable := s.o.Generations.State(ctx, -1); readable == nil {
		return own, nil, false, err // a full disk is no empty copy
	}
	if servers := s.o.Group.Servers(); servers.Applied == 0 && servers.State != stateFailed {
		return engine.CopyState{Generation: s.o.Identity().Generation, Primary: s.Agreed().Primary}, nil, true, nil
	}
	return own, nil, false, err
}

// saveAside keeps the copy before it is replaced, if there is any.
func (s *Service) saveAside(ctx context.Context, empty bool, why string) (engine.SavedCopy, error) {
	if empty {
		return engine.SavedCopy{}, nil
	}
	return s.o.Generations.SaveAside(ctx, why)
}

// mayFollow says why this peer may not follow a newer generation by itself, ""
// when nothing of its own can be lost: the generation was founded on this
// one's by whom the administrator named here, and has all that is here.
//
// Source: design 3.
func (s *Service) mayFollow(own engine.CopyState, empty bool, theirs recovery) string {
	f, g := theirs.Founding, theirs.State.Generation
	switch {
	case !empty && (g.Parent != s.o.Identity().Generation.ID || own.Generation.ID != s.o.Identity().Generation.ID):
		return "it was not founded on this system's generation"
	case f == nil || !theirs.PrimaryHere:
		return "how it was founded is told by its primary, which has not been asked"
	case f.By != own.Primary && !s.votesFor(f.By):
		return "this system's page names another primary than " + s.addressOf(f.By)
	case empty:
		return ""
	case own.Revision > f.Revision:
		return fmt.Sprintf("this system has %d revisions that are not in it (%d here, founded on %d)", own.Revision-f.Revision, own.Revision, f.Revision)
	case own.Term > 0 && own.Term == f.Term && own.Index <= f.Index:
		return "" // its log is the beginning of the founder's
	case own.History != theirs.State.History:
		return "the histories of both differ"
	case own.Policies != theirs.State.Policies:
		return "the policies of both differ"
	}
	return ""
}

// votesFor reports whether the administrator saved node as the primary here.
func (s *Service) votesFor(node string) bool {
	page := s.Running()
	return page.PrimaryAddress() != "" && page.Primary != s.indexOf(page.Peers) && s.SameAddress(page.PrimaryAddress(), s.addressOf(node))
}

func (s *Service) setFenced(r Refusal, why string) {
	own := s.o.Identity().Generation
	s.mu.Lock()
	changed := s.fenced == nil || s.fenced.Why != why || s.fenced.Other != r.Remote
	s.fenced = &engine.Fenced{Peer: r.Address, Own: own, Other: r.Remote, Superseded: true, Why: why}
	s.mu.Unlock()
	if changed {
		s.o.Log.Warn("newer generation not followed", "module", "cluster", "peer", r.Address, "own", generationText(own),
			"other", generationText(r.Remote), "cause", why)
		signal(s.kick)
		s.notify()
	}
}

// Fenced is whom this peer is kept apart from by generations, and why; nil
// when by nobody.
func (s *Service) Fenced() *engine.Fenced {
	own := s.o.Identity().Generation
	s.mu.Lock()
	defer s.mu.Unlock()
	var out *engine.Fenced
	for _, r := range s.refused {
		if r.Kind != "generation" || r.Remote.ID == own.ID {
			continue
		}
		f := engine.Fenced{Peer: r.Address, Own: own, Other: r.Remote, Superseded: r.Remote.Number > own.Number, Rival: s.rivalLocked(r)}
		if s.fenced != nil && s.fenced.Other == f.Other {
			f.Why = s.fenced.Why
		}
		if (f.Superseded || f.Rival) && (out == nil || f.Superseded && !out.Superseded || strings.Compare(f.Peer, out.Peer) < 0 && f.Superseded == out.Superseded) {
			out = &f
		}
	}
	return out
}

// rivalLocked reports whether a fenced member takes itself for the primary
// while this system does too; s.mu is held.
func (s *Service) rivalLocked(r Refusal) bool {
	return r.Primary != "" && r.Primary == r.Node && s.agreed.Primary == s.o.Node
}
