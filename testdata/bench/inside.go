package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// insidePart measures saves as hexad's own parts make them: three databases and
// one configuration service in one process, connected by loopback TCP without
// TLS, no shell, no rules, no audit and no log. It is BenchmarkSave of
// engine/appliance; allocations are counted there, too.
func (b *run) insidePart(ctx context.Context) error {
	program := filepath.Join(b.dir, "inside.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./engine/appliance")
	build.Dir = filepath.Join("..", "..")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("the benchmark was not built: %w\n%s", err, text)
	}
	for range b.o.runs {
		b.machine.quiet()
		cmd := exec.CommandContext(ctx, program, "-test.run", "^$", "-test.bench", "^BenchmarkSave$", "-test.benchtime", b.o.seconds.String(), "-test.benchmem")
		cmd.Dir = b.dir
		text, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, text)
		}
		for line := range strings.Lines(string(text)) {
			b.inside(line)
		}
	}
	return nil
}

var insideName = regexp.MustCompile(`^BenchmarkSave/(\d+)_writers\S*\s`)

// inside takes the values out of a line of the benchmark.
func (b *run) inside(line string) {
	m := insideName.FindStringSubmatch(line)
	if m == nil {
		return
	}
	f := strings.Fields(line)
	for i := 2; i+1 < len(f); i += 2 {
		value, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			continue
		}
		at := "inside one process, " + m[1] + " writers, "
		switch f[i+1] {
		case "saves/s":
			b.add(at+"saves a second", "/s", false, "hexad", value)
		case "ms-p50":
			b.add(at+"p50", "ms", true, "hexad", value)
		case "ms-p99":
			b.add(at+"p99", "ms", true, "hexad", value)
		case "ms-cpu/save":
			b.add(at+"CPU of all three a save", "ms", true, "hexad", value)
		case "allocs/op":
			b.add(at+"allocations of all three a save", "", true, "hexad", value)
		}
	}
}
