package appliance

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/link"
	"hexad/sqlstore"
)

// peerLink is the link as engine/cluster uses it, and the join exchange with
// engine/cluster's decisions.
type peerLink struct {
	a *appliance

	mu    sync.Mutex
	token string // entered here for the next join
}

func (p *peerLink) Client(node string) (*http.Client, error) { return p.a.link.Client(node), nil }

// Probe connects to a listed address that is no member yet, as far as TCP:
// the other side says nothing before it knows this system.
func (p *peerLink) Probe(ctx context.Context, address string) error {
	addrs, err := p.a.resolver.Lookup(ctx, address)
	if err != nil {
		return err
	}
	own, _ := netip.ParseAddr(p.a.o.Address)
	var last error = engine.Errorf(engine.Unavailable, "%s has no address", address)
	for _, ip := range addrs {
		d := net.Dialer{}
		if own.IsValid() && own.Is4() == ip.Is4() {
			d.LocalAddr = &net.TCPAddr{IP: own.AsSlice()}
		}
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), strconv.Itoa(p.a.o.LinkPort)))
		if err == nil {
			return conn.Close()
		}
		last = err
	}
	return last
}

func (p *peerLink) DialDatabase(ctx context.Context, node string) (net.Conn, error) {
	timeout := 2 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	return p.a.link.Dial(node, timeout)
}

func (p *peerLink) Refresh() { p.a.link.Recheck() }

// Join asks the primary to admit this peer.
func (p *peerLink) Join(ctx context.Context, address string, ask cluster.JoinAsk) (cluster.Grant, error) {
	side, err := p.side(ask)
	if err != nil {
		return cluster.Grant{}, err
	}
	p.mu.Lock()
	token := p.token
	p.mu.Unlock()
	var primary link.JoinSide
	grant, err := p.a.link.Join(ctx, link.JoinRequest{
		Address: address, Port: p.a.o.LinkPort, Token: token, Side: side,
		Decide: func(_ context.Context, theirs link.JoinSide) error { return p.judge(side, theirs) },
		Pin: func(ctx context.Context, theirs link.JoinSide) error {
			primary = theirs
			return p.a.directory.pin(ctx, theirs.Address, theirs.Node, theirs.Fingerprint, "first contact")
		},
	})
	if link.RefusalOf(err) == link.RefusedThere {
		return cluster.Grant{}, &engine.Error{Code: engine.Denied, Err: err, Item: "Peers",
			Message: "the system at " + address + " does not know this system, or does not accept its certificate",
			Remedy: "see that the cluster was created there and that system restarted since, then add this system to its peer list and save; " +
				"in Enforcing mode both must trust each other's certificates"}
	}
	if err != nil {
		return cluster.Grant{}, err
	}
	if err := p.useToken(ctx, ""); err != nil {
		p.a.log.Warn("used join token not forgotten", "module", "cluster", "err", err)
	}
	return cluster.Grant{Cluster: grant.Cluster, Secret: grant.Secret, Generation: grant.Generation, Members: grant.Members, Primary: primary.Node}, nil
}

// useToken keeps the token for the next join, which comes after the restart;
// "" forgets it.
func (p *peerLink) useToken(ctx context.Context, token string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token = token
	return p.a.local.PutState(ctx, stateToken, token)
}

// open reads the token that was entered before the restart.
func (p *peerLink) open(ctx context.Context) (err error) {
	p.token, err = p.a.local.State(ctx, stateToken)
	return err
}

// side is what this peer says of itself in a first contact.
func (p *peerLink) side(ask cluster.JoinAsk) (link.JoinSide, error) {
	facts, err := json.Marshal(ask.Facts)
	if err != nil {
		return link.JoinSide{}, err
	}
	return link.JoinSide{
		Node: ask.Facts.Node, Release: ask.Facts.Release, Role: ask.Facts.Role, Page: ask.Page, SavedAge: ask.Age, Facts: facts,
		Address: ask.Facts.Address,
	}, nil
}

func (p *peerLink) mine() (link.JoinSide, error) {
	facts := p.a.cluster.Facts()
	return p.side(cluster.JoinAsk{Page: p.a.cluster.Running(), Age: time.Since(facts.SavedAt), Facts: facts})
}

// judge is the invariant part of a first contact, the same on both sides.
func (p *peerLink) judge(mine, theirs link.JoinSide) error {
	return link.FirstContact{Mine: mine, Theirs: theirs, Reopened: p.a.cluster.WindowOpen(), Same: p.a.cluster.SameAddress}.Judge()
}

// Decide judges a joiner, on the primary, before any key is pinned.
func (p *peerLink) Decide(ctx context.Context, asker link.JoinSide) (link.JoinSide, error) {
	mine, err := p.mine()
	if err != nil {
		return link.JoinSide{}, err
	}
	ctx, end := engine.WithStages(ctx)
	defer end()
	ask, err := joinAsk(asker)
	if err == nil {
		err = p.judge(mine, asker)
	}
	if err == nil {
		engine.Staged(ctx, "first contact", "admissible", "both pages list each other, or a join token or the window permits it")
		err = p.a.cluster.Judge(ctx, ask)
	}
	return mine, err
}

// Admit pins the joiner and makes it a member.
func (p *peerLink) Admit(ctx context.Context, asker link.JoinSide) (link.Grant, error) {
	ask, err := joinAsk(asker)
	if err != nil {
		return link.Grant{}, err
	}
	if err := p.a.directory.pin(ctx, asker.Address, asker.Node, asker.Fingerprint, "first contact"); err != nil {
		return link.Grant{}, err
	}
	g, err := p.a.cluster.Admit(ctx, ask)
	if err == nil {
		p.a.keys.admitted(ctx, ask)
	}
	return link.Grant{Cluster: g.Cluster, Secret: g.Secret, Generation: g.Generation, Members: g.Members}, err
}

func joinAsk(side link.JoinSide) (cluster.JoinAsk, error) {
	ask := cluster.JoinAsk{Page: side.Page, Age: side.SavedAge, Address: side.Address, RemoteIP: side.RemoteIP, Key: side.Fingerprint, Known: side.Pinned}
	if err := json.Unmarshal(side.Facts, &ask.Facts); err != nil {
		return ask, engine.Errorf(engine.Invalid, "the joining peer's facts were not understood: %w", err)
	}
	if ask.Facts.Node != side.Node || side.Node == "" {
		return ask, engine.Errorf(engine.Invalid, "the joining peer says two node ids")
	}
	return ask, nil
}

// adopt makes the grant this peer's identity and opens an empty copy of the
// cluster's database, which the leader fills. The copy that was here stays on disk.
func (a *appliance) adopt(ctx context.Context, g cluster.Grant) error {
	if err := a.store.Switch(ctx, g.Generation, sqlstore.Empty); err != nil {
		return err
	}
	if err := a.identity.adopt(ctx, g, a.store.Directory(g.Generation)); err != nil {
		return err
	}
	a.tracker.Republish()
	return nil
}

// reported passes on what the link learned of a contact.
func (a *appliance) reported(c link.Contact) {
	if c.Err == nil {
		return
	}
	if a.cluster == nil {
		return
	}
	if c.Purpose == link.PurposeJoin && c.Direction == link.Inbound && c.Address != "" {
		a.cluster.TurnedAway(c.Address, c.Err)
	}
	kind, ok := refusals[c.Refusal]
	if c.Refusal == link.Removed && c.Remote.Refusal != link.Removed {
		return // this system refuses the removed peer; it was not removed itself
	}
	if !ok {
		return
	}
	key := ""
	if c.Refusal == link.KeyChanged && c.Certificate.Fingerprint != "" {
		key = c.Certificate.Fingerprint
		a.offer(c.Address, key)
	}
	a.cluster.Refused(cluster.Refusal{
		Node: c.Node, Address: c.Address, Kind: kind, Reason: c.Refusal.Text().In(engine.English, nil), Key: key, Remote: c.Remote.Generation, Primary: c.Remote.Primary, At: c.At,
	})
}
