package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"hexad/engine"
)

// FuzzPeerBody sends any body to what a peer answers to members: it is
// answered with JSON and one of the statuses of the peer link, and no facts of
// somebody else are taken.
func FuzzPeerBody(f *testing.F) {
	paths := []string{"/v1/beat", "/v1/applied", "/v1/apply", "/v1/copy", "/v1/hold", "/v1/none"}
	for i, body := range []string{
		`{"version":"1","facts":{"node":"n2","release":"1.0.0","entered":{"peers":["192.0.2.1"]}},"live":{"node":"n2","store":{"applied":7},"rtts":{"n1":1.5}},"known":"2"}`,
		`{"Index":7}`, `{"Batch":"AAEC"}`, `{"revision":7,"items":true}`, `{"Generation":"g2"}`, `{}`,
	} {
		f.Add(uint8(i), []byte(body))
	}
	s := start(f, func(s *system) {
		clustered(s)
		s.generations = &unfilled{}
	})
	remote := func(context.Context) (string, string) { return "n2", "192.0.2.2" }
	peers, recovery := s.Handler(remote), s.RecoveryHandler(remote)
	statuses := []int{200, 400, 403, 404, 409, 429, 503}
	f.Fuzz(func(t *testing.T, path uint8, body []byte) {
		for _, h := range []http.Handler{peers, recovery} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, paths[int(path)%len(paths)], bytes.NewReader(body)))
			if !slices.Contains(statuses, w.Code) {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
				t.Fatalf("answer %q", w.Body)
			}
		}
		for _, told := range s.Told() {
			if told.Node != "n1" && told.Facts.Node != "" && told.Facts.Node != told.Node {
				t.Fatalf("%s told the facts of %s", told.Node, told.Facts.Node)
			}
		}
		if !engine.SamePeers(s.Entered().Peers, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}) {
			t.Fatalf("the page became %+v", s.Entered())
		}
	})
}
