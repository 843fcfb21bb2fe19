package procedure_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/procedure"
)

// town is a cluster in memory: what a runner sees and does of it on the fake clock.
type town struct {
	mu      sync.Mutex
	peers   map[string]*resident // by node
	primary string
	mode    engine.TLSMode
	rows    map[string]engine.Procedure
	deaf    bool               // cluster.db cannot be written
	stale   []engine.Procedure // what the copies show while they do not follow, nil while they do
	orders  []string
	refuse  func(node string, o engine.Order) error
	gate    func(kind, step, peer string) error
}

type resident struct {
	node, address string
	page          engine.Clustering
	running       engine.Clustering
	started       time.Time
	back          time.Time // until then it restarts
	gone          bool
	armed         bool
	kept          *engine.Procedure
}

// running is the runner of a peer, which carries out until the test ends.
func (v *town) running(t *testing.T, node string) *procedure.Runner {
	r := v.runner(node)
	go func() { _ = r.Run(t.Context()) }()
	return r
}

// row is what cluster.db has of a procedure.
func (v *town) row(id string) engine.Procedure {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rows[id]
}

// ordered are the orders that were given so far.
func (v *town) ordered() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.orders)
}

// change changes what the runners look at.
func (v *town) change(do func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	do()
}

// village is a cluster of so many peers at rest; 0 for a system alone.
func village(n int) *town {
	v := &town{peers: map[string]*resident{}, primary: "n1", mode: engine.Permissive, rows: map[string]engine.Procedure{}}
	page := engine.Clustering{Name: "c.example.com", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive}
	for i := range n {
		page.Peers = append(page.Peers, fmt.Sprintf("192.0.2.%d", i+1))
	}
	for i := range max(n, 1) {
		r := &resident{node: fmt.Sprintf("n%d", i+1), address: fmt.Sprintf("192.0.2.%d", i+1), started: time.Now()}
		if n > 0 {
			r.page = page
			r.running = r.page
		} else {
			r.page = engine.Clustering{IPVersion: "IPv4", TLSMode: engine.Permissive}
		}
		v.peers[r.node] = r
	}
	return v
}

// join is what an administrator of a new system does: it joins with the page of
// the primary. A machine that was lost comes back as another one.
func (v *town) join(address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if old := v.at(address); old != nil {
		if !old.gone {
			return
		}
		delete(v.peers, old.node)
	}
	r := &resident{node: "n" + address[len(address)-1:], address: address, started: time.Now(), page: v.peers[v.primary].page}
	r.running = r.page
	v.peers[r.node] = r
}

func (v *town) up(r *resident) bool { return !r.gone && !time.Now().Before(r.back) }

// seat is one peer's view of the town.
type seat struct {
	v    *town
	node string
}

func (s seat) own() *resident { return s.v.peers[s.node] }

func (s seat) View(context.Context) engine.ClusterView {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	own := s.own()
	out := engine.ClusterView{Node: s.node, Address: own.address, Entered: own.page, Running: own.running, Primary: s.v.primary, Database: "Active"}
	if p := s.v.peers[s.v.primary]; p != nil {
		out.PrimaryAddress, out.PrimaryHere = own.entryOf(p), s.v.primary == s.node
	}
	for i, a := range own.page.Peers {
		p := engine.PeerView{Index: i + 1, Address: a, State: engine.PeerFailed, Certificate: "Valid"}
		if r := s.v.at(a); r != nil && s.v.up(r) {
			p.State, p.Node = engine.PeerActive, r.node
		}
		out.Peers = append(out.Peers, p)
	}
	return out
}

// entryOf is how a peer's list calls another.
func (r *resident) entryOf(p *resident) string {
	for _, a := range r.page.Peers {
		if same(a, p.address) {
			return a
		}
	}
	return p.address
}

func (v *town) at(address string) *resident {
	for _, r := range v.peers {
		if same(r.address, address) {
			return r
		}
	}
	return nil
}

// same: 192.0.2.N is also called peerN.example.com.
func same(a, b string) bool {
	plain := func(s string) string {
		if n, ok := strings.CutPrefix(s, "peer"); ok {
			return "192.0.2." + strings.TrimSuffix(n, ".example.com")
		}
		return s
	}
	return plain(a) == plain(b)
}

func (s seat) Told() []engine.Told {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	var out []engine.Told
	for _, r := range s.v.peers {
		if len(r.running.Peers) == 0 && r.node != s.node || r.node != s.node && !slices.ContainsFunc(s.own().page.Peers, func(a string) bool { return same(a, r.address) }) {
			continue
		}
		t := engine.Told{Node: r.node, Address: s.own().entryOf(r), Here: r.node == s.node, Reachable: s.v.up(r), Facts: engine.Facts{
			Node: r.node, Entered: r.page, Running: r.running, Started: r.started, ResetArmed: r.armed, HostName: "peer" + r.node[1:], Domain: "example.com",
			Addresses: []string{r.address}, Store: engine.StoreFacts{State: "Active", Revision: 7}}}
		if !engine.SamePeers(r.page.Peers, r.running.Peers) || r.page.TLSMode != r.running.TLSMode {
			t.Facts.Restart = []string{"the page was changed"}
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b engine.Told) int { return strings.Compare(a.Node, b.Node) })
	return out
}

func (s seat) SameAddress(a, b string) bool { return same(a, b) }

func (s seat) Administer(_ context.Context, node string, o engine.Order) error {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	r := s.v.peers[node]
	if r == nil || !s.v.up(r) {
		return errors.New("no answer")
	}
	if s.v.refuse != nil {
		if err := s.v.refuse(node, o); err != nil {
			return err
		}
	}
	s.v.orders = append(s.v.orders, o.Do+" "+node)
	switch o.Do {
	case engine.OrderSave, engine.OrderForce:
		mode := r.page.TLSMode
		r.page = *o.Page
		if node != s.v.primary {
			r.page.TLSMode = mode
		} else if s.v.mode != r.page.TLSMode {
			s.v.mode = r.page.TLSMode
			for _, x := range s.v.peers {
				x.page.TLSMode = s.v.mode
			}
		}
		if own := r.page.PrimaryAddress(); own != "" && same(own, r.address) && len(r.running.Peers) > 0 {
			s.v.primary = node
		}
		if len(r.running.Peers) > 0 && r.running.Peers[max(0, slices.IndexFunc(r.running.Peers, func(a string) bool { return same(a, r.address) }))] == r.page.Peers[max(0, slices.IndexFunc(r.page.Peers, func(a string) bool { return same(a, r.address) }))] {
			r.running.Peers = r.page.Peers
		}
	case engine.OrderRestart:
		r.running = r.page
		r.back, r.started = time.Now().Add(3*time.Second), time.Now().Add(2*time.Second)
	case engine.OrderLeave:
		r.gone = true
	}
	return nil
}

func (s seat) Gate(_ context.Context, kind, step, peer string) ([]engine.Finding, error) {
	if s.v.gate != nil {
		return nil, s.v.gate(kind, step, peer)
	}
	return nil, nil
}

func (s seat) Explain(context.Context, string, string, string) {}

func (s seat) DigestList(context.Context, bool) ([]engine.DigestComparison, error) { return nil, nil }

func (s seat) Procedures(context.Context) ([]engine.Procedure, error) {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	if s.v.stale != nil {
		return slices.Clone(s.v.stale), nil
	}
	var out []engine.Procedure
	for _, p := range s.v.rows {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b engine.Procedure) int { return b.Started.Compare(a.Started) })
	return out, nil
}

func (s seat) PutProcedure(_ context.Context, p engine.Procedure) error {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	if s.v.deaf {
		return engine.Errorf(engine.Unavailable, "no leader")
	}
	for _, q := range s.v.rows {
		if q.ID == p.ID && q.Seq >= p.Seq || q.ID != p.ID && q.State.Open() && p.State.Open() {
			return engine.Errorf(engine.Conflict, "%s is as new", q.ID)
		}
	}
	s.v.rows[p.ID] = p
	return nil
}

func (s seat) Kept(context.Context) (*engine.Procedure, error) {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	return s.own().kept, nil
}

func (s seat) Keep(_ context.Context, p *engine.Procedure) error {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	s.own().kept = p
	return nil
}

// runner is a process of a peer.
func (v *town) runner(node string) *procedure.Runner {
	s := seat{v, node}
	return procedure.New(procedure.Options{Node: node, Address: func() string { return s.own().address }, Cluster: s, Records: s, Keeper: s,
		Alarms:  func(context.Context) ([]engine.RaisedAlarm, error) { return nil, nil },
		Resolve: func(_ context.Context, name string) ([]string, error) { return []string{plainOf(name)}, nil },
		Tell:    func(engine.Actor, string) {}, Log: slog.New(slog.DiscardHandler)})
}

func plainOf(name string) string {
	if n, ok := strings.CutPrefix(name, "peer"); ok {
		return "192.0.2." + strings.TrimSuffix(n, ".example.com")
	}
	return name
}

// pages are the pages of all who are there, for comparing.
func (v *town) pages() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for _, r := range v.peers {
		if !r.gone {
			out = append(out, fmt.Sprintf("%s: %v primary %d %s, running %v %s", r.node, r.page.Peers, r.page.Primary, r.page.TLSMode, r.running.Peers, r.running.TLSMode))
		}
	}
	slices.Sort(out)
	return strings.Join(append(out, "primary "+v.primary), "\n")
}

func begin(t *testing.T, r *procedure.Runner, kind string, args map[string]string) engine.Procedure {
	t.Helper()
	p, err := r.Start(t.Context(), engine.Actor{User: "admin"}, kind, args)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
