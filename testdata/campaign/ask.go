package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"hexad/engine"
	"hexad/ui/shell"
)

// admin is an administrator on admin.sock of one peer, with one connection
// that is made anew when it broke. The socket is no part of the network that
// the faults break. Not safe for concurrent use.
type admin struct {
	dir      string
	patience time.Duration // for one answer
	conn     net.Conn
	in       *json.Decoder
}

// administrator speaks to the peer; answers take at most patience.
func (p *peer) administrator(patience time.Duration) *admin {
	return &admin{dir: p.dir, patience: patience}
}

func (a *admin) close() {
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}

// ask sends one request and returns the last answer.
//
// Errors: *engine.Error when the peer refused; any other when nobody answered
// or the answer was lost, and what became of the request is unknown.
func (a *admin) ask(ctx context.Context, request shell.Request) (shell.Reply, error) {
	response, err := a.exchange(ctx, request)
	if err != nil {
		a.close()
		return shell.Reply{}, err
	}
	if len(response.Answers) == 0 {
		return shell.Reply{}, nil
	}
	last := response.Answers[len(response.Answers)-1]
	return last, last.Error.Err()
}

func (a *admin) exchange(ctx context.Context, request shell.Request) (shell.Response, error) {
	var response shell.Response
	if a.conn == nil {
		conn, err := (&net.Dialer{Timeout: a.patience}).DialContext(ctx, "unix", filepath.Join(a.dir, shell.SocketName))
		if err != nil {
			return response, err
		}
		a.conn, a.in = conn, json.NewDecoder(conn)
	}
	conn := a.conn
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	if err := a.conn.SetDeadline(time.Now().Add(a.patience)); err != nil {
		return response, err
	}
	if err := json.NewEncoder(a.conn).Encode(request); err != nil {
		return response, err
	}
	err := a.in.Decode(&response)
	return response, err
}

// run is one line of the shell; what it prints is returned.
func (a *admin) run(ctx context.Context, format string, args ...any) ([]string, error) {
	reply, err := a.ask(ctx, shell.Request{Lines: []string{fmt.Sprintf(format, args...)}})
	return reply.Lines, err
}

// call is a command with a body.
func (a *admin) call(ctx context.Context, name, body string, args map[string]string) (shell.Reply, error) {
	return a.ask(ctx, shell.Request{Call: &shell.Call{Name: name, Body: body, Args: args}, Via: "import"})
}

// status reads one part of xStatus as data.
func (a *admin) status(ctx context.Context, path string, into any) error {
	reply, err := a.ask(ctx, shell.Request{Call: &shell.Call{Name: "xStatus", Args: map[string]string{"Path": path}}})
	if err != nil {
		return err
	}
	return json.Unmarshal(reply.Result, &struct{ Data any }{into})
}

// view is the clustering page as the peer sees it.
func (a *admin) view(ctx context.Context) (engine.ClusterView, error) {
	var v engine.ClusterView
	err := a.status(ctx, "Cluster", &v)
	return v, err
}

// table is the answer to a question about a database.
type table struct {
	Columns   []string
	Rows      [][]any
	Truncated bool
}

// rows asks the peer's copy of the cluster's database, or its own.
func (a *admin) rows(ctx context.Context, database, statement string) (table, error) {
	reply, err := a.ask(ctx, shell.Request{Call: &shell.Call{Name: "SQL", Args: map[string]string{"Statement": statement, "Database": database}}})
	var answer struct{ Data table }
	if err == nil {
		err = json.Unmarshal(reply.Result, &answer)
	}
	return answer.Data, err
}
