package link

import (
	"context"

	"hexad/engine"
)

// What verifying a peer did besides asking the rule: the decision shows it.

// stagePin notes whether the key is a known one, and whether the address that
// it came from is listed.
func stagePin(ctx context.Context, s *session, listed bool) {
	word := "unknown"
	if len(s.peers) > 0 {
		word = "pinned"
	}
	engine.Staged(ctx, "key", word, "%.16s… at %s", s.fingerprint, s.remoteIP)
	word = "no"
	if listed {
		word = "yes"
	}
	engine.Staged(ctx, "listed", word, "%s, for %s", s.listed, s.purpose)
}

// stageChain notes whether the certificate chains to a trusted authority.
func stageChain(ctx context.Context, fault error) {
	if fault == nil {
		engine.Staged(ctx, "chain", "trusted", "")
		return
	}
	engine.Staged(ctx, "chain", "not trusted", "%s", reason(fault))
}

// stageVerdict notes what became of the session.
func stageVerdict(ctx context.Context, s *session, r *refused) {
	if r != nil {
		engine.Staged(ctx, "session", "refused", "%v", r)
		return
	}
	engine.Staged(ctx, "session", "accepted", "%s, %s mode", s.purpose, s.self.Mode)
}
