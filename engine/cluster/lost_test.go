package cluster_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// kept is what was known of lost peers before a restart.
type kept struct {
	mu   sync.Mutex
	lost map[string]engine.LostPeer
}

func (k *kept) Lost(context.Context) (map[string]engine.LostPeer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.lost), nil
}

func (k *kept) PutLost(_ context.Context, lost map[string]engine.LostPeer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lost = maps.Clone(lost)
	return nil
}

const day = 24 * time.Hour

// TestLicencesOfLostPeers: they stay for 14 days from when the peer was last
// seen, restarts included; 30014 and 30015 say so in days, 30012 and 30013 in
// hours, 30016 and 30017 that they are gone: of one peer, of several.
func TestLicencesOfLostPeers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		unseen map[string]time.Duration // by node, before the restart
		after  time.Duration            // of this run
		alarms []int
		pool   int
	}{
		{"a restart is over sooner", map[string]time.Duration{"n2": 0}, 3 * time.Minute, nil, 20},
		{"days: 30014", map[string]time.Duration{"n2": 0}, 7 * time.Minute, []int{30014}, 20},
		{"days of several: 30015", map[string]time.Duration{"n2": day, "n3": 2 * day}, time.Minute, []int{30015}, 30},
		{"the last day: 30012", map[string]time.Duration{"n2": 13*day + time.Hour}, time.Minute, []int{30012}, 20},
		{"the last day of several: 30013", map[string]time.Duration{"n2": 13*day + time.Hour, "n3": 13*day + 2*time.Hour}, time.Minute, []int{30013}, 30},
		{"the last minute: 30012", map[string]time.Duration{"n2": 14*day - 3*time.Minute}, time.Minute, []int{30012}, 20},
		{"gone: 30016", map[string]time.Duration{"n2": 14*day - 3*time.Minute}, 5 * time.Minute, []int{30016}, 10},
		{"several gone: 30017", map[string]time.Duration{"n2": 15 * day, "n3": 20 * day}, time.Minute, []int{30017}, 10},
		{"one gone, one in days", map[string]time.Duration{"n2": 15 * day, "n3": day}, time.Minute, []int{30014, 30016}, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := &kept{lost: map[string]engine.LostPeer{}}
				for node, ago := range c.unseen {
					k.lost[node] = engine.LostPeer{Seen: time.Now().Add(-ago).Unix(), Size: "medium", Keys: []engine.Key{{Family: "rich_media_sessions", Count: 10}}}
				}
				s := start(t, func(s *system) {
					clustered(s)
					s.lost = k
					s.keys = []engine.Key{{Family: "rich_media_sessions", Count: 10}}
				})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.Run(ctx) }()
				time.Sleep(c.after + 2*time.Second)
				var got []int
				for _, a := range s.standing("3001") {
					got = append(got, a.ID)
				}
				slices.Sort(got)
				view := s.Capacity()
				if !slices.Equal(got, c.alarms) || view == nil || view.Licences["rich_media_sessions"] != c.pool {
					t.Errorf("alarms %v, want %v; pool %+v, want %d", got, c.alarms, view, c.pool)
				}
				if kept, _ := k.Lost(ctx); len(c.unseen) > 0 && time.Since(time.Unix(kept["n2"].Seen, 0)) < c.unseen["n2"] {
					t.Errorf("it is last seen %v ago", time.Since(time.Unix(kept["n2"].Seen, 0)))
				}
				stop()
				<-ended
			})
		})
	}
}

var _ cluster.Lost = (*kept)(nil)
