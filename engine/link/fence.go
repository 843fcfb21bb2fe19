package link

import (
	"fmt"

	"hexad/engine"
)

// Standing is how this peer's generation stands to another's.
type Standing string

// The standings. Superseded is the one that is repaired by ForceConfigUpdate
// here; Forked needs an administrator's choice.
const (
	Same       Standing = "same"
	Superseded Standing = "superseded" // the other is newer
	Superior   Standing = "superior"   // this one is newer
	Forked     Standing = "forked"     // two of one number: both were founded on the same parent
)

// Stand compares generations. They are the same only when number and id are.
func Stand(mine, theirs engine.Generation) Standing {
	switch {
	case mine.Number == theirs.Number && mine.ID == theirs.ID:
		return Same
	case mine.Number < theirs.Number:
		return Superseded
	case mine.Number > theirs.Number:
		return Superior
	}
	return Forked
}

// Admits reports why a connection between two members, whose hellos are both
// authentic, is not let on by the receiver of theirs; nil when it is. It is the
// fence without the network: what the simulation of a cluster asks.
func Admits(mine, theirs Hello) error {
	if r := judgeHello(mine, theirs, mine.Purpose, true); r != nil {
		return r
	}
	return nil
}

// judgeHello says why the sender of a hello is not let on, nil if it is.
//
// The order goes from what explains most: a peer of another cluster holds
// another secret too, and is told of the cluster.
func judgeHello(mine, theirs Hello, purpose Purpose, authentic bool) *refused {
	switch {
	case theirs.Version != Version:
		return refusef(OtherVersion, "version %d here, %d there", Version, theirs.Version)
	case theirs.Purpose != purpose:
		return refusef(Malformed, "a hello for %q on a connection for %q", theirs.Purpose, purpose)
	case mine.Cluster == "" || theirs.Cluster != mine.Cluster:
		return refusef(OtherCluster, "cluster %q here, %q there", mine.Cluster, theirs.Cluster)
	case !authentic:
		return refusef(WrongSecret, "node %s", theirs.Node)
	case theirs.Node == mine.Node:
		return refusef(NodeMismatch, "node %s is this system itself", mine.Node)
	case fenced && purpose != PurposeRecover && Stand(mine.Generation, theirs.Generation) != Same:
		return refusef(OtherGeneration, "here %s, there %s (%s)", named(mine.Generation), named(theirs.Generation),
			Stand(mine.Generation, theirs.Generation))
	}
	return nil
}

func named(g engine.Generation) string {
	if g.Parent == "" {
		return fmt.Sprintf("generation %d (%s)", g.Number, g.ID)
	}
	return fmt.Sprintf("generation %d (%s, founded on %s)", g.Number, g.ID, g.Parent)
}
