package cluster

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"hexad/engine"
)

// Remote tells which authenticated member a request came from, and its address.
type Remote func(ctx context.Context) (node, ip string)

// Handler is what this peer answers to members on the peer link. The link has
// authenticated the sender before a byte gets here.
func (s *Service) Handler(remote Remote) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/beat", func(w http.ResponseWriter, r *http.Request) {
		node, ip := remote(r.Context())
		var in beat
		if !read(w, r, &in) {
			return
		}
		if in.Live.Node != node || (in.Facts != nil && in.Facts.Node != node) {
			reply(w, nil, engine.Errorf(engine.Denied, "facts of node %.8s came from node %.8s", in.Live.Node, node))
			return
		}
		known := ""
		if p := s.peerOf(node); p != nil {
			s.heard(p, in)
			_, known = p.versions()
		}
		s.o.Group.FollowerApplied(node, in.Live.Store.Applied)
		out := s.say(in.Known, known)
		out.SeenAs = ip
		reply(w, out, nil)
	})
	mux.HandleFunc("POST /v1/applied", func(w http.ResponseWriter, r *http.Request) {
		node, _ := remote(r.Context())
		var in struct{ Index uint64 }
		if !read(w, r, &in) {
			return
		}
		s.o.Group.FollowerApplied(node, in.Index)
		reply(w, struct{}{}, nil)
	})
	mux.HandleFunc("POST /v1/members", func(w http.ResponseWriter, r *http.Request) {
		agreed := s.Agreed()
		reply(w, introduction{Cluster: agreed.Cluster, Generation: agreed.Generation.ID, Members: agreed.Members}, nil)
	})
	mux.HandleFunc("POST /v1/apply", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Batch []byte }
		if !read(w, r, &in) {
			return
		}
		out, err := s.o.Store.ApplyForwarded(r.Context(), in.Batch)
		reply(w, struct{ Result []byte }{out}, err)
	})
	mux.HandleFunc("POST /v1/digest", func(w http.ResponseWriter, r *http.Request) {
		if s.o.Digests == nil {
			reply(w, nil, engine.Errorf(engine.Unavailable, "no copy here"))
			return
		}
		out, err := s.o.Digests.Digest(r.Context())
		reply(w, out, err)
	})
	mux.HandleFunc("POST /v1/readmit", func(w http.ResponseWriter, r *http.Request) {
		node, _ := remote(r.Context())
		var in struct{ Generation string }
		if !read(w, r, &in) {
			return
		}
		reply(w, struct{}{}, s.readmit(r.Context(), node, in.Generation))
	})
	mux.HandleFunc("POST /v1/administer", func(w http.ResponseWriter, r *http.Request) {
		node, _ := remote(r.Context())
		var in engine.Order
		if !read(w, r, &in) {
			return
		}
		s.o.Log.Info("order of a guided procedure", "module", "procedure", "do", in.Do, "procedure", in.Procedure, "user", in.Actor.User, "peer", s.addressOf(node))
		in.Actor.Via, in.Actor.Source = "procedure", s.addressOf(node)
		reply(w, struct{}{}, s.obey(context.WithoutCancel(r.Context()), in))
	})
	return mux
}

// Forward hands an encoded batch to the leader over the peer link.
func (s *Service) Forward(ctx context.Context, leader string, batch []byte) ([]byte, error) {
	var out struct{ Result []byte }
	err := s.call(ctx, leader, "/v1/apply", struct{ Batch []byte }{batch}, &out, nil)
	if err == nil {
		return out.Result, nil
	}
	if engine.CodeOf(err) != engine.Internal {
		return nil, err
	}
	return nil, &engine.Error{Code: engine.Unavailable, Message: "the leader of the cluster database does not answer", Err: err}
}

// ReportApplied tells the leader how far this copy is, so that a sole voter
// can answer "saved and replicated".
func (s *Service) ReportApplied(ctx context.Context, index uint64) {
	servers := s.o.Group.Servers()
	if servers.LeaderHere || servers.Leader == "" || len(servers.Voters) > 1 {
		return
	}
	if err := s.call(ctx, servers.Leader, "/v1/applied", struct{ Index uint64 }{index}, nil, nil); err != nil {
		s.o.Log.Debug("applied index not reported", "module", "cluster", "err", err)
	}
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		reply(w, nil, engine.Errorf(engine.Invalid, "request not understood: %w", err))
		return false
	}
	return true
}

// status gives each engine code its HTTP status on the peer link.
var status = map[engine.Code]int{
	engine.Invalid: 400, engine.Denied: 403, engine.NotFound: 404, engine.Conflict: 409,
	engine.Exhausted: 429, engine.Unavailable: 503, engine.Internal: 500,
}

func reply(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		code := engine.CodeOf(err)
		w.WriteHeader(status[code])
		out = &engine.Error{Code: code, Message: err.Error()}
	}
	_ = json.NewEncoder(w).Encode(out) // the connection is the peer's problem
}
