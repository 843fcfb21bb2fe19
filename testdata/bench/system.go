package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// system is a cluster under measurement.
type system interface {
	name() string
	roots() []int // pids of its processes; what they started belongs to them
	// files are the database files, the one of the node that takes saves first.
	files() []string
	// mark is a query on a file whose answer grows with each save of writer.
	mark(writer int) string
	// writer returns a function that saves once more as writer number n, and
	// one that releases it.
	writer(n int) (save func(context.Context) error, release func(), err error)
	stop()
}

// child starts a process that ends with this one.
func child(log string, name string, args ...string) (*exec.Cmd, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	return cmd, cmd.Start()
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		<-done
	}
}

// await asks again until ready says nothing.
func await(ctx context.Context, patience time.Duration, ready func() error) error {
	end := time.Now().Add(patience)
	for {
		err := ready()
		if err == nil || time.Now().After(end) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// writers is the most writers of a run: each has an item of its own.
const writers = 64

// value is 256 bytes that differ at each call; hexad takes 255.
func value(n int, seq int64, size int) string {
	s := fmt.Sprintf("writer%02d-%016d-", n, seq)
	return s + strings.Repeat("v", size-len(s))
}

// hexad is a lab: real "hexad serve" processes that one command forms.
type hexad struct {
	dir   string
	peers int
	cmd   *exec.Cmd
	paths []string
}

func startHexad(ctx context.Context, o options, dir string, peers int) (*hexad, error) {
	h := &hexad{dir: dir, peers: peers}
	log := filepath.Join(filepath.Dir(dir), filepath.Base(dir)+".log")
	var err error
	if h.cmd, err = child(log, o.hexad, "lab", "--peers", fmt.Sprint(peers), "--data-dir", dir); err != nil {
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

func (h *hexad) name() string    { return "hexad" }
func (h *hexad) roots() []int    { return []int{h.cmd.Process.Pid} }
func (h *hexad) files() []string { return h.paths }
func (h *hexad) mark(int) string { return "SELECT revision FROM agreed" }
func (h *hexad) stop()           { end(h.cmd) }

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

func (h *hexad) dial() (*socket, error) {
	conn, err := net.Dial("unix", filepath.Join(h.dir, "peer1", "admin.sock"))
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

// rqlited is a group of stock servers.
type rqlited struct {
	dirs   []string
	cmds   []*exec.Cmd
	http   []string
	client *http.Client
}

func startRqlited(ctx context.Context, o options, dir string, nodes int) (*rqlited, error) {
	r := &rqlited{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers}}}
	var first string
	for n := 1; n <= nodes; n++ {
		web, group := freeAddress(), freeAddress()
		d := filepath.Join(dir, fmt.Sprintf("node%d", n))
		args := []string{"-node-id", fmt.Sprint(n), "-http-addr", web, "-raft-addr", group}
		if n == 1 {
			first = group
		} else {
			args = append(args, "-join", first)
		}
		cmd, err := child(dir+".log", o.rqlited, append(args, d)...)
		if err != nil {
			r.stop()
			return nil, err
		}
		r.dirs, r.cmds, r.http = append(r.dirs, d), append(r.cmds, cmd), append(r.http, "http://"+web)
		if err := await(ctx, 30*time.Second, func() error { return r.ready(web) }); err != nil {
			r.stop()
			return nil, err
		}
	}
	return r, r.execute(ctx, []any{"CREATE TABLE kv (k TEXT PRIMARY KEY, v TEXT NOT NULL, n INTEGER NOT NULL)"})
}

func (r *rqlited) ready(web string) error {
	resp, err := r.client.Get("http://" + web + "/readyz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("rqlited at %s answers %s", web, resp.Status)
	}
	return nil
}

func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return ""
	}
	defer l.Close()
	return l.Addr().String()
}

func (r *rqlited) name() string { return "rqlited" }

func (r *rqlited) roots() []int {
	var out []int
	for _, c := range r.cmds {
		out = append(out, c.Process.Pid)
	}
	return out
}

func (r *rqlited) files() []string {
	var out []string
	for _, d := range r.dirs {
		out = append(out, filepath.Join(d, "db.sqlite"))
	}
	return out
}

func (r *rqlited) mark(writer int) string {
	return fmt.Sprintf("SELECT n FROM kv WHERE k = '%s'", key(writer))
}

func key(writer int) string { return fmt.Sprintf("%032d", writer) }

func (r *rqlited) writer(n int) (func(context.Context) error, func(), error) {
	return func(ctx context.Context) error {
		now := time.Now().UnixNano() // greater at each save, whoever saved before
		return r.execute(ctx, []any{[]any{"INSERT OR REPLACE INTO kv (k, v, n) VALUES (?, ?, ?)", key(n), value(n, now, 256), now}})
	}, func() {}, nil
}

func (r *rqlited) execute(ctx context.Context, statements []any) error {
	body, err := json.Marshal(statements)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.http[0]+"/db/execute", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || bytes.Contains(raw, []byte(`"error"`))) {
		err = fmt.Errorf("rqlited answers %s %s", resp.Status, raw)
	}
	return err
}

func (r *rqlited) stop() {
	for _, c := range r.cmds {
		end(c)
	}
}
