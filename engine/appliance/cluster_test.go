package appliance_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// TestCluster goes through what a formed cluster of three has to stand.
func TestCluster(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 36, 3)
	t.Run("import", func(t *testing.T) { imports(t, peers) })
	t.Run("strangers", func(t *testing.T) { strangers(t, peers, engine.Permissive) })
	t.Run("faults while saving", func(t *testing.T) { faultsWhileSaving(t, peers) })
	t.Run("change of primary", func(t *testing.T) { changeOfPrimary(t, peers) })
	t.Run("restart of all", func(t *testing.T) { restartOfAll(t, peers) })
	t.Run("most are gone", func(t *testing.T) { mostAreGone(t, peers) })
}

// items are all replicated items of a peer's copy.
func items(t *testing.T, p *appliancetest.Peer) string {
	t.Helper()
	return run(t, "sql", "--data-dir", p.Dir, "SELECT * FROM diag_item ORDER BY 1, 2, 3")
}

// imports applies dumps on the primary; every item is then equal everywhere.
func imports(t *testing.T, peers []*appliancetest.Peer) {
	for _, dump := range []struct {
		path  string
		least int
		wrong bool // it has wrong lines on purpose
	}{
		{"../shared/testdata/vcs-x7.2.1-xconfiguration.txt", 200, false},
		{"testdata/config/sample-xconfiguration.txt", 20, true},
	} {
		t.Run(filepath.Base(dump.path), func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(appliancetest.Root(), dump.path))
			if errors.Is(err, os.ErrNotExist) && strings.HasPrefix(dump.path, "../") {
				t.Skipf("%s is not part of the source", dump.path)
			}
			if err != nil {
				t.Fatal(err)
			}
			reply, err := peers[0].Call("Import", string(body), map[string]string{})
			if err != nil {
				t.Fatal(err)
			}
			var answer struct {
				Data struct{ Applied, Unknown, Invalid int }
			}
			if err := json.Unmarshal(reply.Result, &answer); err != nil {
				t.Fatal(err)
			}
			if answer.Data.Applied < dump.least || (answer.Data.Unknown+answer.Data.Invalid > 0) != dump.wrong {
				t.Errorf("%+v, want at least %d applied\n%s", answer.Data, dump.least, strings.Join(reply.Lines, "\n"))
			}
			revision := peers[0].View().Revision
			want := items(t, peers[0])
			for _, p := range peers[1:] {
				p.AwaitRevision(revision)
				if got := items(t, p); got != want {
					t.Errorf("%s has other items than the primary:\n%s\nwant\n%s", p.Name, got, want)
				}
			}
		})
	}
}

// strangers get nothing from either port: no certificate, one that nobody
// knows, one that has ended, a member's names with another key.
func strangers(t testing.TB, peers []*appliancetest.Peer, mode engine.TLSMode) {
	if got := peers[0].View().Running.TLSMode; got != mode {
		t.Fatalf("the cluster runs %s, want %s", got, mode)
	}
	foreign := appliancetest.NewAuthority(t)
	certificates := map[string][]tls.Certificate{
		"none":    nil,
		"foreign": {foreign.Pair("stranger.example.com", time.Now().Add(time.Hour))},
		"expired": {foreign.Pair(peers[1].Address, time.Now().Add(-time.Minute))},
		"swapped": {foreign.Pair(peers[1].Address, time.Now().Add(time.Hour))},
	}
	from := map[string]string{"a listed address": peers[1].Address, "another address": "127.0.99.99"}
	var wg sync.WaitGroup
	for name, certificate := range certificates {
		for place, ip := range from {
			for port, protocols := range map[int][]string{4371: {"hexad-peer/1", "h2"}, 4372: {"hexad-raft/1", ""}} {
				for _, protocol := range protocols {
					wg.Go(func() {
						if n, err := knock(ip, fmt.Sprintf("%s:%d", peers[0].Address, port), protocol, certificate); n > 0 || err == nil {
							t.Errorf("certificate %s from %s on %d (%q): %d bytes, %v", name, place, port, protocol, n, err)
						}
					})
				}
			}
		}
	}
	wg.Wait()
	appliancetest.Ready(t, peers)
}

// knock opens a TLS connection, says something and returns how much is answered.
func knock(ip, to, protocol string, certificate []tls.Certificate) (int, error) {
	dialer := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	config := &tls.Config{InsecureSkipVerify: true, Certificates: certificate}
	if protocol != "" {
		config.NextProtos = []string{protocol}
	}
	conn, err := tls.DialWithDialer(dialer, "tcp", to, config)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{}\n"); err != nil {
		return 0, err
	}
	n, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return n, nil // the other side holds the connection
	}
	return n, err
}

// saver saves zones one after the other until it is told to stop, and
// remembers which were acknowledged.
type saver struct {
	stop  atomic.Bool
	acked []string
	done  chan struct{}
}

func save(p *appliancetest.Peer, prefix string) *saver {
	s := &saver{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for n := 0; !s.stop.Load(); n++ {
			name := fmt.Sprintf("%s%d", prefix, n)
			if _, err := p.Try(`xCommand ZoneAdd ZoneName: "` + name + `" Type: Neighbor`); err == nil {
				s.acked = append(s.acked, name)
			}
		}
	}()
	return s
}

// end stops saving and looks for everything acknowledged on every peer.
func (s *saver) end(t *testing.T, peers []*appliancetest.Peer) {
	t.Helper()
	s.stop.Store(true)
	<-s.done
	appliancetest.Ready(t, peers)
	want := items(t, peers[0])
	for _, p := range peers {
		got := zones(p)
		for _, name := range s.acked {
			if !strings.Contains(got, name) {
				t.Errorf("%s lost the acknowledged zone %s", p.Name, name)
			}
		}
		if got := items(t, p); got != want {
			t.Errorf("%s has other items than the primary", p.Name)
		}
	}
	t.Logf("%d saves were acknowledged", len(s.acked))
}

// faultsWhileSaving kills, pauses and restarts each peer in turn.
func faultsWhileSaving(t *testing.T, peers []*appliancetest.Peer) {
	for i, p := range peers {
		s := save(peers[0], fmt.Sprintf("f%d-", i))
		others := append(append([]*appliancetest.Peer{}, peers[:i]...), peers[i+1:]...)
		down := func() {
			for _, q := range others {
				q.AwaitAlarm(20004, true, 4*time.Second)
				q.AwaitAlarm(20016, i == 0, 2*time.Second)
			}
		}
		p.Kill()
		down()
		p.Up()
		appliancetest.Ready(t, peers)
		p.Pause()
		down()
		p.Resume()
		appliancetest.Meet(t, peers)
		p.Restart()
		s.end(t, peers)
		for _, q := range peers {
			q.Calm(8 * time.Second)
			if v := q.View(); v.PrimaryAddress != peers[0].Address {
				t.Errorf("%s names %s as primary", q.Name, v.PrimaryAddress)
			}
		}
		peers[0].Exec(`xCommand ZoneAdd ZoneName: "after %d" Type: Neighbor`, i) // it leads again
	}
}

// name makes another peer the primary, on its own page first, then on the others'.
func name(t *testing.T, peers []*appliancetest.Peer, index int) {
	t.Helper()
	next := peers[index-1]
	next.Exec("xCommand ClusterSave Primary: %d", index)
	for i, p := range peers {
		if i != index-1 {
			p.Exec("xCommand ClusterSave Primary: %d", index)
		}
	}
	for _, p := range peers {
		p.Await("knows the new primary", 5*time.Second, func() string {
			if v := p.View(); v.PrimaryAddress != next.Address || v.PrimaryHere != (p == next) {
				return "it names " + v.PrimaryAddress
			}
			return ""
		})
	}
	next.Exec(`xCommand ZoneAdd ZoneName: "by primary %d" Type: Neighbor`, index)
	for i, p := range peers {
		if i != index-1 {
			if e := p.Refused(`xCommand ZoneAdd ZoneName: "not here" Type: Neighbor`); !strings.Contains(e.Error(), next.Address) {
				t.Errorf("%s refuses with %v, which does not name the primary", p.Name, e)
			}
		}
	}
	for _, p := range peers {
		p.Calm(8 * time.Second)
	}
}

// changeOfPrimary with the old one there needs no restart.
func changeOfPrimary(t *testing.T, peers []*appliancetest.Peer) {
	name(t, peers, 2)
	name(t, peers, 1)
	appliancetest.Ready(t, peers)
}

// restartOfAll restarts a healthy cluster at once: no alarm flashes up.
func restartOfAll(t *testing.T, peers []*appliancetest.Peer) {
	marks := map[*appliancetest.Peer]int{}
	appliancetest.Each(peers, func(p *appliancetest.Peer) { p.Kill() })
	for _, p := range peers {
		marks[p] = len(p.Log())
		p.Start()
	}
	for _, p := range peers {
		p.Await("answers", 15*time.Second, func() string {
			if p.View().Node == "" {
				return "no answer"
			}
			return ""
		})
	}
	appliancetest.Ready(t, peers)
	for _, p := range peers {
		p.Calm(8 * time.Second)
		for line := range strings.SplitSeq(p.Log()[marks[p]:], "\n") {
			if strings.Contains(line, `Event="Alarm Raised"`) && !strings.Contains(line, `Id="40049"`) && !strings.Contains(line, `Id="70017"`) {
				t.Errorf("%s flashed up: %s", p.Name, line)
			}
		}
	}
}

// mostAreGone: one of three is left. It says so, refuses edits in plain words
// and keeps its page.
func mostAreGone(t *testing.T, peers []*appliancetest.Peer) {
	peers[0].Kill()
	peers[1].Kill()
	last := peers[2]
	last.AwaitAlarm(20016, true, 2*time.Second)
	last.Await("misses both", 5*time.Second, func() string {
		if d := last.Detail(20004); !strings.Contains(d, peers[0].Address) || !strings.Contains(d, peers[1].Address) {
			return "20004 says " + d
		}
		return ""
	})
	before := last.View().Entered
	if e := last.Refused("xCommand ClusterSave Primary: 3"); e.Code != engine.Unavailable || !strings.Contains(e.Message, "was not changed") {
		t.Errorf("the change of primary was refused with %s: %v", e.Code, e)
	}
	if after := last.View().Entered; !after.Equal(before) {
		t.Errorf("the refused page was kept: %+v", after)
	}
	if e := last.Refused(`xCommand ZoneAdd ZoneName: "alone" Type: Neighbor`); !strings.Contains(e.Error(), peers[0].Address) {
		t.Errorf("refused with %v while %+v", e, last.View())
	}
	peers[0].Up()
	peers[1].Up()
	appliancetest.Ready(t, peers)
	peers[0].Exec(`xCommand ZoneAdd ZoneName: "together" Type: Neighbor`)
}
