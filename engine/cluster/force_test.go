package cluster_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// copied is a peer's copy, and the primary of another generation that it asks.
type copied struct {
	own      engine.CopyState
	err      error
	theirs   engine.CopyState
	founding *engine.Founding
	followed string
	aside    int
	refound  *cluster.Page

	mu      sync.Mutex
	itemsOf []string // who was asked for its items
}

func (c *copied) Take(context.Context) (engine.CopyState, map[string]string, error) {
	return c.own, map[string]string{}, c.err
}
func (c *copied) State(context.Context, int64) (engine.CopyState, error) {
	return c.own, c.err
}
func (c *copied) Founding() *engine.Founding                         { return nil }
func (c *copied) Items(context.Context) (map[string]string, error)   { return map[string]string{}, nil }
func (c *copied) Compare(_, _ map[string]string) []engine.Difference { return nil }

func (c *copied) Refound(_ context.Context, p cluster.Page) error {
	c.refound = &p
	return nil
}

func (c *copied) SaveAside(context.Context, string) (engine.SavedCopy, error) {
	c.aside++
	return engine.SavedCopy{}, nil
}

func (c *copied) Follow(_ context.Context, g engine.Generation) error {
	c.followed = g.ID
	return nil
}

func (c *copied) RoundTrip(r *http.Request) (*http.Response, error) {
	var in struct{ Items bool }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	if in.Items {
		c.mu.Lock()
		c.itemsOf = append(c.itemsOf, r.URL.Host)
		c.mu.Unlock()
	}
	body, err := json.Marshal(map[string]any{"node": "n2", "primary_here": true, "founding": c.founding, "state": c.theirs})
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, err
}

// TestUpdatePlanAsksForOneCopy: what is compared is the primary's copy; the other
// members are asked whether they are primary, not for all their items.
func TestUpdatePlanAsksForOneCopy(t *testing.T) {
	t.Parallel()
	c := &copied{own: engine.CopyState{Generation: engine.Generation{Number: 1, ID: "g1"}, Revision: 10},
		theirs: engine.CopyState{Generation: engine.Generation{Number: 2, ID: "g2", Parent: "g1"}, Primary: "n2", Revision: 12}}
	s := start(t, func(s *system) {
		clustered(s)
		s.generations = c
		s.identity.Generation = c.own.Generation
	})
	plan, err := s.UpdatePlan(t.Context())
	if err != nil || plan.SourceNode != "n2" {
		t.Fatalf("from %q, %v", plan.SourceNode, err)
	}
	if !slices.Equal(c.itemsOf, []string{"n2"}) {
		t.Errorf("%v were asked for their items", c.itemsOf)
	}
}

// TestMayFollow: by itself a peer follows a newer generation only when nothing
// of its own can be lost. Source: design 3.
func TestMayFollow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*system, *copied)
		why    string // "" when it follows
	}{
		"its log is the beginning":           {func(*system, *copied) {}, ""},
		"one of its own primary":             {func(s *system, c *copied) { s.page.Running.Primary, c.own.Primary = 3, "n2" }, ""},
		"its page names another":             {func(s *system, c *copied) { s.page.Running.Primary = 3 }, "names another primary"},
		"its page names itself":              {func(s *system, c *copied) { s.page.Running.Primary = 1 }, "names another primary"},
		"revisions of its own":               {func(s *system, c *copied) { c.own.Revision = 11 }, "1 revisions that are not in it"},
		"its log is longer, all is equal":    {func(s *system, c *copied) { c.own.Index = 101 }, ""},
		"its log is of another term":         {func(s *system, c *copied) { c.own.Term = 4 }, ""},
		"... and its history is another":     {func(s *system, c *copied) { c.own.Term, c.own.History = 4, "other" }, "histories of both differ"},
		"... or its policies are":            {func(s *system, c *copied) { c.own.Index, c.own.Policies = 101, "other" }, "policies of both differ"},
		"a place that is not known":          {func(s *system, c *copied) { c.own.Term, c.founding.Term = 0, 0; c.own.History = "other" }, "histories of both differ"},
		"a grandchild":                       {func(s *system, c *copied) { c.theirs.Generation.Parent = "g0" }, "not founded on this system's generation"},
		"nobody says how it was founded":     {func(s *system, c *copied) { c.founding = nil }, "how it was founded"},
		"its copy is of another generation":  {func(s *system, c *copied) { c.own.Generation.ID = "g0" }, "not founded on this system's generation"},
		"an earlier revision with equal log": {func(s *system, c *copied) { c.own.Revision, c.own.Index = 7, 70 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := engine.Generation{Number: 1, ID: "g1"}
				c := &copied{own: engine.CopyState{Generation: first, Primary: "n1", Revision: 10, Index: 100, Term: 3, History: "h", Policies: "p"},
					theirs:   engine.CopyState{Generation: engine.Generation{Number: 2, ID: "g2", Parent: "g1"}, Primary: "n2", Revision: 12, History: "h", Policies: "p"},
					founding: &engine.Founding{By: "n2", Revision: 10, Index: 100, Term: 3}}
				s := start(t, func(s *system) {
					clustered(s)
					s.generations = c
					s.page.Running.Primary = 2
					s.identity.Generation = first
					test.change(s, c)
					s.page.Entered = s.page.Running
				})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { _ = s.Run(ctx); close(ended) }()
				s.Refused(cluster.Refusal{Node: "n2", Address: "192.0.2.2", Kind: "generation", Remote: c.theirs.Generation, Primary: "n2", At: time.Now()})
				time.Sleep(3 * time.Second)
				fenced := s.Fenced()
				stop()
				<-ended
				switch {
				case test.why == "" && (c.followed != "g2" || c.aside != 1):
					t.Errorf("followed %q, saved aside %d times; %+v", c.followed, c.aside, fenced)
				case test.why != "" && (c.followed != "" || c.aside != 0 || fenced == nil || !fenced.Superseded || !strings.Contains(fenced.Why, test.why)):
					t.Errorf("followed %q, saved aside %d times, fenced %+v; want why %q", c.followed, c.aside, fenced, test.why)
				}
			})
		})
	}
}

// TestForcePlan: a primary is named by force only when it is certain that the
// group cannot commit, and on a copy to go on with.
func TestForcePlan(t *testing.T) {
	t.Parallel()
	lost := &cluster.Servers{Voters: []string{"n1", "n2", "n3"}, Nonvoters: nil, State: "Inactive"}
	for name, test := range map[string]struct {
		change func(*system, *copied)
		meet   bool // a newer generation
		code   engine.Code
		says   string
	}{
		"it can":            {func(*system, *copied) {}, false, "", ""},
		"somebody leads":    {func(s *system, c *copied) { s.servers.Leader = "n3" }, false, engine.Conflict, "can commit"},
		"it votes alone":    {func(s *system, c *copied) { s.servers.Voters = []string{"n1"} }, false, engine.Conflict, "can commit"},
		"it is the primary": {func(s *system, c *copied) { s.agreed.Primary = "n1" }, false, "", ""},
		"the primary can commit": {func(s *system, c *copied) { s.agreed.Primary, s.servers.Leader = "n1", "n1" }, false, engine.Denied,
			"its changes can be saved"},
		"no cluster":               {func(s *system, c *copied) { s.identity.Standalone = true }, false, engine.Denied, "not a member"},
		"its database failed":      {func(s *system, c *copied) { s.servers.State = "Failed" }, false, engine.Unavailable, "cannot be used"},
		"its copy is empty":        {func(s *system, c *copied) { c.err = engine.Errorf(engine.Unavailable, "no copy yet") }, false, engine.Unavailable, "no copy yet"},
		"another was named before": {func(*system, *copied) {}, true, engine.Conflict, "named by force already"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := *lost
				c := &copied{own: engine.CopyState{Generation: engine.Generation{Number: 1, ID: "g1"}, Primary: "n2", Revision: 10}}
				s := start(t, func(s *system) {
					clustered(s)
					s.generations, s.servers, s.agreed.Primary = c, &now, "n2"
					s.page.Running.Primary, s.page.Entered.Primary = 2, 2
					s.identity.Generation = c.own.Generation
					test.change(s, c)
				})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { _ = s.Run(ctx); close(ended) }()
				if _, err := s.ForcePlan(t.Context()); test.code == "" && engine.CodeOf(err) != engine.Unavailable {
					t.Errorf("before it is certain: %v", err)
				}
				if test.meet {
					s.Refused(cluster.Refusal{Node: "n3", Address: "192.0.2.3", Kind: "generation", Remote: engine.Generation{Number: 2, ID: "g2"}, At: time.Now()})
				}
				time.Sleep(15 * time.Second)
				plan, err := s.ForcePlan(t.Context())
				if engine.CodeOf(err) != test.code || err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %+v, %v (%s)", plan, err, engine.CodeOf(err))
				}
				save := s.Entered()
				save.Primary = 1
				_, saved := s.SaveForced(t.Context(), admin, save)
				if done := c.refound != nil; done != (test.code == "") || done && c.refound.Running.Primary != 1 {
					t.Errorf("founded with %+v: %v", c.refound, saved)
				}
				stop()
				<-ended
			})
		})
	}
}
