package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// Service is the clustering of one peer. Its methods are safe for concurrent use.
type Service struct {
	o      Options
	kick   chan struct{} // evaluate the rules and alarms now
	wake   chan struct{} // the set of peers changed
	leads  chan struct{} // this peer leads the group now
	born   time.Time     // whole beats after it the peers are called
	rejoin chan struct{} // the page that a join goes by changed
	// refusals tells that a member of another generation was met.
	refusals chan struct{}
	// lost are the peers that do not answer, by node; guarded by mu.
	lost map[string]engine.LostPeer

	saving turn // one save or admission at a time

	mu       sync.Mutex
	page     Page
	agreed   engine.Agreed
	peers    map[string]*peer // by lower-case address
	refused  map[string]Refusal
	shows    bool // what readers are shown is of no older revision than the copy was when it was level
	findings []engine.Finding
	differ   map[int]time.Time // since when pages differ, by alarm
	join     string            // why joining has not succeeded yet
	away     map[string]away   // by lower-case address
	window   time.Time
	capacity capacity
	// procedure is what was begun here last; undecided are steps that no rule
	// could answer for.
	procedure  *engine.ProcedureRecord
	undecided  map[string]undecided
	considered considered
	fenced     *engine.Fenced       // why a newer generation was not followed
	voteless   map[string]time.Time // members without a vote for now, by node id
	compared   map[string]compared  // the copies of the members with this one, by node id
	inDoubt    []string             // the tables in which this copy differs from the primary's, as that one says
	synced     time.Time
	introduced time.Time // when a member was last asked who the members are
	applied    progress
	said       said
	watchers   map[chan struct{}]bool
	contacts   map[string]context.CancelFunc
}

// Refusal is what the link learned when it or another peer refused a
// connection: who, and why.
type Refusal struct {
	Node    string
	Address string
	Kind    string // generation, cluster, secret, removed, key, certificate
	Reason  string
	Key     string // fingerprint that was shown, of kind key
	Remote  engine.Generation
	Primary string // node id that the other side takes for the primary
	At      time.Time
	First   time.Time // of those in a row; kept by the service
}

// New makes a Service. Open reads what it needs.
func New(o Options) *Service {
	if o.Beat == 0 {
		o.Beat = 500 * time.Millisecond
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Periodic == 0 {
		o.Periodic = time.Minute
	}
	return &Service{
		o: o, born: time.Now(), kick: make(chan struct{}, 1), wake: make(chan struct{}, 1), leads: make(chan struct{}, 1), rejoin: make(chan struct{}, 1), saving: make(turn, 1), refusals: make(chan struct{}, 1), voteless: map[string]time.Time{}, compared: map[string]compared{},
		peers: map[string]*peer{}, refused: map[string]Refusal{}, away: map[string]away{}, undecided: map[string]undecided{},
		watchers: map[chan struct{}]bool{}, contacts: map[string]context.CancelFunc{},
	}
}

// Open reads the clustering page, makes the entered values the running ones,
// and reads what the cluster agreed on.
func (s *Service) Open(ctx context.Context) error {
	page, err := s.o.Pages.Page(ctx)
	if err != nil {
		return fmt.Errorf("read the clustering page: %w", err)
	}
	if page.Reset == nil && !page.Running.Equal(page.Entered) {
		page.Running = page.Entered
		if err := s.o.Pages.PutPage(ctx, page); err != nil {
			return fmt.Errorf("keep the running clustering page: %w", err)
		}
	}
	s.mu.Lock()
	s.page = page
	s.mu.Unlock()
	s.loadLost(ctx)
	// A start does not wait for a DNS server that is away; who has answered by
	// then is known at once, the others as soon as they do.
	names, stop := context.WithCancel(ctx) // not a deadline: it says nothing of the servers
	defer stop()
	defer time.AfterFunc(openLookupTime, stop).Stop()
	s.watchNames(names)
	s.StoreChanged(ctx)
	return nil
}

// Run keeps contact with the peers, follows the group and keeps the alarms
// true until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, loop := range []func(context.Context){s.keepContacts, s.evaluate, s.followGroup, s.followGenerations, s.askReadmission, s.compareDigests, s.joinCluster, s.recordSynchronisation} {
		wg.Go(func() { loop(ctx) })
	}
	wg.Wait()
	return nil
}

// Running is the page that is in effect.
func (s *Service) Running() engine.Clustering {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page.Running
}

// Entered is the page as saved.
func (s *Service) Entered() engine.Clustering {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page.Entered
}

// Facts is what this peer says of itself.
func (s *Service) Facts() engine.Facts {
	f := s.o.Host()
	servers := s.o.Group.Servers()
	identity := s.o.Identity()
	index := s.indexOf(s.Running().Peers)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Node, f.Release = s.o.Node, s.o.Release
	f.Cluster, f.Generation = identity.Cluster, identity.Generation
	f.Entered, f.Running, f.SavedAt = s.page.Entered, s.page.Running, s.page.SavedAt
	if index > 0 {
		f.Address = s.page.Running.Peers[index-1]
	}
	f.H323 = strings.EqualFold(s.o.Config.Get(ItemH323), "On")
	f.Restart = s.restartReasonsLocked()
	f.ResetArmed = s.page.Reset != nil
	f.Procedure = s.procedure
	f.Lost = lostFacts(s.lost)
	f.Store = s.storeFactsLocked(servers)
	f.RTTs = map[string]float64{}
	for _, p := range s.peers {
		if snap := p.snapshot(); snap.node != "" && snap.rtt > 0 {
			f.RTTs[snap.node] = snap.rtt
		}
	}
	return f
}

// storeFacts is the state of this peer's copy of cluster.db.
func (s *Service) storeFacts(servers Servers) engine.StoreFacts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storeFactsLocked(servers)
}

func (s *Service) storeFactsLocked(servers Servers) engine.StoreFacts {
	return engine.StoreFacts{
		State: servers.State, Applied: servers.Applied, Revision: s.agreed.Revision, Leader: servers.Leader,
		Voter: slices.Contains(servers.Voters, s.o.Node), Synchronised: s.synced,
	}
}

// StoreChanged makes the service read anew what the cluster agreed on. It is
// called when the applied index moved.
func (s *Service) StoreChanged(ctx context.Context) {
	agreed, err := s.o.Store.Agreed(ctx)
	if err != nil {
		s.o.Log.Debug("agreed rows not read", "module", "cluster", "err", err)
		return
	}
	s.mu.Lock()
	// What was read before this peer joined another cluster is of no cluster
	// that it belongs to: its members would look as if they had left.
	if own := s.o.Identity().Cluster; agreed.Cluster != "" && own != "" && agreed.Cluster != own {
		s.mu.Unlock()
		return
	}
	former := s.agreed.Members
	// A copy without this peer is from before it joined: while it catches up,
	// the members of its grant are newer, and their keys may be others by now.
	if isMember(former, s.o.Node) && !isMember(agreed.Members, s.o.Node) {
		agreed.Members, agreed.Primary = former, s.agreed.Primary
	}
	membersChanged := !slices.Equal(former, agreed.Members)
	primaryChanged := s.agreed.Primary != agreed.Primary
	s.agreed = agreed
	s.applied.note(s.o.Group.Servers().Applied, time.Now())
	s.mu.Unlock()
	if membersChanged {
		s.followMembers(ctx, agreed.Cluster, former, agreed.Members)
	}
	if membersChanged || primaryChanged {
		signal(s.kick)
	}
	s.notify()
}

// followMembers keeps the list of the members and reaches those that are new.
func (s *Service) followMembers(ctx context.Context, cluster string, former, members []engine.Member) {
	if err := s.o.KeepMembers(ctx, cluster, members); err != nil {
		s.o.Log.Warn("copy of the members not kept", "module", "cluster", "err", err)
	}
	for _, m := range former {
		if !isMember(members, m.Node) {
			s.accepted(m.Node, m.Address) // whom nobody dials any more is not refused any more
			s.o.Departed(ctx, m)
		}
	}
	s.o.Link.Refresh()
	signal(s.wake)
}

func isMember(members []engine.Member, node string) bool {
	return slices.ContainsFunc(members, func(m engine.Member) bool { return m.Node == node })
}

// Agreed is what the cluster agreed on, as this peer's copy has it.
func (s *Service) Agreed() engine.Agreed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agreed
}

// Refused notes a refusal that the link met, on either side.
func (s *Service) Refused(r Refusal) {
	s.mu.Lock()
	before, known := s.refused[r.Node+r.Address]
	if r.First = r.At; known && before.Kind == r.Kind {
		r.First = before.First
	}
	if known || len(s.refused) < 4*engine.MaxPeers {
		s.refused[r.Node+r.Address] = r
	}
	s.mu.Unlock()
	if r.Kind == "generation" && (!known || before.Remote != r.Remote) {
		signal(s.refusals)
	}
	if !known || before.Remote != r.Remote || before.Primary != r.Primary {
		signal(s.kick)
	}
}

// accepted forgets the refusals of a node and of its address: a connection came
// about, or it is no member any more. Under that address may have been another
// node before, and the node may have joined under another address.
func (s *Service) accepted(node, address string) {
	s.mu.Lock()
	before := len(s.refused)
	maps.DeleteFunc(s.refused, func(_ string, r Refusal) bool {
		return r.Node != "" && r.Node == node || r.Address != "" && strings.EqualFold(r.Address, address)
	})
	after := len(s.refused)
	s.mu.Unlock()
	if before != after {
		signal(s.kick)
	}
}

// Watch returns a channel that ticks (coalesced) when the view may have changed.
func (s *Service) Watch(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[ch] = true
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, ch)
	})
	return ch
}

func (s *Service) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.watchers {
		signal(ch)
	}
}

// turn lets one in at a time. It is a channel and not a mutex: who is in waits
// for other peers, and a mutex is for what takes no time.
type turn chan struct{}

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

func (t turn) TryLock() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// signal wakes the receiver of ch once.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// peerAt is the peer of an entry, nil for this system and unknown addresses.
func (s *Service) peerAt(address string) *peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers[strings.ToLower(address)]
}

// peerOf is the peer of a member's node id, nil when it is not one.
func (s *Service) peerOf(node string) *peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		p.mu.Lock()
		match := p.node == node
		p.mu.Unlock()
		if match && node != "" {
			return p
		}
	}
	return nil
}

// reachable reports whether a member answers on the peer link.
func (s *Service) reachable(node string) bool {
	if node == s.o.Node {
		return true
	}
	p := s.peerOf(node)
	return p != nil && p.state() == engine.PeerActive
}
