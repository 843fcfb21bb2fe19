package sqlstore

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"modernc.org/sqlite"
)

// maxNeedle bounds what is looked for: SQLite's own instr, replace and trim take
// time in the product of both lengths (seconds for 1 MiB in 0.5 MiB, measured),
// and no interruption reaches into a single call.
const maxNeedle = 4096

// boundFunctions replaces those on the connections of one driver.
func boundFunctions(d *sqlite.Driver) {
	register := func(name string, args int32, f func(args []string) (driver.Value, error)) {
		// The name is a constant and the driver is new: registering cannot fail.
		_ = d.RegisterDeterministicScalarFunction(name, args, func(_ *sqlite.FunctionContext, values []driver.Value) (driver.Value, error) {
			texts := make([]string, len(values))
			for i, v := range values {
				if v == nil {
					return nil, nil
				}
				texts[i] = textOf(v)
				if i == 1 && len(texts[i]) > maxNeedle {
					return nil, fmt.Errorf("the second argument of %s has more than %d bytes", name, maxNeedle)
				}
			}
			return f(texts)
		})
	}
	register("instr", 2, func(a []string) (driver.Value, error) {
		at := strings.Index(a[0], a[1])
		return int64(utf8.RuneCountInString(a[0][:max(at, 0)]) + min(at, 0) + 1), nil
	})
	register("replace", 3, func(a []string) (driver.Value, error) {
		if a[1] == "" {
			return a[0], nil
		}
		if grown := len(a[0]) + strings.Count(a[0], a[1])*(len(a[2])-len(a[1])); grown > diagnoseValue {
			return nil, fmt.Errorf("the result of replace has more than %d bytes", diagnoseValue)
		}
		return strings.ReplaceAll(a[0], a[1], a[2]), nil
	})
	for name, cut := range map[string]func(s, set string) string{"trim": strings.Trim, "ltrim": strings.TrimLeft, "rtrim": strings.TrimRight} {
		register(name, 1, func(a []string) (driver.Value, error) { return cut(a[0], " "), nil })
		register(name, 2, func(a []string) (driver.Value, error) { return cut(a[0], a[1]), nil })
	}
}

// textOf is a value as SQLite casts it to text.
func textOf(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		text := strconv.FormatFloat(v, 'g', 15, 64)
		if !strings.ContainsAny(text, ".eEIN") {
			text += ".0"
		}
		return text
	}
	return fmt.Sprint(v)
}

// watchMemory ends the context with errMemory when the process has grown by
// limit bytes since. SQLite keeps sorts and WITH tables of a statement in
// memory, so that no statement can fill the disk; this keeps it from filling
// the memory instead. Where /proc is missing it watches nothing.
func watchMemory(parent context.Context, limit int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	stop := func() { cancel(context.Canceled) }
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return ctx, stop
	}
	resident := func() int {
		buffer := make([]byte, 128)
		n, _ := f.ReadAt(buffer, 0)
		fields := bytes.Fields(buffer[:n])
		if len(fields) < 2 {
			return 0
		}
		pages, _ := strconv.Atoi(string(fields[1]))
		return pages * os.Getpagesize()
	}
	base := resident()
	go func() {
		defer f.Close()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if resident()-base > limit {
					cancel(errMemory)
					return
				}
			}
		}
	}()
	return ctx, stop
}
