package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The wall clock of one peer is set by a build of its own: go build -overlay
// with one changed line in time.Now, which adds the seconds that a file holds.
// Monotonic time, and with it every timer, is untouched, as when somebody sets
// the clock of a machine. The clock of this machine is never set.
//
// Source: reference/faults.md 3.

const skewedNow = "sec, nsec, mono := runtimeNow()\n"

// skewSource is added to package time. It looks at the file that
// HEXAD_LAB_SKEW names at most every 50 ms.
const skewSource = `package time

import (
	"sync/atomic"
	"syscall"
)

var labSeconds, labLooked atomic.Int64

func labSkew() int64 {
	now, last := runtimeNano(), labLooked.Load()
	if now-last < 50_000_000 || !labLooked.CompareAndSwap(last, now) {
		return labSeconds.Load()
	}
	name, ok := syscall.Getenv("HEXAD_LAB_SKEW")
	if !ok {
		return 0
	}
	fd, err := open(name)
	if err != nil {
		return labSeconds.Load()
	}
	defer closefd(fd)
	var text [24]byte
	n, err := read(fd, text[:])
	if err != nil || n <= 0 {
		return labSeconds.Load()
	}
	var seconds, sign int64 = 0, 1
	for _, c := range text[:n] {
		switch {
		case c == '-':
			sign = -1
		case '0' <= c && c <= '9':
			seconds = seconds*10 + int64(c-'0')
		}
	}
	labSeconds.Store(sign * seconds)
	return sign * seconds
}
`

// Skewed is Hexad with a wall clock that can be set; see peer.setSkew. A
// program that was given is taken as it is: settable tells that.
func (r *Run) Skewed(ctx context.Context, tags ...string) (program string, settable bool, err error) {
	tags = append(append([]string(nil), r.Tags...), tags...)
	if r.builder.given != "" && len(tags) == 0 {
		return r.builder.given, false, nil
	}
	overlay, err := r.builder.skewOverlay(ctx)
	if err != nil {
		return "", false, err
	}
	program, err = r.builder.program(ctx, tags, overlay)
	return program, true, err
}

// skewOverlay writes the overlay and returns the file that names it.
func (b *builder) skewOverlay(context.Context) (string, error) {
	root, err := printed("go", "env", "GOROOT")
	if err != nil {
		return "", err
	}
	original := filepath.Join(root, "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	// The first of its places is time.Now; Since and Until stay monotonic.
	if !bytes.Contains(text, []byte("func Now() Time {\n\t"+skewedNow)) {
		return "", fmt.Errorf("%s: time.Now is not as expected", original)
	}
	text = bytes.Replace(text, []byte("func Now() Time {\n\t"+skewedNow), []byte("func Now() Time {\n\t"+skewedNow+"\tsec += labSkew()\n"), 1)
	changed, added := filepath.Join(b.dir, "time.go"), filepath.Join(b.dir, "labskew.go")
	list := filepath.Join(b.dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed, filepath.Join(root, "src", "time", "labskew.go"): added}})
	if err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{changed: text, added: []byte(skewSource), list: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return "", err
		}
	}
	return list, nil
}
