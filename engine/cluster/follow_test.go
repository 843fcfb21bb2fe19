package cluster_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// unfilled is a peer that followed generation 2 and got nothing of it.
type unfilled struct {
	followed engine.Generation
	aside    int
}

func (u *unfilled) Take(context.Context) (engine.CopyState, map[string]string, error) {
	return engine.CopyState{}, nil, engine.Errorf(engine.Unavailable, "no copy yet")
}

func (u *unfilled) State(context.Context, int64) (engine.CopyState, error) {
	return engine.CopyState{}, engine.Errorf(engine.Unavailable, "no copy yet")
}

func (u *unfilled) Items(context.Context) (map[string]string, error) {
	return nil, engine.Errorf(engine.Unavailable, "no copy yet")
}

func (u *unfilled) SaveAside(context.Context, string) (engine.SavedCopy, error) {
	u.aside++
	return engine.SavedCopy{}, engine.Errorf(engine.Unavailable, "no copy yet")
}

func (u *unfilled) Follow(_ context.Context, g engine.Generation) error {
	u.followed = g
	return nil
}

func (u *unfilled) Founding() *engine.Founding                         { return nil }
func (u *unfilled) Compare(_, _ map[string]string) []engine.Difference { return nil }
func (u *unfilled) Refound(context.Context, cluster.Page) error        { return nil }
func (u *unfilled) RoundTrip(r *http.Request) (*http.Response, error) {
	third := engine.Generation{Number: 3, ID: "g3", Parent: "g2"}
	body, err := json.Marshal(map[string]any{
		"node": "n2", "primary_here": true, "founding": engine.Founding{By: "n2", Revision: 9},
		"state": engine.CopyState{Generation: third, Primary: "n2", Revision: 9, History: "h"}, "items": map[string]string{"a": "b"},
	})
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, err
}

// A peer that followed a generation and got nothing of it before its primary
// was replaced in turn has nothing to lose: it follows the next one, by itself
// or when an administrator says so. Found by the simulation.
func TestUnfilledCopyFollows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(*testing.T, *system)
	}{
		{"by itself", func(t *testing.T, s *system) {
			s.Refused(cluster.Refusal{Node: "n2", Address: "192.0.2.2", Kind: "generation", Remote: engine.Generation{Number: 3, ID: "g3", Parent: "g2"}, At: time.Now()})
			time.Sleep(5 * time.Second)
		}},
		{"told to", func(t *testing.T, s *system) {
			plan, err := s.UpdatePlan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.ForceConfigUpdate(t.Context(), admin, &plan); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &unfilled{}
				s := start(t, func(s *system) {
					clustered(s)
					s.generations = u
					s.page.Entered.Primary, s.page.Running.Primary = 2, 2
					s.identity.Generation = engine.Generation{Number: 2, ID: "g2", Parent: "g1"}
					s.agreed = engine.Agreed{Cluster: "c", Generation: s.identity.Generation, Members: s.agreed.Members}
				})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { _ = s.Run(ctx); close(ended) }()
				test.do(t, s)
				stop()
				<-ended
				if u.followed.ID != "g3" || u.aside != 0 {
					t.Errorf("followed %+v, an empty copy saved aside %d times", u.followed, u.aside)
				}
			})
		})
	}
}
