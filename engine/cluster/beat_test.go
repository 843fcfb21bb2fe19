package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// What only counts or measures is no other version of the facts: the rules
// would judge them again, their judgement changes the counts, and so would
// cause the next.
func TestVersionOfFacts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*engine.Facts)
		want   bool
	}{
		"nothing":            {func(*engine.Facts) {}, false},
		"decisions":          {func(f *engine.Facts) { f.Policy.Decisions, f.Policy.P99US = 9, 80 }, false},
		"round trips":        {func(f *engine.Facts) { f.RTTs = map[string]float64{"n2": 3} }, false},
		"offset of the time": {func(f *engine.Facts) { f.NTP.OffsetMS = 4 }, false},
		"applied index":      {func(f *engine.Facts) { f.Store.Applied = 7 }, false},
		"H.323 mode":         {func(f *engine.Facts) { f.H323 = true }, true},
		"release":            {func(f *engine.Facts) { f.Release = "1.0.1" }, true},
		"time lost":          {func(f *engine.Facts) { f.NTP.State = "Unsynchronized" }, true},
	} {
		before, after := engine.Facts{Release: "1.0.0"}, engine.Facts{Release: "1.0.0"}
		tt.change(&after)
		if got := cluster.VersionOf(before) != cluster.VersionOf(after); got != tt.want {
			t.Errorf("%s changed: another version %v, want %v", name, got, tt.want)
		}
	}
}

// said is what travels of a beat.
type said struct {
	Version string         `json:"version"`
	Facts   *engine.Facts  `json:"facts,omitempty"`
	Live    map[string]any `json:"live"`
	Known   string         `json:"known,omitempty"`
}

// Facts travel until the other side holds them, and again when it lost them.
func TestFactsTravelOnce(t *testing.T) {
	t.Parallel()
	s := start(t, clustered)
	handler := s.Handler(func(context.Context) (string, string) { return "n2", "192.0.2.2" })
	ask := func(b said) (out said) {
		t.Helper()
		b.Live = map[string]any{"node": "n2"}
		body, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/beat", bytes.NewReader(body)))
		if w.Code != http.StatusOK {
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := ask(said{Version: "a", Facts: &engine.Facts{Node: "n2"}})
	if first.Facts == nil || first.Facts.Node != "n1" {
		t.Fatalf("a peer that holds nothing was told %+v", first.Facts)
	}
	if again := ask(said{Version: "a", Known: first.Version}); again.Facts != nil {
		t.Error("the facts travelled although the other side holds them")
	}
	s.config[cluster.ItemH323] = "Off"
	s.ConfigurationChanged(t.Context(), []engine.Change{{Path: cluster.ItemH323, Value: "Off"}})
	if changed := ask(said{Version: "a", Known: first.Version}); changed.Facts == nil || changed.Facts.H323 || changed.Version == first.Version {
		t.Errorf("changed facts did not travel: %+v", changed)
	}
}

// A primary that came back does not take edits, and is not read as the truth,
// before it holds what its leader had when it was last heard.
func TestAPrimaryCatchesUpFirst(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *system) {
		clustered(s)
		s.servers = &cluster.Servers{Leader: "n2", Voters: []string{"n1", "n2", "n3"}, Applied: 5, State: "Active"}
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	handler := s.Handler(func(context.Context) (string, string) { return "n2", "192.0.2.2" })
	tell := func(applied int) string {
		t.Helper()
		body := fmt.Sprintf(`{"version":"a","facts":{"node":"n2"},"live":{"node":"n2","store":{"applied":%d}}}`, applied)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/beat", strings.NewReader(body)))
		if w.Code != http.StatusOK {
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
		return s.View(ctx).ReadOnly
	}
	const catching = "this system is catching up with the cluster database"
	if got := s.View(ctx).ReadOnly; got != catching {
		t.Errorf("before the leader was heard: %q", got)
	}
	for deadline := time.Now().Add(10 * time.Second); tell(5) != ""; { // its contacts are made meanwhile
		if time.Now().After(deadline) {
			t.Fatalf("level with the leader, and still %q", s.View(ctx).ReadOnly)
		}
	}
	if got := tell(6); got != catching {
		t.Errorf("one change behind the leader: %q", got)
	}
}

// A primary that was started again is not writable before its readers are shown
// what it caught up with: a read there must not be older than what was
// acknowledged. Found by the campaign, in the milliseconds in between.
func TestWritableWhenShown(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *system) {
		clustered(s)
		s.agreed.Revision, s.unread = 7, 2
	})
	const catching = "this system is catching up with the cluster database"
	if got := s.View(t.Context()).ReadOnly; got != catching {
		t.Errorf("two revisions are not shown yet: %q", got)
	}
	s.unread = 0
	if got := s.View(t.Context()).ReadOnly; got != "" {
		t.Errorf("all is shown: %q", got)
	}
	s.unread = 1 // a change that is being carried out
	if got := s.View(t.Context()).ReadOnly; got != "" {
		t.Errorf("a change comes: %q", got)
	}
}

// A member that was removed is not refused any more, though it had joined under
// another address than the list has for it: what comes to that address next may
// be another system. Found by the walk through the document.
func TestRefusalOfARemovedMemberIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(s *system) {
			clustered(s)
			s.agreed.Members[2].Address = "198.51.100.3"
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = s.Run(ctx); close(ended) }()
		synctest.Wait()
		s.Refused(cluster.Refusal{Node: "n3", Address: "192.0.2.3", Kind: "key", Key: "cd", At: time.Now()})
		before := pinOf(s, "192.0.2.3")
		s.agreed.Members = s.agreed.Members[:2]
		s.StoreChanged(ctx)
		after := pinOf(s, "192.0.2.3")
		stop()
		<-ended
		if before != "changed" || after == "changed" {
			t.Errorf("the pin is %q while another key is shown, and %q after the member was removed", before, after)
		}
	})
}

func pinOf(s *system, address string) string {
	for _, p := range s.View(context.Background()).Peers {
		if p.Address == address {
			return p.Pin
		}
	}
	return ""
}
