package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"hexad/engine"
	"hexad/ui/shell"
)

// form makes the peers one cluster: a cluster of one on peer 1, its restart,
// then the others. What an earlier run has done already is not done again.
//
// Source: reference 2.1 to 2.3.
func (l *lab) form(ctx context.Context) error {
	addresses := make([]string, len(l.peers))
	for i, p := range l.peers {
		addresses[i] = p.address
	}
	if err := l.each(l.peers, func(p *labPeer) error { return l.prepare(ctx, p) }); err != nil {
		return err
	}
	primary := l.peers[0]
	if err := l.found(ctx, primary); err != nil {
		return err
	}
	if len(l.peers) > 1 {
		if err := l.list(ctx, primary, addresses); err != nil {
			return err
		}
		if err := l.each(l.peers[1:], func(p *labPeer) error { return l.join(ctx, p, addresses) }); err != nil {
			return err
		}
	}
	view, err := primary.await(ctx, func(v engine.ClusterView) string { return unready(v, len(addresses), 0) })
	if err != nil {
		return err
	}
	return l.each(l.peers[1:], func(p *labPeer) error {
		_, err := p.await(ctx, func(v engine.ClusterView) string { return unready(v, len(addresses), view.Revision) })
		return err
	})
}

// each does something to several peers at once and returns the first failure.
func (l *lab) each(peers []*labPeer, do func(*labPeer) error) error {
	var wg sync.WaitGroup
	failures := make([]error, len(peers))
	for i, p := range peers {
		wg.Go(func() { failures[i] = do(p) })
	}
	wg.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// prepare waits until a peer answers and gives it what it needs before it can
// join: a name of its own, and H.323, without which peers cannot find each
// other's registrations.
func (l *lab) prepare(ctx context.Context, p *labPeer) error {
	view, err := p.await(ctx, func(engine.ClusterView) string { return "" })
	if err != nil {
		return err
	}
	l.say("peer %d: answers at %s", p.n, p.address)
	if len(view.Running.Peers) > 0 {
		return nil
	}
	if _, err := p.await(ctx, func(v engine.ClusterView) string {
		if v.Database != "Active" {
			return "its database is " + v.Database
		}
		return ""
	}); err != nil {
		return err
	}
	return p.lines(ctx,
		fmt.Sprintf(`xConfiguration SystemUnit Name: "lab%d"`, p.n),
		fmt.Sprintf(`xConfiguration IP DNS Hostname: "lab%d"`, p.n),
		`xConfiguration IP DNS Domain Name: "lab.example"`,
		`xConfiguration H323 Mode: On`)
}

// found makes the cluster of one, and restarts its peer.
func (l *lab) found(ctx context.Context, p *labPeer) error {
	view, err := p.view(ctx)
	if err != nil || len(view.Running.Peers) > 0 {
		return err
	}
	started := time.Now()
	if err := p.save(ctx, []string{p.address}); err != nil {
		return err
	}
	if err := p.restart(ctx); err != nil {
		return err
	}
	if _, err := p.await(ctx, func(v engine.ClusterView) string { return unready(v, 1, 0) }); err != nil {
		return err
	}
	l.say("peer %d: cluster of one, primary (%.1f s)", p.n, time.Since(started).Seconds())
	return nil
}

// list puts all addresses on the primary's page; that needs no restart.
func (l *lab) list(ctx context.Context, p *labPeer, addresses []string) error {
	view, err := p.view(ctx)
	if err != nil || slices.Equal(view.Entered.Peers, addresses) {
		return err
	}
	return p.save(ctx, addresses)
}

// join enters the whole page on a joining peer and restarts it.
func (l *lab) join(ctx context.Context, p *labPeer, addresses []string) error {
	started := time.Now()
	view, err := p.view(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(view.Running.Peers, addresses) {
		if err := p.save(ctx, addresses); err != nil {
			return err
		}
		if err := p.restart(ctx); err != nil {
			return err
		}
	}
	if _, err := p.await(ctx, func(v engine.ClusterView) string { return unready(v, len(addresses), 0) }); err != nil {
		return err
	}
	l.say("peer %d: joining … active (%.1f s)", p.n, time.Since(started).Seconds())
	return nil
}

// save saves the clustering page with the given addresses.
func (p *labPeer) save(ctx context.Context, addresses []string) error {
	args := map[string]string{"Name": labClusterName, "Primary": "1", "IPVersion": "IPv4", "TLSMode": "Permissive"}
	for i, a := range addresses {
		args["Peer"+strconv.Itoa(i+1)] = a
	}
	_, err := p.run(ctx, shell.Request{Call: &shell.Call{Name: "ClusterSave", Args: args}})
	return err
}

func (p *labPeer) restart(ctx context.Context) error {
	_, err := p.run(ctx, shell.Request{Call: &shell.Call{Name: "Restart"}})
	return err
}

// unready says what is missing until a peer runs with count peers, all of which
// it reaches, and has the configuration of revision (0: any).
func unready(v engine.ClusterView, count int, revision int64) string {
	switch {
	case len(v.Running.Peers) != count:
		return fmt.Sprintf("it runs with %d peers", len(v.Running.Peers))
	case v.Database != "Active":
		return "its database is " + v.Database
	case v.Revision < revision:
		return fmt.Sprintf("it has revision %d", v.Revision)
	case len(v.Restart) > 0:
		return "a restart is pending: " + v.Restart[0]
	}
	for _, p := range v.Peers {
		if p.State != engine.PeerActive && p.State != engine.ThisSystem {
			return fmt.Sprintf("peer %d is %s: %s", p.Index, p.State, p.Cause)
		}
		if p.Applied == 0 || p.LagMS > 0 {
			return fmt.Sprintf("peer %d has not replicated yet", p.Index)
		}
	}
	return ""
}
