package cluster

import (
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"hexad/engine"
)

// rttSamples is how many round trips the minimum is taken of, and how many
// there must be before the rules are told: enough to see past a busy processor
// and past the setting up of the connection, few enough to follow a changed
// route within seconds. People see a first figure after rttShown.
const (
	rttSamples = 16
	rttShown   = 3
)

// peer is one entry of the peer list, or a member that is not listed here, as
// this system sees it. All fields after mu are guarded by it.
type peer struct {
	address string

	mu    sync.Mutex
	node  string // "" until it is a member
	key   string // fingerprint of that member
	tried bool
	up    bool // the peer link answers
	cause string
	port  int // port that could not be connected to, 0 otherwise
	since time.Time
	facts engine.Facts
	// The version of those facts, and the version of this system's that the
	// peer said it holds.
	version, told string
	heard         time.Time // when facts were heard
	rtts          []float64 // ms, newest last
	// The round trips that the rules were last asked about, as measured here
	// and there.
	judged, judgedThere float64
	seenAs              string // the address that the peer sees this system come from
	dbTried             bool
	dbUp                bool
	dbCause             string
	dbPort              int      // the port when no connection to it came about, 0 otherwise
	watched             net.Conn // the idle connection to the database port
	// What was never there is Unknown for the time that contact may take; then
	// its silence counts.
	born       time.Time
	shown      engine.PeerState
	met, dbMet bool
}

// state is what the clustering page shows for this entry.
func (p *peer) state() engine.PeerState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stateLocked()
}

func (p *peer) stateLocked() engine.PeerState {
	switch {
	case p.up:
		return engine.PeerActive
	case p.tried && (p.met || time.Since(p.born) > settle):
		return engine.PeerFailed
	default:
		return engine.PeerUnknown
	}
}

// answered notes a successful exchange and reports whether the state changed,
// and whether the round trip did: by a tenth, and by more than a millisecond.
func (p *peer) answered(seenAs string, rtt time.Duration, now time.Time) (changed, farther bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed = !p.up
	if changed {
		p.since = now
		p.rtts = p.rtts[:0]
	}
	p.tried, p.up, p.cause, p.port = true, true, "", 0
	p.met, p.shown = true, engine.PeerActive
	if seenAs != "" {
		p.seenAs = seenAs
	}
	p.rtts = append(p.rtts, float64(rtt.Microseconds())/1000)
	if len(p.rtts) > rttSamples {
		p.rtts = slices.Delete(p.rtts, 0, len(p.rtts)-rttSamples)
	}
	return changed, moved(&p.judged, p.rtt())
}

// moved reports whether a round trip became another one, and notes it then.
func moved(judged *float64, ms float64) bool {
	if math.Abs(ms-*judged) <= max(1, *judged/10) {
		return false
	}
	*judged = ms
	return true
}

// versions are the version of this system's facts that the peer holds, and
// that of the peer's facts held here.
func (p *peer) versions() (told, known string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told, p.version
}

// hear takes what the peer says of itself and reports whether the rules might
// judge it otherwise than before. The live part of facts that are not held here
// is left out: the answer tells the peer so, and they come with its next beat.
func (p *peer) hear(b beat, self string, now time.Time) (judged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = b.Known
	switch {
	case b.Facts != nil:
		judged = p.version != b.Version
		p.facts, p.version = joinFacts(*b.Facts, b.Live), b.Version
	case b.Version != p.version:
		p.version = ""
		return false
	default:
		p.facts = joinFacts(p.facts, b.Live)
	}
	p.heard = now
	return moved(&p.judgedThere, b.Live.RTTs[self]) || judged
}

// failed notes that the peer does not answer, why, and on which port; it
// reports whether the state changed.
func (p *peer) failed(cause string, port int, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried, p.up, p.cause, p.port = true, false, cause, port
	state := p.stateLocked()
	changed := p.shown != state
	if changed {
		p.since, p.shown = now, state
	}
	return changed && state == engine.PeerFailed
}

// database notes whether the database port of the peer is connected, and
// reports whether that changed.
func (p *peer) database(up bool, cause string, port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.dbUp != up || !p.dbTried
	p.dbTried, p.dbUp, p.dbCause, p.dbPort = true, up, cause, port
	p.dbMet = p.dbMet || up
	return changed
}

// watch notes the idle connection to the database port; unwatch ends it.
func (p *peer) watch(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched = c
}

func (p *peer) unwatch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watched != nil {
		p.watched.Close()
	}
}

// rtt is the least round trip of the last samples in ms, 0 when unknown.
func (p *peer) rtt() float64 { return p.least(rttSamples) }

// least is the least round trip when there are at least so many samples.
func (p *peer) least(samples int) float64 {
	if len(p.rtts) < samples || !p.up {
		return 0
	}
	return slices.Min(p.rtts)
}

// snapshot is a copy of what the rules and the page need.
type snapshot struct {
	address, node, key, cause, seenAs string
	state                             engine.PeerState
	port                              int
	since, heard                      time.Time
	facts                             engine.Facts
	rtt                               float64
	rttShown                          float64 // a first figure, for people
	dbUp, dbDown                      bool
	dbCause                           string
	dbPort                            int
}

func (p *peer) snapshot() snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := snapshot{state: p.stateLocked()}
	s.address, s.node, s.key, s.cause, s.seenAs = p.address, p.node, p.key, p.cause, p.seenAs
	s.port, s.since, s.heard, s.facts, s.rtt = p.port, p.since, p.heard, p.facts, p.rtt()
	s.rttShown = p.least(rttShown)
	s.dbUp, s.dbCause, s.dbPort = p.dbUp, p.dbCause, p.dbPort
	s.dbDown = p.dbTried && !p.dbUp && (p.dbMet || time.Since(p.born) > settle)
	return s
}
