package policy

import (
	"context"
	"errors"
	"syscall"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Limits bounds one evaluation of one script.
//
// Source: reference/policy-api.md section 3.
type Limits struct {
	Instructions int           // VM instructions, weighted
	Time         time.Duration // wall time of one script
	Chain        time.Duration // wall time of all scripts of the hook
	Bytes        int           // made by strings, tables and closures
	String       int           // bytes of one string
	Pattern      int           // steps of one pattern match
}

// The limits of call hooks, of control hooks and of tests.
var (
	CallLimits = Limits{
		Instructions: 50_000, Time: 20 * time.Millisecond, Chain: 40 * time.Millisecond,
		Bytes: 1 << 20, String: 64 << 10, Pattern: 20_000,
	}
	ControlLimits = Limits{
		Instructions: 2_000_000, Time: 500 * time.Millisecond, Chain: 2 * time.Second,
		Bytes: 16 << 20, String: 256 << 10, Pattern: 200_000,
	}
	TestLimits = Limits{
		Instructions: 5_000_000, Time: 2 * time.Second, Chain: 2 * time.Second,
		Bytes: 16 << 20, String: 256 << 10, Pattern: 200_000,
	}
)

// The limits that do not depend on the hook.
const (
	maxArrayIndex  = 65_536
	maxCallDepth   = 128
	maxRegistry    = 32_768
	maxUnpacked    = 8_000
	maxWhy         = 64
	maxAnswerBytes = 64 << 10
	maxSource      = 64 << 10
	maxNesting     = 100
	maxScripts     = 200
)

// clockEvery is how many instructions pass between two looks at the clock. It
// is small because one instruction can walk a large table.
const clockEvery = 128

var (
	errInstructions = errors.New("limit.instructions")
	errTime         = errors.New("limit.time")
	errMemory       = errors.New("limit.memory")
	errWhy          = errors.New("bad_output") // too many lines of why
)

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// budget is the context of one state. The VM asks Done before every
// instruction, so Done counts them; a breach closes it for good, and the next
// instruction raises it again whatever the script caught.
//
// It belongs to one state and is not safe for concurrent use.
type budget struct {
	limits   Limits
	left     int // instructions
	bytes    int // still to be made
	tick     int // instructions until the next look at the clock
	asked    int // calls of Done
	deadline time.Time
	outer    context.Context
	breach   error
	done     <-chan struct{}
	graces   int // how often the deadline was put off
	began    time.Time
	used0    time.Duration // processor time of the process when it began; 0: not looked at
	trace    func()        // coverage; nil outside of tests
}

var _ context.Context = (*budget)(nil)

// reset starts a new evaluation now. The deadline is the earlier of the
// script's and the chain's.
func (b *budget) reset(ctx context.Context, l Limits, now, chainEnd time.Time) {
	deadline := now.Add(l.Time)
	if !chainEnd.IsZero() && chainEnd.Before(deadline) {
		deadline = chainEnd
	}
	*b = budget{limits: l, left: l.Instructions, bytes: l.Bytes, tick: clockEvery, deadline: deadline, outer: ctx, trace: b.trace}
	if l.Time >= graceFrom {
		b.began, b.used0 = now, processTime()
	}
}

func (b *budget) used() int { return b.limits.Instructions - b.left }

// graceMost is how often a deadline is put off for a script that the machine had
// no time for: a rule must not refuse a save because the processors were busy.
// That is told by the processor time of this process, which is looked at for
// control hooks only: it takes a microsecond.
const (
	graceMost = 3
	graceFrom = 100 * time.Millisecond // of Limits.Time
)

// processTime is the processor time of this process, 0 when it is not known.
func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// waited reports whether this process got less than half a processor since
// then, when its processor time was used: it waited for one.
func waited(then time.Time, used time.Duration, now time.Time) bool {
	return used > 0 && processTime()-used < now.Sub(then)/2
}

// starved tells, when the time is over, that the script has hardly run: its
// instructions are weighted, so the machine had no time for it.
func (b *budget) starved() bool { return b.used() < b.limits.Instructions/10 }

func (b *budget) Deadline() (time.Time, bool) { return b.deadline, true }
func (b *budget) Err() error                  { return b.breach }
func (b *budget) Value(any) any               { return nil }

func (b *budget) Done() <-chan struct{} {
	b.asked++
	b.left--
	b.tick--
	if b.left < 0 {
		b.end(errInstructions)
	} else if b.tick <= 0 {
		b.look()
	}
	if b.trace != nil {
		b.trace()
	}
	return b.done
}

func (b *budget) look() {
	b.tick = clockEvery
	now := time.Now()
	switch {
	case b.outer != nil && b.outer.Err() != nil:
		b.end(errTime)
	case !now.After(b.deadline):
	case b.graces < graceMost && b.starved() && waited(b.began, b.used0, now):
		b.graces++
		b.deadline = now.Add(b.limits.Time)
	default:
		b.end(errTime)
	}
}

func (b *budget) end(why error) {
	if b.breach == nil {
		b.breach, b.done = why, closed
	}
}

// work counts a library function that handles n bytes or elements.
func (b *budget) work(L *lua.LState, n int) {
	b.left -= 1 + n/64
	b.tick -= 16
	if b.left < 0 {
		b.end(errInstructions)
	} else if n > 4096 || b.tick <= 0 {
		b.look()
	}
	b.check(L)
}

// charge counts n bytes made.
func (b *budget) charge(L *lua.LState, n int) {
	if b.bytes -= n; b.bytes < 0 {
		b.end(errMemory)
	}
	b.check(L)
}

func (b *budget) check(L *lua.LState) {
	if b.breach != nil {
		L.RaiseError("%s", b.breach.Error())
	}
}

// text charges a string of n bytes before it is made.
func (b *budget) text(L *lua.LState, n int) {
	if n > b.limits.String {
		L.RaiseError("string of %d bytes is over the limit of %d", n, b.limits.String)
	}
	b.work(L, n)
	b.charge(L, n+32)
}
