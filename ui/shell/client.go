package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"hexad/engine"
)

// Client speaks to the socket of a data directory.
type Client struct {
	Dir string // data directory
}

// Do sends one request and returns its answer.
//
// Errors: Unavailable, when nobody answers; whether a change was made is
// unknown if the connection broke after the request was sent.
func (c Client) Do(ctx context.Context, request Request) (Response, error) {
	var response Response
	path, release, err := socketPath(c.Dir)
	if err != nil {
		return response, c.unreachable(err)
	}
	defer release()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return response, c.unreachable(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := json.NewEncoder(conn).Encode(request); err != nil && !brokenPipe(err) {
		return response, c.lost(err)
	}
	if err := json.NewDecoder(io.LimitReader(conn, MaxResponse)).Decode(&response); err != nil {
		return response, c.lost(err)
	}
	return response, nil
}

// brokenPipe tells that the server stopped reading, as it does after it
// refused: its answer can still be read.
func brokenPipe(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "write"
}

func (c Client) unreachable(err error) error {
	remedy := "start it with: hexad serve --data-dir " + c.Dir
	switch {
	case errors.Is(err, os.ErrPermission):
		remedy = "run this as root or as the user that hexad runs as"
	case errors.Is(err, os.ErrNotExist):
		remedy = fmt.Sprintf("is %s its data directory (--data-dir)? Otherwise start it with: hexad serve --data-dir %s", c.Dir, c.Dir)
	}
	return &engine.Error{Code: engine.Unavailable, Message: "hexad does not answer in " + c.Dir, Item: "data-dir", Remedy: remedy, Err: err}
}

func (c Client) lost(err error) error {
	return &engine.Error{Code: engine.Unavailable, Message: "hexad ended before it answered", Item: "data-dir",
		Remedy: "look at the result, or send the same again", Err: err}
}
