package simulation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/link"
)

// peerLink is the link of one process as engine/cluster uses it.
type peerLink struct{ p *process }

// hello is what a process says of itself to another.
func (p *process) hello(purpose link.Purpose) link.Hello {
	return link.Hello{
		Version: link.Version, Cluster: p.m.disk.identity.Cluster, Generation: p.m.disk.identity.Generation, Node: p.node,
		Primary: p.replica.dir.state.agreed.Primary, Release: release, Purpose: purpose,
	}
}

// meeting is one side's knowledge of a contact that was refused.
type meeting struct {
	at   *process
	note cluster.Refusal
}

// meet asks both fences whether two processes may talk. It is the one place
// where the model does what engine/link's gate does around its decision.
// w.mu is held; the meetings are told without it.
func (w *world) meet(a, b *process, purpose link.Purpose) ([]meeting, error) {
	known := func(at, of *process) (engine.Member, bool, bool) {
		m, member := at.targets[of.node]
		_, removed := at.m.disk.removed[of.node]
		return m, member, removed && !member
	}
	now := time.Now()
	tell := func(at, of *process, kind string, reason string) meeting {
		return meeting{at, cluster.Refusal{Node: of.node, Address: of.m.ip, Kind: kind, Reason: reason, Remote: of.m.disk.identity.Generation, Primary: of.replica.dir.state.agreed.Primary, At: now}}
	}
	_, member, removed := known(b, a)
	switch {
	case removed:
		return []meeting{tell(a, b, "removed", link.Removed.Text().EN)}, engine.Errorf(engine.Denied, "%s", link.Removed.Text().EN)
	case !member:
		return nil, engine.Errorf(engine.Denied, "%s", link.RefusedThere.Text().EN)
	}
	ha, hb := a.hello(purpose), b.hello(purpose)
	for _, err := range []error{link.Admits(hb, ha), link.Admits(ha, hb)} {
		if err == nil {
			continue
		}
		kind, ok := map[link.Refusal]string{link.OtherGeneration: "generation", link.OtherCluster: "cluster"}[link.RefusalOf(err)]
		if !ok {
			return nil, err
		}
		return []meeting{tell(b, a, kind, err.Error()), tell(a, b, kind, err.Error())}, err
	}
	return nil, nil
}

// connect is meet for whoever must not hold w.mu.
func (w *world) connect(a, b *process, purpose link.Purpose) error {
	w.mu.Lock()
	told, err := w.meet(a, b, purpose)
	w.mu.Unlock()
	for _, m := range told {
		m.at.cluster.Refused(m.note)
	}
	return err
}

// machineOf finds the machine that a member's address is of.
func (p *process) machineOf(node string) (*machine, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	m, ok := p.targets[node]
	if !ok {
		return nil, engine.Errorf(engine.NotFound, "node %.8s is no member", node)
	}
	return p.w.at(m.Address), nil
}

func (l peerLink) Client(node string) (*http.Client, error) {
	return &http.Client{Transport: transport{l.p, node, link.PurposePeer}}, nil
}

// transport carries requests between processes.
type transport struct {
	p       *process
	node    string
	purpose link.Purpose
}

type remoteKey struct{}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if !t.p.gate() {
		return nil, net.ErrClosed
	}
	to, err := t.p.machineOf(t.node)
	if err != nil {
		return nil, err
	}
	other, err := t.p.w.send(ctx, t.p, to, cluster.LinkPort)
	if err != nil {
		return nil, err
	}
	if other.node != t.node {
		return nil, engine.Errorf(engine.Denied, "%s", link.KeyChanged.Text().EN)
	}
	if err := t.p.w.connect(t.p, other, t.purpose); err != nil {
		return nil, err
	}
	var reply recorder
	handler := other.handler
	if t.purpose == link.PurposeRecover {
		handler = other.recover
	}
	handler.ServeHTTP(&reply, r.WithContext(context.WithValue(ctx, remoteKey{}, t.p)))
	if err := t.p.w.answer(ctx, other, t.p); err != nil {
		return nil, err
	}
	if reply.status == 0 {
		reply.status = http.StatusOK
	}
	return &http.Response{StatusCode: reply.status, Status: http.StatusText(reply.status), Body: io.NopCloser(&reply.body), Request: r}, nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	body   bytes.Buffer
	status int
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(status int)      { r.status = status }

func (l peerLink) Probe(ctx context.Context, address string) error {
	if !l.p.gate() {
		return net.ErrClosed
	}
	to := l.p.w.at(address)
	other, err := l.p.w.send(ctx, l.p, to, cluster.LinkPort)
	if err == nil && l.p.w.answer(ctx, other, l.p) != nil {
		err = dialError(to, cluster.LinkPort, os.ErrDeadlineExceeded)
	}
	return err
}

func (l peerLink) DialDatabase(ctx context.Context, node string) (net.Conn, error) {
	p, w := l.p, l.p.w
	if !p.gate() {
		return nil, net.ErrClosed
	}
	to, err := p.machineOf(node)
	if err != nil {
		return nil, err
	}
	other, err := w.send(ctx, p, to, cluster.DatabasePort)
	if err != nil {
		return nil, err
	}
	if w.answer(ctx, other, p) != nil {
		return nil, dialError(to, cluster.DatabasePort, os.ErrDeadlineExceeded)
	}
	if err := w.connect(p, other, link.PurposeRaft); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead || other.dead {
		return nil, net.ErrClosed
	}
	c := &idle{w: w, from: p, to: other, ended: make(chan struct{})}
	w.idles[c] = true
	return c, nil
}

// Refresh reads the members anew and drops who is gone.
func (l peerLink) Refresh() {
	targets := map[string]engine.Member{}
	for _, m := range l.p.cluster.Targets() {
		targets[m.Node] = m
	}
	l.p.w.mu.Lock()
	defer l.p.w.mu.Unlock()
	l.p.targets = targets
	l.p.w.changed()
	l.p.w.recheck()
}

// recheck ends the connections that the fence would not let come about now.
// w.mu is held.
func (w *world) recheck() {
	for c := range w.idles {
		if _, err := w.meet(c.from, c.to, link.PurposeRaft); err != nil {
			c.end(io.EOF)
		}
	}
}

// Join is the join exchange of engine/link with the decisions of both sides,
// as engine/appliance connects them.
func (l peerLink) Join(ctx context.Context, address string, ask cluster.JoinAsk) (cluster.Grant, error) {
	p, w := l.p, l.p.w
	if !p.gate() {
		return cluster.Grant{}, net.ErrClosed
	}
	other, err := w.send(ctx, p, w.at(address), cluster.LinkPort)
	if err != nil {
		return cluster.Grant{}, err
	}
	if listed, ok := other.cluster.Listed(p.m.addr()); !ok || listed != p.m.ip {
		return cluster.Grant{}, engine.Errorf(engine.Denied, "the system at %s does not know this system", address).With("Peers", "add it there")
	}
	grant, err := other.admitJoiner(ctx, p, ask)
	if err != nil {
		other.cluster.TurnedAway(p.m.ip, err)
		return cluster.Grant{}, err
	}
	if err := w.answer(ctx, other, p); err != nil {
		return cluster.Grant{}, err // a member already, and does not know: it asks again
	}
	return grant, nil
}

// side is what a process says of itself in a first contact, as the other sees it.
func (p *process) side(page engine.Clustering, age time.Duration) link.JoinSide {
	facts, _ := json.Marshal(p.cluster.Facts())
	return link.JoinSide{Node: p.node, Release: release, Role: engine.Core, Page: page, SavedAge: age, Facts: facts, Address: p.m.ip, RemoteIP: p.m.ip, Fingerprint: p.node}
}

func (p *process) admitJoiner(ctx context.Context, joiner *process, ask cluster.JoinAsk) (cluster.Grant, error) {
	facts := p.cluster.Facts()
	mine, theirs := p.side(p.cluster.Running(), time.Since(facts.SavedAt)), joiner.side(ask.Page, ask.Age)
	for _, c := range []link.FirstContact{
		{Mine: mine, Theirs: theirs, Reopened: p.cluster.WindowOpen(), Same: p.cluster.SameAddress},
		{Mine: theirs, Theirs: mine, Reopened: joiner.cluster.WindowOpen(), Same: joiner.cluster.SameAddress},
	} {
		if err := c.Judge(); err != nil {
			return cluster.Grant{}, err
		}
	}
	ask.Address, ask.RemoteIP, ask.Key = joiner.m.ip, joiner.m.ip, joiner.node
	if err := p.cluster.Judge(ctx, ask); err != nil {
		return cluster.Grant{}, err
	}
	if !p.gate() {
		return cluster.Grant{}, errors.New("the connection was closed by the peer")
	}
	g, err := p.cluster.Admit(ctx, ask)
	g.Primary, g.Members = p.node, slices.Clone(g.Members)
	return g, err
}
