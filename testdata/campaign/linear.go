package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Registers: items that several clients save and read on the primary. After
// opsPerKey operations the clients go on to the next item, so that each
// history stays short enough to be checked.
//
// Source: reference/faults.md 2.1, I3.
const (
	registers       = 2 // at a time
	registerClients = 3 // each
	registerZone    = 40
	registerZones   = 40 // then they begin again with the first, as a new history
	opsPerKey       = 900
)

// linear records what the clients of the registers did, and judges it.
type linear struct {
	began time.Time
	still sync.RWMutex // held while the primary changes: then it is not one place that is read

	mu      sync.Mutex
	round   [registers]int
	ops     map[history][]porcupine.Operation
	refused map[string]bool // values that surely were not saved
}

// operation is the input: a save of Value, or a read.
type operation struct {
	Save  bool
	Value string
}

func newLinear() *linear {
	return &linear{began: time.Now(), ops: map[history][]porcupine.Operation{}, refused: map[string]bool{}}
}

// at is the history that register n is recorded in now.
func (l *linear) at(n int) history {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := history(l.round[n]*registers + n)
	if len(l.ops[h]) >= opsPerKey {
		l.round[n]++
		h += registers
	}
	return h
}

// history numbers what is judged together: one item for a time.
type history int

// zone is the zone whose item a history is about.
func (h history) zone() int { return registerZone + int(h)%registerZones }

// renew begins new histories: what is read next may be anything that was saved.
func (l *linear) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.round {
		l.round[n]++
	}
}

// refuse keeps a value that was refused: it must not be seen anywhere.
func (l *linear) refuse(value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused[value] = true
}

// write records a save by do. One whose outcome is unknown may take effect at
// any later time; one that was refused, never.
func (l *linear) write(client int, h history, value string, do func() error) {
	l.still.RLock()
	defer l.still.RUnlock()
	call := time.Since(l.began).Nanoseconds()
	err := do()
	end := time.Since(l.began).Nanoseconds()
	if certain(err) {
		l.refuse(value)
		return
	}
	if err != nil {
		end = forever
	}
	l.add(h, porcupine.Operation{ClientId: client, Input: operation{Save: true, Value: value}, Call: call, Output: "", Return: end})
}

const forever = int64(1) << 62

// read records a read by do; one that got no answer says nothing.
func (l *linear) read(client int, h history, do func() (string, error)) {
	l.still.RLock()
	defer l.still.RUnlock()
	call := time.Since(l.began).Nanoseconds()
	got, err := do()
	if err != nil {
		return
	}
	l.add(h, porcupine.Operation{ClientId: client, Input: operation{}, Call: call, Output: got, Return: time.Since(l.began).Nanoseconds()})
}

func (l *linear) add(h history, op porcupine.Operation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops[h] = append(l.ops[h], op)
}

// register is an item: a read gives the last save, the first read of a history
// whatever was there before.
var register = porcupine.Model{
	Init: func() any { return (*string)(nil) },
	Step: func(state, input, output any) (bool, any) {
		now, in, out := state.(*string), input.(operation), output.(string)
		if in.Save {
			return true, &in.Value
		}
		if now == nil {
			return true, &out
		}
		return *now == out, now
	},
	Equal: func(a, b any) bool {
		x, y := a.(*string), b.(*string)
		return x == y || x != nil && y != nil && *x == *y
	},
	DescribeOperation: func(input, output any) string {
		if in := input.(operation); in.Save {
			return "save " + in.Value
		}
		return "read " + output.(string)
	},
}

// check judges every history. made is the revision of each value that was ever
// saved: a save whose outcome was unknown and that nobody has is left out, and
// one that was made was made before the answer to any save of its item that got
// a later revision; or every one would double what is to be tried. It returns
// how many operations it judged, the histories that no order explains, and how
// many took too long.
func (l *linear) check(made map[string]int64, patience time.Duration) (ops int, broken []string, undecided int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h, list := range l.ops {
		list = settled(list, made)
		ops += len(list)
		switch porcupine.CheckOperationsTimeout(register, list, patience) {
		case porcupine.Illegal:
			broken = append(broken, fmt.Sprintf("history %d of %s (%d operations)%s", h, item(h.zone()), len(list), explain(list, made)))
		case porcupine.Unknown:
			undecided++
		}
	}
	return ops, broken, undecided
}

// settled is the history with its unknown outcomes made known.
func settled(list []porcupine.Operation, made map[string]int64) []porcupine.Operation {
	out := make([]porcupine.Operation, 0, len(list))
	for _, op := range list {
		in := op.Input.(operation)
		if op.Return == forever {
			revision, ok := made[in.Value]
			if !ok {
				continue
			}
			for _, other := range list {
				if next := other.Input.(operation); next.Save && other.Return < op.Return && made[next.Value] > revision {
					op.Return = max(other.Return, op.Call)
				}
			}
		}
		out = append(out, op)
	}
	return out
}

// explain names the first read that shows less than had been acknowledged when
// it began, "" when there is none.
func explain(list []porcupine.Operation, made map[string]int64) string {
	for _, op := range list {
		if op.Input.(operation).Save {
			continue
		}
		got, ok := made[op.Output.(string)]
		for _, other := range list {
			in := other.Input.(operation)
			if ok && in.Save && other.Return < op.Call && made[in.Value] > got {
				return fmt.Sprintf(": %s was acknowledged at %v with revision %d; a read begun at %v shows %s, revision %d",
					in.Value, time.Duration(other.Return), made[in.Value], time.Duration(op.Call), op.Output, got)
			}
		}
	}
	return ""
}
