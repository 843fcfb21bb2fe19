package console

import (
	"fmt"
	"math"

	"hexad/engine"
)

// RingMap is the cluster drawn as a ring: the peers with what lies between
// each pair. Lengths are user units of a 560 x 340 view box.
type RingMap struct {
	Nodes []MapNode
	Edges []MapEdge
}

// MapNode is one peer of the map.
type MapNode struct {
	X, Y    string // of its centre
	LabelY  string
	NoteY   string
	Label   string
	Release string
	State   Badge
	Primary bool
	Here    bool
}

// MapEdge is the way between two peers.
type MapEdge struct {
	X1, Y1, X2, Y2 string
	X, Y           string // of the label
	Kind           string // ok, warn, bad; down, when one end does not answer
	Label          string // round trip in ms, "" when it is not measured
}

// Geometry of the map.
const (
	mapX, mapY   = 280.0, 160.0
	mapRX, mapRY = 190.0, 112.0
	labelRoom    = 17 // characters of an address that fit under a node
)

// ringMap draws the peers of v clockwise from the top.
func ringMap(v engine.ClusterView) RingMap {
	var m RingMap
	n := len(v.Peers)
	at := make([][2]float64, n)
	for i, p := range v.Peers {
		x, y := position(i, n)
		at[i] = [2]float64{x, y}
		label := []rune(p.Address)
		if len(label) > labelRoom {
			label = append(label[:labelRoom-1], '…')
		}
		m.Nodes = append(m.Nodes, MapNode{X: unit(x), Y: unit(y), LabelY: unit(y + 38), NoteY: unit(y + 53), Label: string(label),
			Release: p.Release, State: peerBadge(p), Primary: p.Primary, Here: p.State == engine.ThisSystem})
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			m.Edges = append(m.Edges, edge(v.Peers[i], v.Peers[j], at[i], at[j], between(i, j, n)))
		}
	}
	return m
}

// position of node i of n: on the ring, or on a line when there are two.
func position(i, n int) (x, y float64) {
	switch n {
	case 1:
		return mapX, mapY
	case 2:
		return mapX + (float64(i)*2-1)*mapRX*0.8, mapY
	}
	a := 2*math.Pi*float64(i)/float64(n) - math.Pi/2
	return mapX + mapRX*math.Cos(a), mapY + mapRY*math.Sin(a)
}

// between is where on the edge its label goes: the middle for neighbours, off
// the middle for those that cross there.
func between(i, j, n int) float64 {
	if j-i == 1 || j-i == n-1 {
		return 0.5
	}
	return 0.36
}

func edge(a, b engine.PeerView, p, q [2]float64, label float64) MapEdge {
	e := MapEdge{X1: unit(p[0]), Y1: unit(p[1]), X2: unit(q[0]), Y2: unit(q[1]), Kind: "down",
		X: unit(p[0] + (q[0]-p[0])*label), Y: unit(p[1] + (q[1]-p[1])*label)}
	if !answers(a) || !answers(b) {
		return e
	}
	if rtt, ok := roundTrip(a, b); ok {
		e.Kind, e.Label = rttKind(rtt), milliseconds(rtt)
	} else {
		e.Kind = "ok"
	}
	return e
}

func answers(p engine.PeerView) bool {
	return p.State == engine.ThisSystem || p.State == engine.PeerActive
}

// roundTrip is the worse of what both ends measured.
func roundTrip(a, b engine.PeerView) (float64, bool) {
	x, okX := a.RTTs[b.Address]
	y, okY := b.RTTs[a.Address]
	if okX || okY {
		return max(x, y), true
	}
	switch {
	case a.State == engine.ThisSystem && b.RTTMS > 0:
		return b.RTTMS, true
	case b.State == engine.ThisSystem && a.RTTMS > 0:
		return a.RTTMS, true
	}
	return 0, false
}

func unit(v float64) string { return fmt.Sprintf("%.0f", v) }
