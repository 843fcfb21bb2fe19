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
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// rqlited is a group of stock servers.
type rqlited struct {
	list   []rqliteNode
	client *http.Client
}

type rqliteNode struct {
	web, group string   // addresses
	within     []string // the command that it runs in, if any
	args       []string
	dir, log   string
	cmd        *exec.Cmd
}

func startRqlited(ctx context.Context, o options, dir string, nodes int) (*rqlited, error) {
	var list []rqliteNode
	for range nodes {
		list = append(list, rqliteNode{web: freeAddress(), group: freeAddress()})
	}
	return startRqlitedAt(ctx, o, dir, list)
}

// startRqlitedAt starts a group whose nodes have the given addresses.
func startRqlitedAt(ctx context.Context, o options, dir string, list []rqliteNode) (*rqlited, error) {
	r := &rqlited{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers}}, list: list}
	for n := range list {
		node := &list[n]
		node.dir, node.log = filepath.Join(dir, fmt.Sprintf("node%d", n)), dir+".log"
		node.args = append(node.within, o.rqlited, "-node-id", fmt.Sprint(n), "-http-addr", node.web, "-raft-addr", node.group)
		if n > 0 {
			node.args = append(node.args, "-join", list[0].group)
		}
		node.args = append(node.args, node.dir)
		err := r.start(n)
		if err == nil {
			err = r.serving(ctx, n)
		}
		if err != nil {
			r.stop()
			return nil, err
		}
	}
	return r, r.execute(ctx, 0, []any{"CREATE TABLE kv (k TEXT PRIMARY KEY, v TEXT NOT NULL, n INTEGER NOT NULL)"})
}

func (r *rqlited) start(n int) (err error) {
	node := &r.list[n]
	node.cmd, err = child(node.log, node.args[0], node.args[1:]...)
	return err
}

// serving waits until node n says that it is ready.
func (r *rqlited) serving(ctx context.Context, n int) error {
	return awaitEvery(ctx, 5*time.Millisecond, 30*time.Second, func() error { return r.ready(r.list[n].web) })
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

func (r *rqlited) nodes() []int { return r.roots() }

func (r *rqlited) roots() []int {
	var out []int
	for _, n := range r.list {
		out = append(out, n.cmd.Process.Pid)
	}
	return out
}

func (r *rqlited) view(writer int) (view, error) {
	var files []string
	for _, n := range r.list {
		files = append(files, filepath.Join(n.dir, "db.sqlite"))
	}
	return openCopies(files, fmt.Sprintf("SELECT n FROM kv WHERE k = '%s'", key(writer)))
}

func key(writer int) string { return fmt.Sprintf("%032d", writer) }

func (r *rqlited) writer(n int) (func(context.Context) error, func(), error) {
	at, err := r.leader(context.Background())
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) error {
		now := time.Now().UnixNano() // greater at each save, whoever saved before
		return r.execute(ctx, at, []any{[]any{"INSERT OR REPLACE INTO kv (k, v, n) VALUES (?, ?, ?)", key(n), value(n, now, 256), now}})
	}, func() {}, nil
}

func (r *rqlited) execute(ctx context.Context, n int, statements []any) error {
	body, err := json.Marshal(statements)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.list[n].web+"/db/execute", bytes.NewReader(body))
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
	for _, n := range r.list {
		if n.cmd != nil {
			end(n.cmd)
		}
	}
}

func (r *rqlited) leader(ctx context.Context) (int, error) {
	for _, asked := range r.list {
		ctx, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+asked.web+"/nodes", nil)
		if err != nil {
			return 0, err
		}
		resp, err := r.client.Do(req)
		if err != nil {
			continue
		}
		var nodes map[string]struct{ Leader bool }
		err = json.NewDecoder(resp.Body).Decode(&nodes)
		resp.Body.Close()
		for id, n := range nodes {
			if err == nil && n.Leader {
				return strconv.Atoi(id)
			}
		}
	}
	return 0, errors.New("rqlited has no leader")
}

func (r *rqlited) kill(n int) (func() error, error) {
	cmd := r.list[n].cmd
	err := cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	return func() error { return r.start(n) }, err
}

func (r *rqlited) next(ctx context.Context, n int) (func() (time.Time, error), error) {
	return func() (time.Time, error) {
		return try(ctx, len(r.list), n, func(ctx context.Context, node int) error {
			return r.execute(ctx, node, []any{[]any{"INSERT OR REPLACE INTO kv (k, v, n) VALUES (?, ?, ?)", "next", "yes", time.Now().UnixNano()}})
		})
	}, nil
}

func (r *rqlited) whole(ctx context.Context) error {
	for n := range r.list {
		if err := r.serving(ctx, n); err != nil {
			return err
		}
	}
	return nil
}
