package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// page is what the bench reads of a peer's clustering page.
type page struct {
	Leader   string // address
	Database string
	Running  struct{ Peers []string }
	Peers    []struct {
		State   string
		Applied uint64 `json:"applied_index"`
		LagMS   int64  `json:"lag_ms"`
	}
}

func (h *hexad) page(n int) (page, error) {
	var answer struct {
		Answers []struct {
			Result struct{ Data page }
			Error  *struct{ Message string }
		}
	}
	c, err := h.dialPeer(n)
	if err != nil {
		return page{}, err
	}
	defer c.conn.Close()
	_ = c.conn.SetDeadline(time.Now().Add(2 * time.Second)) // a socket always takes one
	call := map[string]any{"call": map[string]any{"name": "xStatus", "args": map[string]string{"Path": "Cluster"}}}
	if err := errors.Join(json.NewEncoder(c.conn).Encode(call), c.in.Decode(&answer)); err != nil {
		return page{}, err
	}
	if len(answer.Answers) == 0 || answer.Answers[0].Error != nil {
		return page{}, fmt.Errorf("peer %d does not show its clustering page", n)
	}
	return answer.Answers[0].Result.Data, nil
}

func (h *hexad) leader(context.Context) (int, error) {
	for n := 1; n <= h.peers; n++ {
		if p, err := h.page(n); err == nil && p.Leader != "" {
			for at := 1; at <= h.peers; at++ {
				if h.address(at) == p.Leader {
					return at - 1, nil
				}
			}
		}
	}
	return 0, errors.New("hexad has no leader")
}

// kill ends the process of node n that does the work, and holds the one that
// would start it again at once: a machine that failed does not come back.
func (h *hexad) kill(n int) (func() error, error) {
	peer := filepath.Join(h.dir, fmt.Sprintf("peer%d", n+1))
	below := children()
	for _, parent := range below[h.cmd.Process.Pid] {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", parent))
		if !slices.ContainsFunc(bytes.Split(line, []byte{0}), func(arg []byte) bool { return string(arg) == peer }) {
			continue
		}
		if len(below[parent]) != 1 {
			return nil, fmt.Errorf("peer %d has %d processes below it", n+1, len(below[parent]))
		}
		err := errors.Join(syscall.Kill(parent, syscall.SIGSTOP), syscall.Kill(below[parent][0], syscall.SIGKILL))
		return func() error { return syscall.Kill(parent, syscall.SIGCONT) }, err
	}
	return nil, fmt.Errorf("peer %d has no process", n+1)
}

// next waits until the copy of any other peer changes: what is in a copy is
// committed. Of themselves the peers write the alarm of the lost one; a save is
// tried all the time as well, when the primary is not the one.
func (h *hexad) next(ctx context.Context, n int) (func() (time.Time, error), error) {
	paths := slices.Delete(slices.Clone(h.paths), n, n+1)
	c, err := openCopies(paths, "SELECT revision FROM agreed")
	if err != nil {
		return nil, err
	}
	return func() (time.Time, error) {
		defer c.close()
		if n != 0 {
			save, release, err := h.writer(0)
			if err != nil {
				return time.Time{}, err
			}
			defer release()
			go save(ctx) // its copy tells
		}
		return awaitAll(ctx, func() (missing int, err error) {
			for _, one := range c.list {
				if one.changed() {
					return 0, nil
				}
			}
			return 1, nil
		})
	}, nil
}

func (h *hexad) whole(ctx context.Context) error {
	return await(ctx, time.Minute, func() error {
		for n := 1; n <= h.peers; n++ {
			p, err := h.page(n)
			if err != nil {
				return err
			}
			if p.Leader == "" || p.Database != "Active" {
				return fmt.Errorf("peer %d has leader %q, database %s", n, p.Leader, p.Database)
			}
			for i, other := range p.Peers {
				if other.State != "Active" && other.State != "This system" {
					return fmt.Errorf("peer %d sees peer %d as %s", n, i+1, other.State)
				}
			}
		}
		return nil
	})
}
