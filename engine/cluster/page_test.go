package cluster_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/event"
	"hexad/engine/policy"
	"hexad/policies"
)

// system is one peer whose stores are in memory and whose network is cut; the
// rules are the real ones.
type system struct {
	*cluster.Service
	page      cluster.Page
	agreed    engine.Agreed
	config    map[string]string
	identity  cluster.Identity
	events    []engine.Event
	image     bool
	noQuorum  bool
	unread    int64             // revisions that are carried out and not shown yet
	servers   *cluster.Servers  // the group, when it is not led by this system alone
	addresses map[string]string // names that resolve

	generations cluster.Generations // and what answers as a member of any generation, if it does

	lost   cluster.Lost // nil: forgotten with the run
	keys   []engine.Key // of this system
	raised []cluster.Condition
	peers  map[string]*other // that answer; nil: cut off

	site      []policy.Script // beside the built-in ones
	restarts  int
	notes     sync.Mutex // over what is noted below, and events
	decisions []policy.Decision
	after     map[string][]policy.Step // stages after the answer, by decision
}

func (s *system) Page(context.Context) (cluster.Page, error) { return s.page, nil }

func (s *system) PutPage(_ context.Context, p cluster.Page) error {
	s.page = p
	return nil
}

func (s *system) Agreed(context.Context) (engine.Agreed, error) { return s.agreed, nil }

func (s *system) SetPrimary(_ context.Context, from, to string) error {
	if s.noQuorum {
		return engine.Errorf(engine.Unavailable, "no leader")
	}
	if s.agreed.Primary != from {
		return engine.Errorf(engine.Conflict, "another change won")
	}
	s.agreed.Primary = to
	return nil
}

func (s *system) PutMember(_ context.Context, m engine.Member) error {
	s.agreed.Members = append(slices.Clone(s.agreed.Members), m)
	return nil
}

func (s *system) RenameMember(_ context.Context, node, address string) error {
	s.agreed.Members = slices.Clone(s.agreed.Members)
	for i := range s.agreed.Members {
		if s.agreed.Members[i].Node == node {
			s.agreed.Members[i].Address = address
		}
	}
	return nil
}

func (s *system) RemoveMember(_ context.Context, node string) error {
	if s.noQuorum {
		return engine.Errorf(engine.Unavailable, "no leader")
	}
	s.agreed.Members = slices.DeleteFunc(slices.Clone(s.agreed.Members), func(m engine.Member) bool { return m.Node == node })
	return nil
}

func (s *system) ApplyForwarded(context.Context, []byte) ([]byte, error) { return nil, nil }

func (s *system) Servers() cluster.Servers {
	if s.servers != nil {
		return *s.servers
	}
	return cluster.Servers{Leader: "n1", LeaderHere: true, Voters: []string{"n1"}, State: "Active"}
}

func (s *system) AddNonvoter(context.Context, string) error  { return nil }
func (s *system) RemoveServer(context.Context, string) error { return nil }
func (s *system) FollowerApplied(string, uint64)             {}

func (s *system) Reconcile(context.Context, []string, string, func(string) bool) (string, error) {
	return "", nil
}

func (s *system) Client(node string) (*http.Client, error) {
	if s.peers != nil {
		return &http.Client{Transport: s.peers[node]}, nil
	}
	return nil, engine.Errorf(engine.Unavailable, "cut off")
}

func (s *system) Probe(context.Context, string) error {
	return engine.Errorf(engine.Unavailable, "cut off")
}

func (s *system) Join(context.Context, string, cluster.JoinAsk) (cluster.Grant, error) {
	return cluster.Grant{}, engine.Errorf(engine.Unavailable, "cut off")
}

func (s *system) DialDatabase(ctx context.Context, node string) (net.Conn, error) {
	if s.peers != nil {
		return s.peers[node].dial(ctx)
	}
	return nil, engine.Errorf(engine.Unavailable, "cut off")
}

func (s *system) Refresh() {}

func (s *system) Get(path string) string { return s.config[path] }

func (s *system) Revision() int64 { return s.agreed.Revision - s.unread }

func (s *system) Neighbours() []engine.NeighbourRecord { return nil }

func (s *system) SetReplicated(_ context.Context, _ engine.Actor, changes []engine.Change) (engine.Saved, error) {
	for _, c := range changes {
		s.config[c.Path] = c.Value
	}
	return engine.Saved{Revision: 2}, nil
}

func (s *system) Lookup(_ context.Context, address string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(address); err == nil {
		return []netip.Addr{ip}, nil
	}
	if ip := s.addresses[address]; ip != "" {
		return []netip.Addr{netip.MustParseAddr(ip)}, nil
	}
	return nil, engine.Errorf(engine.NotFound, "%s does not resolve", address)
}

func (s *system) Match(ip netip.Addr, addresses []string) (string, bool) {
	for _, a := range addresses {
		if found, err := s.Lookup(context.Background(), a); err == nil && found[0] == ip {
			return a, true
		}
	}
	return "", false
}

func (s *system) Same(a, b string) bool {
	x, err := s.Lookup(context.Background(), a)
	y, other := s.Lookup(context.Background(), b)
	return strings.EqualFold(a, b) || err == nil && other == nil && x[0] == y[0]
}

func (s *system) Watch([]string) {}

// alarmsOf notes what is raised.
type alarmsOf struct{ s *system }

func (a alarmsOf) Reconcile(_ context.Context, _ string, list []cluster.Condition) {
	a.s.noted(func() { a.s.raised = list })
}

func (alarmsOf) Settle(context.Context, []int) {}

// standing are the raised alarms whose numbers begin with prefix.
func (s *system) standing(prefix string) (out []cluster.Condition) {
	s.noted(func() {
		for _, c := range s.raised {
			if strings.HasPrefix(strconv.Itoa(c.ID), prefix) {
				out = append(out, c)
			}
		}
	})
	return out
}

// noted notes what the loops of a running service tell, from their goroutines.
func (s *system) noted(note func()) {
	s.notes.Lock()
	defer s.notes.Unlock()
	note()
}

// start opens a system at 192.0.2.1 whose node id is n1.
func start(t testing.TB, change func(*system)) *system {
	t.Helper()
	own := engine.Clustering{Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive}
	s := &system{
		page: cluster.Page{Entered: own, Running: own}, image: true, addresses: map[string]string{},
		config:   map[string]string{cluster.ItemH323: "On", cluster.ItemTLS: "Permissive"},
		agreed:   engine.Agreed{Primary: "n1", Members: []engine.Member{{Node: "n1", Address: "192.0.2.1"}}},
		identity: cluster.Identity{Cluster: "c", Standalone: true},
	}
	if change != nil {
		change(s)
	}
	for _, b := range policies.Builtin() {
		s.site = append(s.site, policy.Script{Name: b.Name, Source: b.Source, Builtin: true})
	}
	s.after = map[string][]policy.Step{}
	rules, err := policy.New(policy.Options{Scripts: s.site, Logger: slog.New(slog.DiscardHandler),
		Record:      func(d policy.Decision) { s.noted(func() { s.decisions = append(s.decisions, d) }) },
		RecordAfter: func(id string, steps []policy.Step) { s.noted(func() { s.after[id] = append(s.after[id], steps...) }) }})
	if err != nil {
		t.Fatal(err)
	}
	s.Service = cluster.New(cluster.Options{
		Node: "n1", Release: "1.0.0", Pages: s, Store: s, Group: s, Link: s, Rules: rules, Config: s, Alarms: alarmsOf{s}, Names: s, Lost: s.lost,
		Emit: func(e engine.Event) { s.noted(func() { s.events = append(s.events, e) }) }, Log: slog.New(slog.DiscardHandler),
		Host: func() engine.Facts {
			return engine.Facts{Address: "192.0.2.1", Addresses: []string{"192.0.2.1"}, Role: engine.Core, Product: "expressway", Size: "medium", Keys: s.keys}
		},
		Remedy:      func(int) string { return "" },
		Adopt:       func(context.Context, cluster.Grant) error { return nil },
		Generations: s.generations, Recovery: func(string) *http.Client {
			answers, _ := s.generations.(http.RoundTripper)
			return &http.Client{Transport: answers}
		},
		Identity: func() cluster.Identity { return s.identity }, Restart: func(engine.Actor) { s.restarts++ }, ResetImage: func() bool { return s.image },
		KeepMembers: func(context.Context, string, []engine.Member) error { return nil }, Departed: func(context.Context, engine.Member) {},
		Lines: event.Lines{FQDN: func() string { return "peer1.example.com" }},
	})
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// clustered is a primary of three.
func clustered(s *system) {
	s.page.Entered = engine.Clustering{Name: "c.example.com", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive,
		Peers: []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}}
	s.page.Running = s.page.Entered
	s.identity.Standalone = false
	s.agreed.Members = []engine.Member{{Node: "n1", Address: "192.0.2.1"}, {Node: "n2", Address: "192.0.2.2"}, {Node: "n3", Address: "192.0.2.3"}}
}

func page(primary int, peers ...string) engine.Clustering {
	return engine.Clustering{Name: "c.example.com", Primary: primary, IPVersion: "IPv4", TLSMode: engine.Permissive, Peers: peers}
}

var admin = engine.Actor{User: "admin", Via: "web", Source: "198.51.100.7:5000"}

func TestSave(t *testing.T) {
	t.Parallel()
	three := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
	for _, test := range []struct {
		name    string
		before  func(*system)
		save    engine.Clustering
		code    engine.Code // of the refusal
		finding string      // that refuses it
		restart bool
		running []string // peers in effect after the save
	}{
		{name: "a cluster of one waits for the restart", save: page(1, "192.0.2.1"), restart: true},
		{name: "a cluster begins with its primary alone", save: page(1, three...), code: engine.Invalid, finding: "cluster.peers.one_first"},
		{name: "a joiner enters the whole list", save: page(1, "192.0.2.2", "192.0.2.1"), restart: true},
		{name: "without the own address", save: page(1, "192.0.2.2"), code: engine.Invalid, finding: "cluster.peers.own_missing"},
		{name: "a duplicate", before: clustered, save: page(1, "192.0.2.1", "192.0.2.2", "192.0.2.2"), code: engine.Invalid, finding: "cluster.peers.duplicate"},
		{name: "a gap", before: clustered, save: page(1, "192.0.2.1", "", "192.0.2.3"), code: engine.Invalid, finding: "cluster.peers.gap"},
		{name: "a seventh", before: clustered, save: page(1, append(slices.Clone(three), "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7")...), code: engine.Invalid},
		{name: "a primary that is not listed", before: clustered, save: page(4, three...), code: engine.Invalid, finding: "cluster.primary.outside"},
		{name: "another peer is added at once", before: clustered, save: page(1, append(slices.Clone(three), "192.0.2.4")...),
			running: append(slices.Clone(three), "192.0.2.4")},
		{name: "H.323 is off", before: func(s *system) { s.config[cluster.ItemH323] = "Off" }, save: page(1, "192.0.2.1", "192.0.2.2"),
			code: engine.Invalid, finding: "cluster.config.h323_mode_off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, test.before)
			old := s.page
			saved, err := s.Save(t.Context(), admin, test.save)
			if engine.CodeOf(err) != test.code {
				t.Fatalf("code %q (%v), want %q", engine.CodeOf(err), err, test.code)
			}
			if err != nil {
				if !s.page.Entered.Equal(old.Entered) {
					t.Errorf("a refused save changed the page to %+v", s.page.Entered)
				}
				if test.finding != "" && !slices.ContainsFunc(saved.Findings, func(f engine.Finding) bool { return f.ID == test.finding }) {
					t.Errorf("findings %+v, want %s", saved.Findings, test.finding)
				}
				return
			}
			if got := len(saved.Restart) > 0; got != test.restart {
				t.Errorf("restart %v, want %v", saved.Restart, test.restart)
			}
			if test.running != nil && !engine.SamePeers(s.Running().Peers, test.running) {
				t.Errorf("in effect %v, want %v", s.Running().Peers, test.running)
			}
		})
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	s := start(t, clustered)
	empty := s.page.Entered
	empty.Peers = nil
	saved, err := s.Save(t.Context(), admin, empty)
	if err != nil || saved.Reset == nil {
		t.Fatalf("an empty list arms a reset; got %+v, %v", saved.Reset, err)
	}
	if !slices.Contains(saved.Reset.Keep, "option_keys") || !engine.SamePeers(saved.Reset.From, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}) {
		t.Errorf("armed %+v", saved.Reset)
	}
	if len(s.Running().Peers) != 3 {
		t.Error("the cluster runs on until the restart")
	}
	other, err := s.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.3", "192.0.2.2"))
	if err != nil || other.Reset == nil {
		t.Errorf("another order keeps it armed; got %+v, %v", other.Reset, err)
	}
	back, err := s.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.2", "192.0.2.3"))
	if err != nil || back.Reset != nil || s.page.Reset != nil {
		t.Errorf("the same addresses in the same order disarm it; got %+v, %v", back.Reset, err)
	}
}

func TestPrimary(t *testing.T) {
	t.Parallel()
	subordinate := func(s *system) {
		clustered(s)
		s.page.Entered.Primary, s.page.Running.Primary, s.agreed.Primary = 2, 2, "n2"
	}
	t.Run("the own entry names this system", func(t *testing.T) {
		s := start(t, subordinate)
		if _, err := s.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.2", "192.0.2.3")); err != nil || s.agreed.Primary != "n1" {
			t.Errorf("agreed primary %s, %v", s.agreed.Primary, err)
		}
	})
	t.Run("without a group that can commit nothing changes", func(t *testing.T) {
		s := start(t, subordinate)
		s.noQuorum = true
		_, err := s.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.2", "192.0.2.3"))
		if engine.CodeOf(err) != engine.Unavailable || s.page.Entered.Primary != 2 {
			t.Errorf("got %v, page %+v", err, s.page.Entered)
		}
	})
	t.Run("the mode is changed on the primary", func(t *testing.T) {
		s := start(t, func(s *system) {
			subordinate(s)
			s.config[cluster.ItemTLS] = "Enforcing"
			s.page.Entered.TLSMode = engine.Enforcing
		})
		_, err := s.Save(t.Context(), admin, page(2, "192.0.2.1", "192.0.2.2", "192.0.2.3"))
		if engine.CodeOf(err) != engine.Denied {
			t.Errorf("got %v, want a refusal that names the primary", err)
		}
	})
}

func TestRemoval(t *testing.T) {
	t.Parallel()
	nodes := func(s *system) (out []string) {
		for _, m := range s.agreed.Members {
			out = append(out, m.Node)
		}
		return out
	}
	for _, test := range []struct {
		name  string
		peers []string
		want  []string
	}{
		{"taken off the list", []string{"192.0.2.1", "192.0.2.3"}, []string{"n1", "n3"}},
		{"renamed, resolving", []string{"192.0.2.1", "peer2.example.com", "192.0.2.3"}, []string{"n1", "n2", "n3"}},
		{"renamed, not resolving yet", []string{"192.0.2.1", "unknown.example.com", "192.0.2.3"}, []string{"n1", "n2", "n3"}},
		{"replaced", []string{"192.0.2.1", "192.0.2.9", "192.0.2.3"}, []string{"n1", "n3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(s *system) { clustered(s); s.addresses["peer2.example.com"] = "192.0.2.2" })
			if _, err := s.Save(t.Context(), admin, page(1, test.peers...)); err != nil {
				t.Fatal(err)
			}
			if got := nodes(s); !slices.Equal(got, test.want) {
				t.Errorf("members %v, want %v", got, test.want)
			}
		})
	}
}

// TestRemovalThatCouldNotBeCommitted is done after a restart too, once the
// group can commit; unless the peer is on the list again.
func TestRemovalThatCouldNotBeCommitted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		listed bool // put back before the restart
		want   int
	}{"off the list": {false, 2}, "put back": {true, 3}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := start(t, func(s *system) { clustered(s); s.noQuorum = true })
				saved, err := before.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.3"))
				if err != nil || len(saved.Findings) == 0 || len(before.agreed.Members) != 3 {
					t.Fatalf("saved %+v: %v", saved, err)
				}
				if test.listed {
					if _, err := before.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.3", "192.0.2.2")); err != nil {
						t.Fatal(err)
					}
				}
				s := start(t, func(s *system) { clustered(s); s.page = before.page })
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { _ = s.Run(ctx); close(ended) }()
				time.Sleep(time.Minute)
				stop()
				<-ended
				if len(s.agreed.Members) != test.want || len(s.page.Leaving) > 0 {
					t.Errorf("members %+v, leaving %+v", s.agreed.Members, s.page.Leaving)
				}
			})
		})
	}
}
