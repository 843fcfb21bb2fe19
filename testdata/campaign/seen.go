package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// seen counts what the run has reached: sometimes-properties, each of which a
// run must see at least once, or it has not tried what it is meant to try.
//
// Source: reference/faults.md 2.1, S1.
type seen struct {
	mu     sync.Mutex
	counts map[string]int
}

func newSeen() *seen { return &seen{counts: map[string]int{}} }

func (s *seen) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// summary is "name:count,…" in name order.
func (s *seen) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		out = append(out, fmt.Sprintf("%s:%d", strings.ReplaceAll(what, " ", "-"), s.counts[what]))
	}
	return strings.Join(out, ",")
}

// wanted are the properties that a whole deck of faults reaches on any machine.
var wanted = []string{"leader changed", "primary refuses", "election begun", "certificate replaced", "generation founded", "peer rejoined from an empty disk"}

// missing are those of wanted that were never seen.
func (s *seen) missing(wanted []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, what := range wanted {
		if s.counts[what] == 0 {
			out = append(out, what)
		}
	}
	return out
}

// notice is an alarm that a peer wrote to its log as raised or lowered.
type notice struct {
	Peer   int // 1 to 6
	ID     int
	Raised bool
	About  string    // the line before a raise, which names the peers that it is about
	At     time.Time // when the line was read here: the peer's own clock may be wrong
}

// logs follows the logs of all peers.
type logs struct {
	bed  *bed
	seen *seen

	mu      sync.Mutex
	notices []notice
	holds   [peerCount]map[int]int       // alarms that hold, by number: how often raised and not lowered
	newest  [peerCount]map[int]time.Time // when each was raised last
	written [peerCount]time.Time         // when the last line was read
	blank   [peerCount]bool              // what it knew is lost with its next start
	raising [peerCount]string            // the last line that says what an alarm is about
}

// unkept is how long before a process is killed an alarm may have been raised
// without being kept: nobody lowers it then, the next process does not know it.
const unkept = 500 * time.Millisecond

var alarmLine = regexp.MustCompile(`Event="Alarm (Raised|Lowered)" Id="(\d+)"`)

// signs are lines that show that something worth reaching was reached.
var signs = map[string]string{
	"starting election": "election begun",
}

func newLogs(b *bed, s *seen) *logs {
	l := &logs{bed: b, seen: s}
	for i := range l.holds {
		l.holds[i], l.newest[i] = map[int]int{}, map[int]time.Time{}
	}
	return l
}

// run reads until ctx ends.
func (l *logs) run(ctx context.Context) {
	var all sync.WaitGroup
	for i, p := range l.bed.peers {
		all.Go(func() {
			if err := l.follow(ctx, i, p.log); err != nil {
				l.bed.run.Fail("the log of peer %d: %v", i+1, err)
			}
		})
	}
	all.Wait()
}

func (l *logs) follow(ctx context.Context, i int, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var rest []byte
	buf := make([]byte, 256<<10)
	for {
		n, err := f.Read(buf)
		if err != nil && err != io.EOF {
			return err
		}
		if n > 0 {
			at := time.Now()
			rest = append(rest, buf[:n]...)
			end := bytes.LastIndexByte(rest, '\n') + 1
			for line := range bytes.Lines(rest[:end]) {
				l.line(i, string(line), at)
			}
			rest = append(rest[:0], rest[end:]...)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (l *logs) line(i int, line string, at time.Time) {
	for sign, what := range signs {
		if strings.Contains(line, sign) {
			l.seen.count(what)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.written[i]
	l.written[i] = at
	if strings.Contains(line, `Event="System Start"`) {
		if l.blank[i] {
			l.blank[i], l.holds[i] = false, map[int]int{}
		}
		for id, raised := range l.newest[i] {
			if before.Sub(raised) < unkept {
				l.holds[i][id] = max(0, l.holds[i][id]-1)
			}
		}
	}
	if strings.Contains(line, `Detail="Raising alarm"`) {
		l.raising[i] = line
	}
	m := alarmLine.FindStringSubmatch(line)
	if m == nil {
		return
	}
	id, _ := strconv.Atoi(m[2]) // digits
	n := notice{Peer: i + 1, ID: id, Raised: m[1] == "Raised", At: at}
	if n.Raised {
		n.About = l.raising[i]
		l.holds[i][id]++
		l.newest[i][id] = at
	} else {
		l.holds[i][id] = max(0, l.holds[i][id]-1)
	}
	l.notices = append(l.notices, n)
}

// since are the notices from a moment on.
func (l *logs) since(from time.Time) []notice {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := len(l.notices)
	for i > 0 && !l.notices[i-1].At.Before(from) {
		i--
	}
	return slices.Clone(l.notices[i:])
}

// forget: the peer has lost what it knew, its alarms included, when it starts
// again. Lines from before may still have to be read.
func (l *logs) forget(peer int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blank[peer-1] = true
}

// held are the alarms of a list that hold on a peer by its log.
func (l *logs) held(peer int, ids ...int) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []int
	for _, id := range ids {
		if l.holds[peer-1][id] > 0 {
			out = append(out, id)
		}
	}
	return out
}
