package appliance

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A peer that had a rush, an attack or an import say, keeps what the rush took until
// the next collection, which without a rush is minutes away. It is looked for
// memory that nothing uses, and what is found goes back to the system.
const (
	memoryEvery = 10 * time.Second
	memorySpare = 16 << 20 // bytes that may lie idle

	memoryStart = 3 * time.Second // after it, what the start needed goes back
	memoryRush  = 400             // per cent that the heap may grow by until then, as GOGC
)

// rush lets the heap grow during a start, a tenth of whose processor time
// collections took. What it returns ends that.
func rush() (end func()) {
	usual := debug.SetGCPercent(memoryRush)
	return func() { debug.SetGCPercent(usual) }
}

// giveBack returns unused memory to the system until ctx ends.
func (a *appliance) giveBack(ctx context.Context) error {
	if !pause(ctx, memoryStart) {
		return nil
	}
	a.endRush()
	debug.FreeOSMemory()
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if idleMemory() > memorySpare {
			debug.FreeOSMemory()
		}
	}
}

// idleMemory is how many bytes of the heap this process holds beside what was
// in use after the last collection.
func idleMemory() uint64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples)
	held := samples[0].Value.Uint64() + samples[1].Value.Uint64() + samples[2].Value.Uint64()
	return held - min(held, samples[3].Value.Uint64())
}
