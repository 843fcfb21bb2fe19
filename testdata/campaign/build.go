package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// source is the top of the product's source, from here.
const source = "../.."

// builder builds variants of the product, each once.
type builder struct {
	given string // a program that is there already, for the variant without tags
	dir   string

	mu   sync.Mutex
	done map[string]string
}

func newBuilder(given string) (*builder, error) {
	if _, err := os.Stat(filepath.Join(source, "go.mod")); err != nil {
		return nil, errors.New("run it from testdata/campaign, or with make campaign")
	}
	if given != "" {
		abs, err := filepath.Abs(given)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(abs); err != nil {
			return nil, err
		}
		given = abs
	}
	dir, err := os.MkdirTemp("", "hexad-campaign-build-")
	return &builder{given: given, dir: dir, done: map[string]string{}}, err
}

func (b *builder) clean() { _ = os.RemoveAll(b.dir) }

// program builds the product with tags and, when named, an overlay file of the
// go command, and returns its path.
func (b *builder) program(ctx context.Context, tags []string, overlay string) (string, error) {
	if len(tags) == 0 && overlay == "" && b.given != "" {
		return b.given, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	tags = slices.Compact(slices.Sorted(slices.Values(tags)))
	key := strings.Join(tags, ",") + " " + overlay
	if path := b.done[key]; path != "" {
		return path, nil
	}
	path := filepath.Join(b.dir, fmt.Sprintf("hexad-%d", len(b.done)))
	args := []string{"build", "-o", path, "-tags", strings.Join(tags, ",")}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	cmd.Dir, cmd.Env = source, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build -tags %q: %w\n%s", strings.Join(tags, ","), err, out)
	}
	b.done[key] = path
	return path, nil
}
