package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Quiet is enough idle time to measure in. Source: reference performance 3.
const (
	quietIdle = 0.6
	quietLook = 5 * time.Second
)

// machine is this host: how busy it is, and what a process has used.
type machine struct {
	left  time.Duration // of the patience for a quiet machine
	idles []float64     // idle share before each run
}

func newMachine(patience time.Duration) *machine { return &machine{left: patience} }

// quiet waits until the machine is idle enough, as long as there is patience
// left; how idle it was is part of the report.
func (m *machine) quiet() {
	look := quietLook
	for {
		idle := idleShare(look)
		if idle >= quietIdle || m.left <= 0 {
			m.idles = append(m.idles, idle)
			return
		}
		m.left -= look
	}
}

// idleShare is the idle share of all cores during d.
func idleShare(d time.Duration) float64 {
	idle, all := ticks()
	time.Sleep(d)
	idle2, all2 := ticks()
	if all2 == all {
		return 0
	}
	return float64(idle2-idle) / float64(all2-all)
}

func ticks() (idle, all int64) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	for i, f := range strings.Fields(string(line))[1:] {
		n, _ := strconv.ParseInt(f, 10, 64)
		if i < 8 { // guest time is in user time already
			all += n
		}
		if i == 3 || i == 4 { // idle and waiting for the disk
			idle += n
		}
	}
	return idle, all
}

func (m *machine) memory() string {
	raw, _ := os.ReadFile("/proc/meminfo")
	var kb int64
	fmt.Sscanf(string(raw), "MemTotal: %d kB", &kb)
	return fmt.Sprintf("%.0f GiB", float64(kb)/(1<<20))
}

// cpu is the time that the processes with these parents and all below them
// have used, in ticks of 10 ms.
func cpu(roots ...int) time.Duration {
	below, used := processes()
	var sum int64
	for len(roots) > 0 {
		pid := roots[0]
		roots = append(roots[1:], below[pid]...)
		sum += used[pid]
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

// children are the processes below each.
func children() map[int][]int {
	below, _ := processes()
	return below
}

// processes are all that run: those below each, and the ticks that it has used.
func processes() (below map[int][]int, used map[int]int64) {
	below, used = map[int][]int{}, map[int]int64{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		raw, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it ended
		}
		_, rest, ok := bytes.Cut(raw, []byte(") "))
		f := strings.Fields(string(rest))
		if !ok || len(f) < 13 {
			continue
		}
		parent, _ := strconv.Atoi(f[1])
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		below[parent] = append(below[parent], pid)
		used[pid] = user + system
	}
	return below, used
}
