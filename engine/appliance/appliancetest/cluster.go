package appliancetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
)

// ClusterName is the name of the clusters that Form makes.
const ClusterName = "cluster.example"

// Network makes count peers at 127.0.net.1 and up that have never run.
func Network(t testing.TB, net, count int, args ...string) []*Peer {
	t.Helper()
	var out []*Peer
	for n := 1; n <= count; n++ {
		out = append(out, New(t, n, fmt.Sprintf("127.0.%d.%d", net, n), args...))
	}
	return out
}

// Cluster is a formed cluster of count peers.
func Cluster(t testing.TB, net, count int, args ...string) []*Peer {
	t.Helper()
	peers := Network(t, net, count, args...)
	Form(t, peers)
	return peers
}

// Each does something for several peers at once.
func Each(peers []*Peer, do func(*Peer)) {
	var wg sync.WaitGroup
	for _, p := range peers {
		wg.Go(func() { do(p) })
	}
	wg.Wait()
}

// Addresses are those of the peers, in order.
func Addresses(peers []*Peer) []string {
	var out []string
	for _, p := range peers {
		out = append(out, p.Address)
	}
	return out
}

// Prepare gives a peer that has just started its names, and H.323.
func (p *Peer) Prepare() {
	p.T.Helper()
	p.Await("has its database", 10*time.Second, func() string {
		if d := p.View().Database; d != "Active" {
			return "database " + d
		}
		return ""
	})
	p.Exec(`xConfiguration IP DNS Hostname: "%s"`, p.Name)
	p.Exec(`xConfiguration IP DNS Domain Name: "example.com"`)
	p.Exec(`xConfiguration H323 Mode: On`)
}

// Page is the command that saves the whole page of these addresses.
func Page(addresses ...string) string {
	line := fmt.Sprintf(`xCommand ClusterSave Name: "%s" Primary: 1 IPVersion: IPv4 TLSMode: Permissive`, ClusterName)
	for i := range engine.MaxPeers {
		address := ""
		if i < len(addresses) {
			address = addresses[i]
		}
		line += fmt.Sprintf(` Peer%d: "%s"`, i+1, address)
	}
	return line
}

// Restart restarts the peer with a command and waits until the new process answers.
func (p *Peer) Restart() {
	p.T.Helper()
	before := p.Child()
	p.Exec("xCommand Restart")
	p.Await("restarts", 40*time.Second, func() string {
		if child := p.Child(); child == 0 || child == before {
			return "old process"
		}
		_, err := p.Try("xStatus SystemUnit")
		return why(err)
	})
}

// Form makes the peers a cluster by the procedures: a cluster of one on the
// first, its restart, then the others.
func Form(t testing.TB, peers []*Peer) {
	t.Helper()
	for _, p := range peers {
		p.Start()
	}
	for _, p := range peers {
		p.Await("answers", 40*time.Second, func() string {
			_, err := p.Try("xStatus SystemUnit")
			return why(err)
		})
		p.Prepare()
	}
	all := Addresses(peers)
	peers[0].Exec("%s", Page(all[0]))
	peers[0].Restart()
	Ready(t, peers[:1])
	if len(peers) > 1 {
		peers[0].Exec("%s", Page(all...))
		for _, p := range peers[1:] {
			p.Exec("%s", Page(all...))
			p.Restart()
		}
	}
	Ready(t, peers)
	for _, p := range peers {
		p.Calm(30 * time.Second)
	}
}

// Ready waits until every peer sees every peer and has all that the first has.
func Ready(t testing.TB, peers []*Peer) {
	t.Helper()
	for _, p := range peers {
		p.Await("is ready", 20*time.Second, func() string { return unready(p.View(), len(peers)) })
	}
	revision := peers[0].View().Revision
	for _, p := range peers {
		p.AwaitRevision(revision)
	}
}

// Meet waits until every peer reaches every peer, whatever waits for a restart.
func Meet(t testing.TB, peers []*Peer) {
	t.Helper()
	for _, p := range peers {
		p.Await("reaches all", 20*time.Second, func() string {
			v := p.View()
			v.Restart = nil
			return unready(v, len(peers))
		})
	}
}

// AwaitRevision waits until the peer has a revision.
func (p *Peer) AwaitRevision(revision int64) {
	p.T.Helper()
	p.Await("has the revision", 10*time.Second, func() string {
		if now := p.View().Revision; now < revision {
			return fmt.Sprintf("revision %d, want %d", now, revision)
		}
		return ""
	})
}

// Calm waits until nothing but the notice of the permissive mode is raised.
func (p *Peer) Calm(within time.Duration) {
	p.T.Helper()
	p.Await("is calm", within, func() string {
		if now := p.Alarms(); !calm(now) {
			return fmt.Sprintf("alarms are %v", now)
		}
		return ""
	})
}

func calm(alarms []int) bool {
	for _, id := range alarms {
		if id != 40049 {
			return false
		}
	}
	return true
}

func unready(v engine.ClusterView, count int) string {
	switch {
	case v.Node == "":
		return "does not answer"
	case len(v.Running.Peers) != count:
		return fmt.Sprintf("runs with %d peers", len(v.Running.Peers))
	case v.Database != "Active":
		return "database " + v.Database
	case len(v.Restart) > 0:
		return "restart pending: " + strings.Join(v.Restart, ", ")
	}
	voters := 0
	for _, p := range v.Peers {
		if p.Voter {
			voters++
		}
		if p.State != engine.PeerActive && p.State != engine.ThisSystem {
			return fmt.Sprintf("peer %d is %s: %s", p.Index, p.State, p.Cause)
		}
		if p.Node == "" || p.Applied == 0 {
			return fmt.Sprintf("peer %d has not replicated", p.Index)
		}
	}
	// While the group grows it has two voters for a moment, and needs both.
	if want := (count-1)/2*2 + 1; voters != want {
		return fmt.Sprintf("%d voters, want %d", voters, want)
	}
	return ""
}
