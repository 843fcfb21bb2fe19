package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hexad/engine"
)

// stageNames notes what the names of a list resolve to.
func (s *Service) stageNames(ctx context.Context, known map[string]engine.Resolution) {
	if !engine.InStages(ctx) {
		return
	}
	var said []string
	failed := 0
	for address, r := range known {
		if r.Failure != "" {
			failed++
			said = append(said, address+": "+r.Failure)
			continue
		}
		said = append(said, address+" = "+strings.Join(r.IPs, " "))
	}
	slices.Sort(said)
	engine.Staged(ctx, "names", fmt.Sprintf("%d of %d resolved", len(known)-failed, len(known)), "%s", strings.Join(said, "; "))
}

// imageWord says whether a factory reset could be carried out.
func (s *Service) imageWord() string {
	if s.o.ResetImage() {
		return "the software image for a factory reset is there"
	}
	return "the software image for a factory reset or its release key is missing"
}

// effectWord says which part of a stored page is in effect.
func (s *Service) effectWord(p Page) string {
	switch {
	case p.Running.Equal(p.Entered):
		return "all of it"
	case len(p.Running.Peers) == 0:
		return "nothing before a restart"
	}
	return "what needs no restart"
}
