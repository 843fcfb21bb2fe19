package main

import (
	"errors"
	"testing"
	"time"
)

// TestRegisters: what the check of linearizability accepts and what it finds.
func TestRegisters(t *testing.T) {
	t.Parallel()
	lost := errors.New("no answer")
	type op struct {
		save   bool
		value  string
		answer error
	}
	for name, tt := range map[string]struct {
		ops    []op // one after the other
		made   map[string]int64
		broken bool
	}{
		"in order":                     {[]op{{true, "a", nil}, {false, "a", nil}, {true, "b", nil}, {false, "b", nil}}, map[string]int64{"a": 1, "b": 2}, false},
		"a stale read":                 {[]op{{true, "a", nil}, {true, "b", nil}, {false, "a", nil}}, map[string]int64{"a": 1, "b": 2}, true},
		"unknown and made":             {[]op{{true, "a", nil}, {true, "b", lost}, {false, "a", nil}, {false, "b", nil}}, map[string]int64{"a": 1, "b": 2}, false},
		"unknown and not made":         {[]op{{true, "a", nil}, {true, "b", lost}, {false, "b", nil}}, map[string]int64{"a": 1}, true},
		"unknown, made before another": {[]op{{true, "a", lost}, {true, "b", nil}, {false, "b", nil}, {false, "a", nil}}, map[string]int64{"a": 1, "b": 2}, true},
	} {
		l := newLinear()
		for i, o := range tt.ops {
			if o.save {
				l.write(i, 0, o.value, func() error { return o.answer })
				continue
			}
			l.read(i, 0, func() (string, error) { return o.value, o.answer })
		}
		_, broken, undecided := l.check(tt.made, time.Second)
		if (len(broken) > 0) != tt.broken || undecided > 0 {
			t.Errorf("%s: found %q, undecided %d; want found: %v", name, broken, undecided, tt.broken)
		}
	}
}
