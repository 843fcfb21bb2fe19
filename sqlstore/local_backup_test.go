package sqlstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
)

// TestLocalBackup: a copy has what a backup is of and nothing of the moment; it
// opens with its own key alone, and becomes a system outside any cluster.
func TestLocalBackup(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	open := func(dir string) (*sqlstore.Local, error) {
		return sqlstore.OpenLocal(ctx, sqlstore.LocalOptions{Dir: dir, Release: "1"})
	}
	from := t.TempDir()
	l, err := open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	page := engine.Clustering{Name: "c", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive, Peers: []string{"192.0.2.1", "192.0.2.2"}}
	_, saveErr := l.SaveItems(ctx, []engine.Change{{Path: "SystemUnit Name", Value: "hq"}, {Path: "SystemUnit Maintenance Mode", Value: "On"}}, engine.Actor{User: "admin"}, time.Now(), "")
	err = errors.Join(saveErr, l.PutState(ctx, "join token", "of this moment"), l.PutPin(ctx, sqlstore.Pin{Address: "192.0.2.2", Node: "n2", Fingerprint: "ab"}),
		l.PutPendingKey(ctx, sqlstore.PendingKey{Request: []byte("request"), PrivateKey: []byte("waiting key"), Made: time.Now()}),
		l.PutPage(ctx, sqlstore.Page{Entered: page, Running: page}))
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := l.BackupTo(ctx, filepath.Join(to, sqlstore.LocalFile)); err != nil {
		t.Fatal(err)
	}
	if err := l.BackupTo(ctx, filepath.Join(to, sqlstore.LocalFile)); err == nil {
		t.Error("it wrote over a file")
	}
	if state, err := l.State(ctx, "join token"); err != nil || state == "" {
		t.Errorf("the backup changed its source: %q %v", state, err)
	}
	put := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(to, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("hexad.id", []byte("a peer\n"))
	put(sqlstore.KeyFile, make([]byte, 32))
	if wrong, err := open(to); !errors.Is(err, sqlstore.ErrKey) {
		t.Errorf("with another key: %v %v", wrong, err)
	}
	key, err := os.ReadFile(filepath.Join(from, sqlstore.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	put(sqlstore.KeyFile, key)
	c, err := open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	state, stateErr := c.State(ctx, "join token")
	waits, waitsErr := c.PendingKey(ctx)
	if err := errors.Join(stateErr, waitsErr, c.Unsealed(ctx)); err != nil || state != "" || string(waits.PrivateKey) != "waiting key" {
		t.Errorf("state %q, waiting key %q, %v", state, waits.PrivateKey, err)
	}
	id, err := c.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	id.Node = sqlstore.NewNode()
	if err := c.Restore(ctx, sqlstore.Restored{Identity: id, Member: engine.Member{Node: id.Node, Address: "192.0.2.9"}}); err != nil {
		t.Fatal(err)
	}
	now, pageErr := c.Page(ctx)
	pins, pinsErr := c.Pins(ctx)
	members, membersErr := c.Members(ctx)
	items, itemsErr := c.Items(ctx)
	if err := errors.Join(pageErr, pinsErr, membersErr, itemsErr); err != nil {
		t.Fatal(err)
	}
	if len(now.Entered.Peers)+len(now.Running.Peers)+len(pins) != 0 || len(members) != 1 || members[0].Node != id.Node {
		t.Errorf("page %+v, pins %v, members %v", now, pins, members)
	}
	if items["SystemUnit Name"] != "hq" || items["SystemUnit Maintenance Mode"] != "Off" {
		t.Errorf("items are %v", items)
	}
	// A factory reset forgets the key that waits.
	if err := c.Reset(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if waits, err := c.PendingKey(ctx); err != nil || len(waits.PrivateKey) != 0 {
		t.Errorf("after a reset a key waits: %v", err)
	}
}
