package link

import (
	"strings"
	"time"

	"hexad/engine"
)

// JoinWindow is how long after the later Save of the clustering page a key that
// nobody vouched for may be pinned. Source: design 4.
const JoinWindow = 10 * time.Minute

// FirstContact is what one side knows when it decides whether to pin another.
//
// Mine is this side: its page and the age of its save; Address its own entry.
// Same compares two peer list entries; nil compares the texts without case.
// Reopened is set while the administrator has opened the window again by hand.
type FirstContact struct {
	Mine     JoinSide
	Theirs   JoinSide
	Reopened bool
	Same     func(a, b string) bool
}

// Judge says whether both sides name each other and agree on what they form,
// and whether the other's key may be pinned: it is pinned already, a join token
// vouches for it, or the window is open.
//
// It is the invariant part of a join; rules on releases, keys and the like are
// the policies'. Errors: Denied, Conflict, naming the field and what to do.
func (f FirstContact) Judge() error {
	mine, theirs := f.Mine.Page, f.Theirs.Page
	switch {
	case !f.lists(mine, f.Theirs.Address):
		return engine.Errorf(engine.Denied, "%s is not in the peer list of %s", f.Theirs.Address, f.Mine.Address).
			With("Peers", "add it on this peer, then save")
	case !f.lists(theirs, f.Mine.Address):
		return engine.Errorf(engine.Denied, "%s is not in the peer list of %s", f.Mine.Address, f.Theirs.Address).
			With("Peers", "each of the two must list the other: add the address there, then save")
	case mine.Name != theirs.Name:
		return engine.Errorf(engine.Conflict, "the cluster names differ: %q on %s, %q on %s", mine.Name, f.Mine.Address, theirs.Name, f.Theirs.Address).
			With("Cluster name", "give both the same cluster name")
	case mine.IPVersion != theirs.IPVersion:
		return engine.Errorf(engine.Conflict, "the IP versions differ: %s on %s, %s on %s", mine.IPVersion, f.Mine.Address, theirs.IPVersion, f.Theirs.Address).
			With("Cluster IP version", "give both the same IP version")
	case !f.same(mine.PrimaryAddress(), theirs.PrimaryAddress()):
		return engine.Errorf(engine.Conflict, "the primaries differ: %q on %s, %q on %s", mine.PrimaryAddress(), f.Mine.Address, theirs.PrimaryAddress(), f.Theirs.Address).
			With("Configuration primary", "name the same primary on both")
	}
	if f.Theirs.Pinned || f.Theirs.Token || f.Reopened || min(f.Mine.SavedAge, f.Theirs.SavedAge) <= JoinWindow {
		return nil
	}
	return engine.Errorf(engine.Denied, "the key of %s can no longer be accepted by itself: the later of both saves is more than %s ago", f.Theirs.Address, JoinWindow).
		With("", "open the window again on the clustering page, save the page again, or use a join token")
}

func (f FirstContact) lists(page engine.Clustering, address string) bool {
	for _, p := range page.Peers {
		if f.same(p, address) {
			return true
		}
	}
	return false
}

func (f FirstContact) same(a, b string) bool {
	if f.Same == nil {
		return a != "" && strings.EqualFold(a, b)
	}
	return a != "" && b != "" && f.Same(a, b)
}
