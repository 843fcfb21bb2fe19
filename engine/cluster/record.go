package cluster

import (
	"context"
	"time"
)

// syncRecord is how often a peer writes down that it compared its
// configuration with the primary's; the comparison itself is continuous.
// Source: reference 1.6, a cycle of a minute.
const syncRecord = time.Minute

// recordSynchronisation writes the log lines of a synchronisation: each
// minute, and after each change of the revision.
func (s *Service) recordSynchronisation(ctx context.Context) {
	tick := time.NewTicker(s.o.Beat)
	defer tick.Stop()
	var written time.Time
	revision := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		agreed := s.Agreed()
		if len(s.Running().Peers) == 0 || s.joining() || (agreed.Revision == revision && time.Since(written) < syncRecord) {
			continue
		}
		written, revision = time.Now(), agreed.Revision
		s.writeSynchronisation(agreed.Primary == s.o.Node)
	}
}

func (s *Service) writeSynchronisation(primary bool) {
	page := s.Running()
	own := s.indexOf(page.Peers)
	s.mu.Lock()
	behind := !s.applied.behind.IsZero()
	s.mu.Unlock()
	for _, e := range s.o.Lines.Synchronisation(primary, page.Peers, page.Primary, own, !behind) {
		s.o.Emit(e)
	}
}
