package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"

	"hexad/engine"
	"hexad/engine/fail"
)

// UpdatePlan says what ForceConfigUpdate would do here: whose copy replaces
// this system's, and what differs.
//
// Errors: Denied on the primary, and where the administrator has to choose
// between two primaries first; Unavailable when the primary does not answer.
//
// Source: reference 2.16; design 3.
func (s *Service) UpdatePlan(ctx context.Context) (engine.UpdatePlan, error) {
	if s.o.Generations == nil || s.o.Recovery == nil {
		return engine.UpdatePlan{}, engine.Errorf(engine.Unavailable, "this system cannot take over a copy")
	}
	if len(s.Running().Peers) == 0 || s.joining() || s.o.Identity().Standalone {
		return engine.UpdatePlan{}, engine.Errorf(engine.Denied, "this system is not a member of a cluster of several peers: there is no primary to take the configuration from")
	}
	own, items, _, err := s.takeOwn(ctx)
	if err != nil {
		return engine.UpdatePlan{}, err
	}
	source, err := s.source(ctx, own)
	if err != nil {
		return engine.UpdatePlan{}, err
	}
	var theirs recovery // again, with its items: those of all members would be copied for nothing
	if err := s.ask(ctx, source.Node, "/v1/copy", recoveryAsk{Revision: own.Revision, Items: true}, &theirs); err != nil {
		return engine.UpdatePlan{}, &engine.Error{Code: engine.Unavailable, Message: "the configuration primary stopped answering: " + messageOf(err), Remedy: "repeat this", Err: err}
	}
	plan := engine.UpdatePlan{Source: s.addressOf(theirs.Node), SourceNode: theirs.Node, Own: own, Theirs: theirs.State,
		Policies: own.Policies != theirs.State.Policies, Differences: s.o.Generations.Compare(items, theirs.Items)}
	common := theirs.State.Revision
	if theirs.State.Generation.ID != own.Generation.ID {
		if plan.Founding = theirs.Founding; plan.Founding != nil {
			common = plan.Founding.Revision
		}
	}
	plan.Beyond = max(0, own.Revision-common)
	return plan, nil
}

// source is the primary whose copy is to replace this system's.
func (s *Service) source(ctx context.Context, own engine.CopyState) (recovery, error) {
	mine := s.o.Identity().Generation
	var best *recovery
	for _, a := range s.askAll(ctx, recoveryAsk{Revision: own.Revision}) {
		if a.PrimaryHere && (best == nil || a.State.Generation.Number > best.State.Generation.Number) {
			best = &a
		}
	}
	primary := s.Agreed().Primary == s.o.Node
	switch {
	case best != nil && best.State.Generation.Number > mine.Number:
		return *best, nil
	case best != nil && best.State.Generation.Number == mine.Number && best.State.Generation.ID != mine.ID:
		if s.votesFor(best.Node) {
			return *best, nil
		}
		return recovery{}, engine.Errorf(engine.Denied, "this system and %s were both named primary by force; which configuration is kept is the administrator's choice", s.addressOf(best.Node)).
			With("Primary", "to keep the other one, choose it as configuration primary on this system's clustering page, then repeat this; to keep this one, do so there")
	case primary:
		return recovery{}, engine.Errorf(engine.Denied, "this system is the configuration primary: its configuration is the one that the other peers take, and would be lost").
			With("", "run it on the peer whose configuration is to be replaced")
	case best != nil && best.State.Generation.ID == mine.ID:
		return *best, nil
	}
	return recovery{}, engine.Errorf(engine.Unavailable, "the configuration primary does not answer: there is no copy to take").
		With("", "restore the network to it, or name another primary; then repeat this")
}

// askAll asks every member about its copy and returns the answers that came.
func (s *Service) askAll(ctx context.Context, in recoveryAsk) []recovery {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var out []recovery
	for _, m := range s.Targets() {
		if m.Node == "" || m.Node == s.o.Node {
			continue
		}
		wg.Go(func() {
			var a recovery
			if err := s.ask(ctx, m.Node, "/v1/copy", in, &a); err != nil || a.Node != m.Node {
				s.o.Log.Debug("copy of a peer not examined", "module", "cluster", "peer", m.Address, "err", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, a)
		})
	}
	wg.Wait()
	slices.SortFunc(out, func(a, b recovery) int { return strings.Compare(a.Node, b.Node) })
	return out
}

// ForceConfigUpdate saves this system's copy aside and takes the primary's. It
// returns what was saved; the new copy arrives within seconds.
//
// A crash leaves this system with its own copy, or of the primary's generation
// with an empty one that the primary fills.
//
// Errors: those of UpdatePlan; Conflict when the copies are not any more those
// of seen, which the administrator agreed to.
func (s *Service) ForceConfigUpdate(ctx context.Context, actor engine.Actor, seen *engine.UpdatePlan) (engine.SavedCopy, error) {
	s.saving.Lock()
	defer s.saving.Unlock()
	plan, err := s.UpdatePlan(ctx)
	if err != nil {
		return engine.SavedCopy{}, err
	}
	if seen != nil && (seen.Own.Revision != plan.Own.Revision || seen.Own.Generation != plan.Own.Generation || seen.Theirs.Generation != plan.Theirs.Generation) {
		return engine.SavedCopy{}, engine.Errorf(engine.Conflict, "the copies have changed since they were compared").With("", "look at the difference again")
	}
	if _, err := s.Gate(ctx, ProcedureForce, StepForce, plan.Source); err != nil {
		return engine.SavedCopy{}, err
	}
	saved, err := s.saveAside(ctx, plan.Own.Items == 0 && plan.Own.Index == 0, "ForceConfigUpdate")
	if err == nil {
		err = fail.Point("force.aside")
	}
	if err == nil && plan.Theirs.Generation.ID == s.o.Identity().Generation.ID {
		if err = s.giveVote(ctx, plan.SourceNode); err == nil {
			err = fail.Point("force.held")
		}
	}
	if err == nil {
		err = s.o.Generations.Follow(ctx, plan.Theirs.Generation)
	}
	if err != nil {
		return saved, err
	}
	s.o.Log.Warn("configuration taken from the primary", "module", "cluster", "peer", plan.Source, "generation", plan.Theirs.Generation.Number,
		"revision", plan.Theirs.Revision, "own_revision", plan.Own.Revision, "copy", saved.Name, "user", actor.User)
	s.begun(ProcedureForce, StepForce, s.Facts().Address)
	s.followed(ctx, recovery{Node: plan.SourceNode, State: plan.Theirs})
	return saved, nil
}
