package sqlstore

import (
	"context"
	"errors"
	"time"

	"hexad/engine"
)

// journalBatch is how long changes that others made are gathered before they are
// written to the journal together.
const journalBatch = 250 * time.Millisecond

// recorded returns when steps, or all that this copy has when there are none, are in
// the configuration journal.
// Errors: Unavailable, saying that the change itself is saved.
func (c *Cluster) recorded(steps []JournalStep) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	return notRecorded(c.journal.commit(journalEntry{store: s, steps: steps}))
}

// notRecorded is the error of a change that was made and is not in the journal.
func notRecorded(err error) error {
	if err == nil {
		return nil
	}
	e := &engine.Error{
		Code: engine.Unavailable, Message: "the change is saved in the cluster database, but this peer's configuration journal could not be written",
		Remedy: "see to the disk of the data directory, then send the change again: it will not be done twice", Err: err,
	}
	if disk := diskFailure(err); disk != nil {
		e.Err = disk
		if errors.Is(disk, ErrFull) {
			e.Message += ": the disk is full"
			e.Remedy = "free space on the file system of the data directory, then send the change again: it will not be done twice"
		}
	}
	return e
}

// applyKept brings about a batch that a rebuilt database has to have, too: it is
// in the journal of this peer, and of the leader, when it returns.
func (c *Cluster) applyKept(ctx context.Context, b batch) (answer, error) {
	b.Kept = true
	a, err := c.apply(ctx, b)
	if err == nil && a.Outcome != refused {
		err = c.keepBatch(b)
	}
	return a, err
}

func (c *Cluster) keepBatch(b batch) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	return notRecorded(c.journal.commit(journalEntry{store: s, batch: &b}))
}

// keepJournal writes to the journal what this copy receives, until s closes.
// What this peer itself saves is there already.
func (c *Cluster) keepJournal(s *raftStore) {
	if c.journal.off() {
		return
	}
	var again <-chan time.Time
	for {
		select {
		case <-s.news:
		case <-again:
		case <-s.closing:
			return
		}
		select {
		case <-time.After(journalBatch):
		case <-s.closing:
			return
		}
		again = nil
		if c.journal.commit(journalEntry{store: s}) != nil {
			again = time.After(2 * journalRetry)
		}
	}
}

// level reports whether this copy is known to have all that its group has.
func (s *raftStore) level() bool {
	_, leader := s.raft.LeaderWithID()
	commit, err := s.store.LeaderCommitIndex()
	return err == nil && leader != "" && commit > 0 && s.carried() >= max(commit, s.last)
}
