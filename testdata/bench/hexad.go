package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// hexad is a lab: real "hexad serve" processes that one command forms.
type hexad struct {
	dir   string
	peers int
	cmd   *exec.Cmd
	cmds  []*exec.Cmd // peers that were started one by one instead
	paths []string
	net   string // first three numbers of the addresses
}

func (h *hexad) address(n int) string { return fmt.Sprintf("%s.%d", h.net, n) }

func startHexad(ctx context.Context, o options, dir string, peers int) (*hexad, error) {
	h := &hexad{dir: dir, peers: peers, net: o.network}
	log := filepath.Join(filepath.Dir(dir), filepath.Base(dir)+".log")
	var err error
	if h.cmd, err = child(log, o.hexad, "lab", "--peers", fmt.Sprint(peers), "--data-dir", dir, "--network", o.network); err != nil {
		return nil, err
	}
	err = await(ctx, 60*time.Second, func() error {
		raw, _ := os.ReadFile(log)
		if bytes.Contains(raw, []byte("The cluster is up")) {
			return nil
		}
		return fmt.Errorf("the lab is not up:\n%s", raw)
	})
	if err == nil {
		err = h.prepare(ctx)
	}
	if err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

// prepare makes a zone for each writer and finds the database files: those of
// the cluster's generation, not what a peer had before it joined.
func (h *hexad) prepare(ctx context.Context) error {
	var lines []string
	for n := 1; n <= writers; n++ {
		lines = append(lines, fmt.Sprintf(`xConfiguration Zones Zone %d Name: "zone%d"`, n, n), fmt.Sprintf("xConfiguration Zones Zone %d Type: Neighbor", n))
	}
	c, err := h.dial()
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if err := c.do(map[string]any{"lines": lines}); err != nil {
		return err
	}
	primary, err := filepath.Glob(filepath.Join(h.dir, "peer1", "cluster", "*", "db.sqlite"))
	if err != nil || len(primary) != 1 {
		return fmt.Errorf("the primary has %d databases", len(primary))
	}
	generation := filepath.Base(filepath.Dir(primary[0]))
	for n := 1; n <= h.peers; n++ {
		h.paths = append(h.paths, filepath.Join(h.dir, fmt.Sprintf("peer%d", n), "cluster", generation, "db.sqlite"))
	}
	return nil
}

func (h *hexad) name() string           { return "hexad" }
func (h *hexad) roots() []int           { return []int{h.cmd.Process.Pid} }
func (h *hexad) nodes() []int           { return children()[h.cmd.Process.Pid] }
func (h *hexad) view(int) (view, error) { return openCopies(h.paths, "SELECT revision FROM agreed") }
func (h *hexad) stop()                  { end(h.cmd) }

func (h *hexad) writer(n int) (func(context.Context) error, func(), error) {
	c, err := h.dial()
	if err != nil {
		return nil, nil, err
	}
	return func(context.Context) error {
		line := fmt.Sprintf(`xConfiguration Zones Zone %d Neighbor SIP ProxyRequire Strip List: "%s"`, n+1, value(n, time.Now().UnixNano(), 255))
		return c.do(map[string]any{"lines": []string{line}})
	}, func() { c.conn.Close() }, nil
}

// socket is a connection to admin.sock: one request and one answer a line.
type socket struct {
	conn net.Conn
	in   *json.Decoder
}

func (h *hexad) dial() (*socket, error) { return h.dialPeer(1) }

func (h *hexad) dialPeer(n int) (*socket, error) {
	conn, err := net.Dial("unix", filepath.Join(h.dir, fmt.Sprintf("peer%d", n), "admin.sock"))
	if err != nil {
		return nil, err
	}
	return &socket{conn: conn, in: json.NewDecoder(conn)}, nil
}

func (c *socket) do(request any) error {
	if err := json.NewEncoder(c.conn).Encode(request); err != nil {
		return err
	}
	var answer struct {
		Answers []struct {
			Error *struct{ Message string }
		}
	}
	if err := c.in.Decode(&answer); err != nil {
		return err
	}
	for _, a := range answer.Answers {
		if a.Error != nil {
			return errors.New(a.Error.Message)
		}
	}
	return nil
}
