package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hexad/ui/command"
	"hexad/ui/shell"
)

// How long a tool follows what goes on while hexad restarts, and how often it looks.
const (
	followTime = 2 * time.Minute
	followPace = 100 * time.Millisecond
)

// follow prints how far is what an answer has begun, until it is over.
func (t *tool) follow(ctx context.Context, reply shell.Reply, w io.Writer) {
	var result command.Result
	if json.Unmarshal(reply.Result, &result) != nil || result.Following == "" {
		return
	}
	began := time.Now().Add(-time.Second) // it may have begun before the answer was here
	ctx, stop := context.WithTimeout(ctx, followTime)
	defer stop()
	tick := time.NewTicker(followPace)
	defer tick.Stop()
	last := ""
	for {
		text, _ := os.ReadFile(filepath.Join(t.dataDir, filepath.FromSlash(result.Following))) // not there yet
		for line := range strings.Lines(string(text)) {
			at, said, _ := strings.Cut(strings.TrimSpace(line), " ")
			if when, err := time.Parse(time.RFC3339Nano, at); err != nil || when.Before(began) || at <= last {
				continue
			}
			last = at
			fmt.Fprintln(w, said)
			if command.Ends(said) {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
