//go:build failpoints

package fail

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Armable reports whether this build knows failpoints.
const Armable = true

// armed are the points of this process's environment, read once; the mutex
// covers what is left to count.
var armed = struct {
	read func() map[string]*action
	mu   sync.Mutex
}{read: sync.OnceValue(func() map[string]*action {
	actions, err := parse(os.Getenv(Env))
	if err != nil { // a point that never fires would pass every test
		fmt.Fprintln(os.Stderr, "hexad:", err)
		os.Exit(2)
	}
	return actions
})}

type action struct {
	do    string // kill, panic, sleep, error
	sleep time.Duration
	at    int // fires at this time only; 0: each time
	seen  int
}

// Point does what the environment has armed name with.
func Point(name string) error {
	a := armed.read()[name]
	if a == nil {
		return nil
	}
	armed.mu.Lock()
	a.seen++
	fires := a.at == 0 || a.at == a.seen
	armed.mu.Unlock()
	if !fires {
		return nil
	}
	fmt.Fprintf(os.Stderr, "failpoint %s: %s\n", name, a.do)
	switch a.do {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	case "panic":
		panic("failpoint " + name)
	case "sleep":
		time.Sleep(a.sleep)
		return nil
	}
	return fmt.Errorf("failpoint %s", name)
}

// parse reads "name=action[:duration][@n]", several separated by commas.
func parse(text string) (map[string]*action, error) {
	out := map[string]*action{}
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		name, do, ok := strings.Cut(strings.TrimSpace(one), "=")
		if !ok || !slices.Contains(Names, name) {
			return nil, fmt.Errorf("%s: there is no point %q", Env, name)
		}
		a := &action{}
		var err error
		do, count, counted := strings.Cut(do, "@")
		if counted {
			if a.at, err = strconv.Atoi(count); err != nil || a.at < 1 {
				return nil, fmt.Errorf("%s: %q is no number of times", Env, count)
			}
		}
		a.do, do, _ = strings.Cut(do, ":")
		switch a.do {
		case "kill", "panic", "error":
		case "sleep":
			if a.sleep, err = time.ParseDuration(do); err != nil {
				return nil, fmt.Errorf("%s: %w", Env, err)
			}
		default:
			return nil, fmt.Errorf("%s: %q is none of kill, panic, sleep, error", Env, a.do)
		}
		out[name] = a
	}
	return out, nil
}
