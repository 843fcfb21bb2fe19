package appliancetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// Variant is a build of the program.
type Variant struct {
	Tags    string
	Release string // another release than the source's own
}

var builds struct {
	sync.Mutex
	dir  string
	done map[Variant]string
}

// Main runs the tests of a package and removes what was built for them.
func Main(m *testing.M) {
	code := m.Run()
	builds.Lock()
	defer builds.Unlock()
	_ = os.RemoveAll(builds.dir)
	os.Exit(code)
}

// Program is the path of the built program; each variant is built once.
func Program(t testing.TB, v Variant) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	if path := builds.done[v]; path != "" {
		return path
	}
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "hexad-test-")
		if err != nil {
			t.Fatal(err)
		}
		builds.dir, builds.done = dir, map[Variant]string{}
	}
	path := filepath.Join(builds.dir, "hexad-"+v.Tags+v.Release)
	args := []string{"build", "-o", path}
	if v.Tags != "" {
		args = append(args, "-tags", v.Tags)
	}
	if v.Release != "" {
		args = append(args, "-ldflags", "-X main.release="+v.Release)
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir, cmd.Env = Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	builds.done[v] = path
	return path
}

// Root is the top of the source.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}
