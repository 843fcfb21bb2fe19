package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// other is another peer as this system's link reaches it.
type other struct {
	node    string
	slow    time.Duration // until it answers
	applied uint64
	members []engine.Member // as it knows them
	dialled atomic.Int32    // its database port
	asked   atomic.Int32    // on the link
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited a minute in vain: %s", what)
		}
	}
}

func (o *other) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	o.asked.Add(1)
	select {
	case <-time.After(o.slow):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	var out any = map[string]any{"version": "a", "facts": engine.Facts{Node: o.node}, "live": map[string]any{"node": o.node, "store": map[string]any{"applied": o.applied}}}
	if r.URL.Path == "/v1/members" {
		out = map[string]any{"cluster": "c", "generation": "first", "members": o.members}
	}
	body, err := json.Marshal(out)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, err
}

// dial connects once; later tries hang.
func (o *other) dial(ctx context.Context) (net.Conn, error) {
	if o.dialled.Add(1) == 1 {
		here, _ := net.Pipe()
		return here, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func answering(s *system) {
	clustered(s)
	s.agreed.Cluster, s.agreed.Generation.ID = "c", "first"
	s.peers = map[string]*other{"n2": {node: "n2"}, "n3": {node: "n3"}, "n4": {node: "n4"}}
}

// A peer that takes its time to answer on the link may take it on the database
// port too: that it answered in the end counts, and not that a look at the other port was in vain.
func TestASlowAnswerIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(s *system) {
			answering(s)
			for _, o := range s.peers {
				o.slow = 700 * time.Millisecond
			}
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		for _, node := range []string{"n2", "n3"} {
			until(t, "somebody looks at the database port of "+node+" again and again", func() bool {
				if found := s.standing("20006"); len(found) > 0 {
					t.Fatalf("20006 is raised: %v", found)
				}
				return s.peers[node].dialled.Load() > 5
			})
		}
		stop()
		<-done
		synctest.Wait()
	})
}

// A peer that was away while another one joined and leads now refuses the leader
// as a stranger. A member that has more of the log says who it is.
func TestMembersAsAnotherOneKnowsThem(t *testing.T) {
	later := engine.Member{Node: "n4", Address: "192.0.2.4", Fingerprint: "dd"}
	for _, test := range []struct {
		name    string
		leader  string
		applied uint64
		without bool // this system is no member any more
		want    bool
	}{
		{"nobody leads, and it has more", "", 9, false, true},
		{"somebody leads", "n2", 9, false, false},
		{"it has no more", "", 5, false, false},
		{"this system is none of them", "", 9, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, func(s *system) {
					answering(s)
					s.servers = &cluster.Servers{Leader: test.leader, Voters: []string{"n1", "n2", "n3"}, Applied: 5, State: "Active"}
					members := append(slices.Clone(s.agreed.Members), later)
					if test.without {
						members = members[1:]
					}
					s.peers["n2"].applied, s.peers["n2"].members = test.applied, members
				})
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- s.Run(ctx) }()
				known := func() bool { return slices.Contains(s.Service.Agreed().Members, later) }
				if test.want {
					until(t, "the later one is known", known)
				} else {
					until(t, "the other was met often", func() bool { return s.peers["n2"].asked.Load() > 10 })
					if known() {
						t.Error("the later one is known")
					}
				}
				stop()
				<-done
			})
		})
	}
}
