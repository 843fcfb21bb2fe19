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
// with one line more in time.Now, which adds the seconds that a file holds.
// Monotonic time, and with it every timer, is untouched, as when somebody sets
// the clock of a machine. The clock of this machine is never set.
//
// Source: reference/faults.md 3.

const skewedNow = "sec, nsec, mono := runtimeNow()\n"

// skewSource is added to package time. The file that HEXAD_LAB_SKEW names holds
// the seconds in 8 bytes, in this machine's order; it is mapped, since time.Now
// is called where nothing may be asked of the kernel.
const skewSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var labPage = labMap()

func labMap() *int64 {
	name, ok := syscall.Getenv("HEXAD_LAB_SKEW")
	if !ok {
		return new(int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("HEXAD_LAB_SKEW: " + err.Error())
	}
	defer syscall.Close(fd)
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("HEXAD_LAB_SKEW: " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}

func labSkew() int64 { return atomic.LoadInt64(labPage) }
`

// Skewed is Hexad with a wall clock that can be set; see peer.setSkew. Building
// it builds the whole library anew, which the cut has no time for, and a
// deliberate bug no need; and a program that was given is taken as it is.
// settable tells which it is.
func (r *Run) Skewed(ctx context.Context, tags ...string) (program string, settable bool, err error) {
	if r.Size == Cut || len(r.Tags) > 0 || r.builder.given != "" && len(tags) == 0 {
		program, err = r.Hexad(ctx, tags...)
		return program, false, err
	}
	overlay, err := r.builder.skewOverlay()
	if err != nil {
		return "", false, err
	}
	program, err = r.builder.program(ctx, tags, overlay)
	return program, true, err
}

// skewOverlay writes the overlay and returns the file that names it.
func (b *builder) skewOverlay() (string, error) {
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
	// Always the same files: what was built with them once is built already.
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "hexad-campaign")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	changed, added, list := filepath.Join(dir, "time.go"), filepath.Join(dir, "labskew.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed, filepath.Join(root, "src", "time", "labskew.go"): added}})
	if err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{changed: text, added: []byte(skewSource), list: replace} {
		if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, content) {
			continue
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return "", err
		}
	}
	return list, nil
}
