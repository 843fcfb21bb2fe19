package appliance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// TestStory is the document's story by hand: a cluster of one, peers added one
// at a time, TLS verification enforced, a peer cut off and back.
func TestStory(t *testing.T) {
	for i, count := range []int{2, 3} {
		t.Run(fmt.Sprintf("%d peers", count), func(t *testing.T) {
			t.Parallel()
			s := &story{t: t, peers: appliancetest.Network(t, 31+i, count)}
			s.create()
			for n := 2; n <= count; n++ {
				s.add(n)
			}
			s.replicates("branch")
			s.refuseEnforce()
			s.certify()
			s.name()
			s.enforce()
			s.cut()
			s.silence()
			s.losePrimary()
		})
	}
}

type story struct {
	t     *testing.T
	peers []*appliancetest.Peer
}

func (s *story) primary() *appliancetest.Peer { return s.peers[0] }

// create is "Creating a new cluster".
func (s *story) create() {
	p := s.primary().Up()
	p.Prepare()
	p.Exec("%s", appliancetest.Page(p.Address))
	p.AwaitAlarm(20007, true, time.Second)
	if v := p.View(); len(v.Peers) != 1 || v.Peers[0].State != engine.ThisSystem {
		s.t.Errorf("the page shows %+v", v.Peers)
	}
	p.Restart()
	appliancetest.Ready(s.t, s.peers[:1])
	p.AwaitAlarm(20007, false, 3*time.Second)
	p.Calm(time.Second)
}

// add is "Adding a peer": peer n joins those that are there.
func (s *story) add(n int) {
	all := appliancetest.Addresses(s.peers[:n])
	joiner := s.peers[n-1]
	s.primary().Exec("%s", appliancetest.Page(all...))
	s.state(s.primary(), n, engine.PeerUnknown, time.Second)
	s.state(s.primary(), n, engine.PeerFailed, 8*time.Second)
	for _, p := range s.peers[1 : n-1] {
		p.Exec("%s", appliancetest.Page(all...))
	}
	joiner.Up()
	joiner.Prepare()
	joiner.Exec(`xCommand ZoneAdd ZoneName: "before" Type: Neighbor`)
	joiner.Exec(`xConfiguration SystemUnit Name: "%s"`, joiner.Name)
	joiner.Exec("%s", appliancetest.Page(all...))
	joiner.AwaitAlarm(20004, true, time.Second) // cleared by the restart
	joiner.Restart()
	appliancetest.Ready(s.t, s.peers[:n])
	for _, p := range s.peers[:n] {
		p.Calm(8 * time.Second)
	}
	if got := joiner.Exec("xConfiguration Zones Zone"); strings.Contains(got, "before") {
		s.t.Errorf("the joiner kept a zone of its own:\n%s", got)
	}
	if got := joiner.Exec("xConfiguration SystemUnit Name"); !strings.Contains(got, joiner.Name) {
		s.t.Errorf("the joiner lost an item of its own: %s", got)
	}
}

func (s *story) state(p *appliancetest.Peer, index int, want engine.PeerState, within time.Duration) {
	s.t.Helper()
	p.Await(fmt.Sprintf("shows peer %d %s", index, want), within, func() string {
		v := p.View()
		if len(v.Peers) >= index && v.Peers[index-1].State == want {
			return ""
		}
		return fmt.Sprintf("%+v", v.Peers)
	})
}

func (s *story) replicates(zone string) {
	s.t.Helper()
	s.primary().Exec(`xCommand ZoneAdd ZoneName: "%s" Type: Neighbor`, zone)
	for _, p := range s.peers {
		p.Await("has the zone", 2*time.Second, func() string {
			if got := p.Exec("xConfiguration Zones Zone"); !strings.Contains(got, `"`+zone+`"`) {
				return "it has " + got
			}
			return ""
		})
	}
}

const enforce = "xCommand ClusterSave TLSMode: Enforcing"

// refuseEnforce: with certificates that nobody issued the mode is refused.
func (s *story) refuseEnforce() {
	if e := s.primary().Refused(enforce); len(e.Findings) == 0 {
		s.t.Errorf("refused without findings: %v", e)
	}
	if got := s.primary().View().Entered.TLSMode; got != engine.Permissive {
		s.t.Errorf("the refused mode was entered: %s", got)
	}
}

// certify gives every peer a certificate with its full name and a new key.
func (s *story) certify() {
	ca := appliancetest.NewAuthority(s.t)
	marks := len(s.primary().Log())
	for _, p := range s.peers {
		ca.Certify(p)
	}
	appliancetest.Ready(s.t, s.peers)
	s.replicates("certified")
	if raised, _ := s.primary().Counted(70021, marks); raised > 0 {
		s.t.Error("a key that was replaced by the rules raised the alarm of a changed key")
	}
}

// name is "Changing the cluster to use FQDNs", over the address mapping.
func (s *story) name() {
	for _, p := range s.peers {
		s.primary().Exec(`xCommand ClusterAddressMappingAdd Fqdn: "%s" IpAddress: "%s"`, p.FQDN(), p.Address)
	}
	s.primary().Exec("xConfiguration ClusterConfiguration AddressMapping Mode: On")
	list := appliancetest.Addresses(s.peers)
	revision := s.primary().View().Revision
	for i, changed := range s.peers {
		list[i] = changed.FQDN()
		for _, p := range s.peers {
			p.AwaitRevision(revision)
			p.Exec("%s", appliancetest.Page(list...))
		}
		changed.Restart()
		appliancetest.Ready(s.t, s.peers)
	}
	for _, p := range s.peers {
		p.Calm(8 * time.Second)
		if got := p.View().Running.Peers; !slices.Equal(got, list) {
			s.t.Errorf("%s runs with %v", p.Name, got)
		}
	}
}

// enforce is "Enforcing TLS verification".
func (s *story) enforce() {
	s.primary().Await("sees only valid certificates", 10*time.Second, func() string {
		for _, p := range s.primary().View().Peers {
			if p.Certificate != "Valid" || p.State == engine.PeerFailed {
				return fmt.Sprintf("%s: %s %s %s", p.Address, p.State, p.Certificate, p.Reason)
			}
		}
		return ""
	})
	marks := map[*appliancetest.Peer]int{}
	for _, p := range s.peers {
		marks[p] = len(p.Log())
	}
	s.primary().Exec(enforce)
	saved := time.Now()
	for _, p := range s.peers {
		for _, id := range []int{20007, 20020} {
			p.AwaitAlarm(id, true, time.Until(saved.Add(time.Second)))
		}
	}
	for i, p := range s.peers {
		s.modeLines(p, p.Log()[marks[p]:], i == 0)
	}
	for i, p := range s.peers { // the primary first, then one by one
		p.Restart()
		appliancetest.Meet(s.t, s.peers)
		if mode := p.View().Running.TLSMode; mode != engine.Enforcing {
			s.t.Errorf("%s runs %s", p.Name, mode)
		}
		for _, q := range s.peers[:i+1] {
			q.AwaitAlarm(20020, false, 5*time.Second)
			q.AwaitAlarm(20007, false, 5*time.Second)
		}
	}
	s.replicates("enforced")
	strangers(s.t, s.peers, engine.Enforcing)
	for _, p := range s.peers {
		p.Await("has no alarm at all", 8*time.Second, func() string {
			if now := p.Alarms(); len(now) > 0 {
				return fmt.Sprint(now)
			}
			return ""
		})
	}
}

// modeLines are the lines of the seed, in its order.
func (s *story) modeLines(p *appliancetest.Peer, log string, edited bool) {
	s.t.Helper()
	want := []string{
		`Event="System Configuration Changed" Node="clusterdb@` + p.Name + `.example.com"`,
		`Detail="Cluster configuration change detected"`,
		`Module="developer.management.databasemanager" Level="INFO" CodeLocation="databasemanager(405)" Detail="TLS Verify change status" Startup="False" New="True"`,
		`Detail="alternate peer changed info recieved"`,
		`Detail="xconfiguration alternatesConfiguration - Changed"`,
		`Detail="Raising alarm" UUID="e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6" Parameters="null"`,
		`Event="Alarm Raised" Id="20007" UUID="e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6" Severity="warning" Detail="Restart required: Cluster configuration has been changed, however a restart is required for this to take effect"`,
	}
	if edited {
		want = slices.Insert(want, 1, `Event="System Configuration Changed" Detail="configuration/cluster/tls_verify - changed from: 'Permissive' to: 'Enforcing'"`)
	}
	rest := log
	for _, part := range want {
		i := strings.Index(rest, part)
		if i < 0 {
			s.t.Errorf("%s: no line with %s after those before it in\n%s", p.Name, part, log)
			return
		}
		rest = rest[i+len(part):]
	}
	if !strings.Contains(log, `tls_verify - changed from: Permissive to: Enforcing"`) || strings.Contains(log, `Id="20012"`) {
		s.t.Errorf("%s: no line of the change in\n%s", p.Name, log)
	}
}

// fault breaks contact with one peer, looks at the alarms of the others and
// heals it.
type fault struct {
	peer    *appliancetest.Peer
	others  []*appliancetest.Peer
	within  time.Duration
	alarms  []int
	begin   func()
	end     func()
	present func(*appliancetest.Peer)
}

func (s *story) suffer(f fault) {
	s.t.Helper()
	marks := map[*appliancetest.Peer]int{}
	for _, p := range f.others {
		marks[p] = p.Mark(f.alarms...)
	}
	began := time.Now()
	f.begin()
	for _, p := range f.others {
		for _, id := range f.alarms {
			p.AwaitAlarm(id, true, max(time.Until(began.Add(f.within)), 100*time.Millisecond))
		}
		if f.present != nil {
			f.present(p)
		}
	}
	f.end()
	for _, p := range f.others {
		p.Await("has no alarm any more", 4*time.Second, func() string {
			if now := p.Alarms(); len(now) > 0 {
				return fmt.Sprint(now)
			}
			return ""
		})
	}
	for _, p := range f.others {
		for _, id := range f.alarms {
			p.Await(fmt.Sprintf("has raised and lowered alarm %d once", id), time.Second, func() string {
				if raised, lowered := p.Counted(id, marks[p]); raised != 1 || lowered != 1 {
					return fmt.Sprintf("%d times raised, %d times lowered", raised, lowered)
				}
				return "" // the lines are written a little later than the list
			})
		}
	}
}

// cut ends the last peer: its connections are reset.
func (s *story) cut() {
	last := s.peers[len(s.peers)-1]
	s.suffer(fault{
		peer: last, others: s.peers[:len(s.peers)-1], within: time.Second, alarms: []int{20004, 20006, 20021},
		begin: last.Kill, end: func() { last.Up() },
		present: func(p *appliancetest.Peer) {
			if d := p.Detail(20021); !strings.Contains(d, last.FQDN()) || !strings.Contains(d, "4371") {
				s.t.Errorf("20021 says %q", d)
			}
			if p == s.primary() {
				p.Exec(`xCommand ZoneAdd ZoneName: "while cut" Type: Neighbor`)
			}
		},
	})
	last.Calm(8 * time.Second)
	appliancetest.Ready(s.t, s.peers)
}

// silence pauses the last peer: its connections stay and nothing answers.
func (s *story) silence() {
	last := s.peers[len(s.peers)-1]
	s.suffer(fault{
		peer: last, others: s.peers[:len(s.peers)-1], within: 3 * time.Second, alarms: []int{20004, 20006},
		begin: last.Pause, end: last.Resume,
	})
	appliancetest.Ready(s.t, s.peers)
}

// losePrimary ends the primary: the others say so, refuse edits and name it.
func (s *story) losePrimary() {
	s.suffer(fault{
		peer: s.primary(), others: s.peers[1:], within: time.Second, alarms: []int{20004, 20006, 20016, 20021},
		begin: s.primary().Kill, end: func() { s.primary().Up() },
		present: func(p *appliancetest.Peer) {
			if e := p.Refused(`xCommand ZoneAdd ZoneName: "lost" Type: Neighbor`); !strings.Contains(e.Error(), s.primary().FQDN()) {
				s.t.Errorf("the refusal does not name the primary: %v", e)
			}
		},
	})
	appliancetest.Ready(s.t, s.peers)
	s.replicates("again")
}
