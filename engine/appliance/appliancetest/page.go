package appliancetest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/ui/shell"
)

// TryAt is Try for a change that was decided on the given revision.
func (p *Peer) TryAt(revision int64, line string) (shell.Reply, error) {
	return p.ask(shell.Request{Lines: []string{line}, Base: revision})
}

// Entry is this peer's view of the peer at an address, empty when it has none.
func (p *Peer) Entry(address string) engine.PeerView {
	for _, v := range p.View().Peers {
		if v.Address == address {
			return v
		}
	}
	return engine.PeerView{}
}

// AwaitCause waits until the entry of an address is Failed for a cause with all
// the parts.
func (p *Peer) AwaitCause(address string, within time.Duration, parts ...string) {
	p.T.Helper()
	p.Await("shows why "+address+" failed", within, func() string {
		v := p.Entry(address)
		for _, part := range parts {
			if v.State != engine.PeerFailed || !strings.Contains(v.Cause, part) {
				return fmt.Sprintf("%s: %q, want %q", v.State, v.Cause, part)
			}
		}
		return ""
	})
}

// Offline changes the local database of a peer that is stopped: what no
// administrator can do while it runs, such as letting an hour pass.
func Offline(t testing.TB, p *Peer, change func(context.Context, *sqlstore.Local) error) {
	t.Helper()
	ctx := context.Background()
	local, err := sqlstore.OpenLocal(ctx, sqlstore.LocalOptions{Dir: p.Dir, Logger: slog.New(slog.DiscardHandler), Release: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if err := change(ctx, local); err != nil {
		t.Fatal(err)
	}
}

// OfflinePage is Offline for the clustering page.
func OfflinePage(t testing.TB, p *Peer, change func(*sqlstore.Page)) {
	t.Helper()
	Offline(t, p, func(ctx context.Context, local *sqlstore.Local) error {
		page, err := local.Page(ctx)
		if err != nil {
			return err
		}
		change(&page)
		return local.PutPage(ctx, page)
	})
}

// Answers waits until the shell of a started peer answers.
func (p *Peer) Answers() {
	p.T.Helper()
	p.Await("answers", 40*time.Second, func() string {
		_, err := p.Try("xStatus SystemUnit")
		return why(err)
	})
}
