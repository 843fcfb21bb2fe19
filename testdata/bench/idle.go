package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// How long six nodes rest before they are looked at, and how long they are.
const (
	idleSettle = 10 * time.Second
	idleLook   = 20 * time.Second
)

// idlePart measures what six nodes cost that have nothing to do, and their memory.
func (b *run) idlePart(ctx context.Context) error {
	systems, stop, err := b.groups(ctx, 6)
	if err != nil {
		return err
	}
	defer stop()
	time.Sleep(idleSettle)
	for _, s := range systems {
		b.remember(s, "idle")
	}
	for range b.o.runs {
		for _, s := range systems {
			b.machine.quiet()
			before := cpu(s.roots()...)
			time.Sleep(idleLook)
			b.add("6 peers idle, CPU of all a second", "ms", true, s.name(), ms(cpu(s.roots()...)-before)/idleLook.Seconds())
		}
	}
	for _, s := range systems {
		if err := b.again(ctx, s, func() error { return b.saves(ctx, s, writers, false) }); err != nil {
			return err
		}
		b.remember(s, "after load")
	}
	return nil
}

// remember notes the memory of each node with all its processes: all that is in
// use (RSS), and with what several processes share divided among them (PSS).
func (b *run) remember(s system, when string) {
	below := children()
	for _, node := range s.nodes() {
		var rss, pss float64
		for tree := []int{node}; len(tree) > 0; tree = append(tree[1:], below[tree[0]]...) {
			rss += memoryOf(tree[0], "Rss:")
			pss += memoryOf(tree[0], "Pss:")
		}
		b.add(fmt.Sprintf("6 peers %s, memory of a node (RSS)", when), "MiB", true, s.name(), rss)
		b.add(fmt.Sprintf("6 peers %s, memory of a node (PSS)", when), "MiB", true, s.name(), pss)
	}
}

func memoryOf(pid int, what string) float64 {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range bytes.Lines(raw) {
		if rest, ok := strings.CutPrefix(string(line), what); ok {
			var kb float64
			fmt.Sscanf(rest, "%f", &kb)
			return kb / 1024
		}
	}
	return 0
}
