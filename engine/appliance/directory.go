package appliance

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"hexad/engine"
	"hexad/engine/link"
	"hexad/sqlstore"
)

// States of a pin in local.db.
const (
	pinKept    = "pinned"
	pinRemoved = "removed" // of a member that was removed: told so, nothing else
)

// directory tells the link what this peer is and whom it knows.
type directory struct {
	a *appliance

	mu   sync.Mutex
	pins []sqlstore.Pin
}

func (d *directory) open(ctx context.Context) error {
	pins, err := d.a.local.Pins(ctx)
	d.mu.Lock()
	d.pins = pins
	d.mu.Unlock()
	return err
}

// Self is one consistent snapshot of this peer.
func (d *directory) Self() link.Self {
	id := d.a.identity.now()
	self := link.Self{
		Node: id.Node, Cluster: id.Cluster, Secret: id.Secret, Generation: id.Generation, Release: d.a.o.Release, Trust: d.a.trust(),
	}
	// The store asks for its network while it is being opened, so nothing here may wait for it.
	self.Applied = d.a.applied.Load()
	if d.a.cluster != nil {
		self.Mode = d.a.cluster.Running().TLSMode
		self.Primary = d.a.cluster.Agreed().Primary
	}
	return self
}

// Peers are the members to reach and to listen to, and those that were removed.
func (d *directory) Peers() []link.PeerAddress {
	ports := link.Ports{Peer: d.a.o.LinkPort, Raft: d.a.o.DatabasePort}
	var out []link.PeerAddress
	present := map[string]bool{}
	for _, m := range d.a.cluster.Targets() {
		present[m.Node] = true
		out = append(out, link.PeerAddress{Node: m.Node, Address: m.Address, Fingerprint: m.Fingerprint, Ports: ports})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.pins {
		if p.State == pinRemoved && !present[p.Node] {
			out = append(out, link.PeerAddress{Node: p.Node, Address: p.Address, Fingerprint: p.Fingerprint, Removed: true, Ports: ports})
		}
	}
	return out
}

// Listed is the entry of the running list that an address belongs to.
func (d *directory) Listed(ip netip.Addr) (string, bool) {
	return d.a.cluster.Listed(ip.Unmap())
}

// Identify asks the rule peer_identity.
func (d *directory) Identify(ctx context.Context, id link.Identity) (bool, string) {
	mapped, mappings := d.a.mappings()
	in := engine.IdentityInput{
		ConfiguredAddress: id.ConfiguredAddress, SourceIP: id.SourceIP, Names: id.Names, TLSMode: id.Mode, ChainOK: id.ChainErr == nil,
	}
	if len(id.Names) > 0 {
		in.SANs = id.Names
	}
	if mapped {
		in.Mapping = mappings
	}
	decision := d.a.policies.Identity(ctx, in)
	if !decision.Accept {
		return false, decision.Reason
	}
	return true, decision.Warning
}

// Resolve gives the addresses of a Peer N field.
func (d *directory) Resolve(ctx context.Context, address string) ([]netip.Addr, error) {
	return d.a.resolver.Lookup(ctx, address)
}

// pin keeps the key of a peer for the next start.
func (d *directory) pin(ctx context.Context, address, node, fingerprint, by string) error {
	return d.put(ctx, sqlstore.Pin{Address: address, Node: node, Fingerprint: fingerprint, State: pinKept, FirstSeen: time.Now().UTC(), AcceptedBy: by})
}

// departed remembers a member that was removed.
func (d *directory) departed(ctx context.Context, m engine.Member) {
	p := sqlstore.Pin{Address: m.Address, Node: m.Node, Fingerprint: m.Fingerprint, State: pinRemoved, FirstSeen: time.Now().UTC()}
	if err := d.put(ctx, p); err != nil {
		d.a.log.Warn("removed peer not remembered", "module", "cluster", "node", m.Node, "err", err)
	}
}

func (d *directory) put(ctx context.Context, p sqlstore.Pin) error {
	if err := d.a.local.PutPin(ctx, p); err != nil {
		return err
	}
	return d.open(ctx)
}
