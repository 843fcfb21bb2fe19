package sqlstore

import (
	"reflect"
	"sync"
	"unsafe"

	"github.com/hashicorp/raft"
	"github.com/rqlite/rqlite/v8/store"
)

// mendPipelines has r replicate through pipelines that end when a follower refuses.
//
// In those of hashicorp/raft v1.7.3 whoever reads the answers stops at the first
// refusal, as of a follower whose disk took no entry. If another answer is on its way,
// nobody takes it, and who sends the next entry waits for that for ever: this
// follower gets heartbeats and never again an entry, until another peer leads.
//
// The transport is changed in Raft's own goroutine when this peer first stands
// for election, before anything else uses it to send. If Raft's field is
// not where it is expected, nothing is changed.
func mendPipelines(r *raft.Raft) {
	mended := false
	r.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		if _, own := o.Data.(raft.RaftState); !own || mended {
			return false
		}
		mended = true
		f := reflect.ValueOf(o.Raft).Elem().FieldByName("trans")
		if !f.IsValid() || f.Type() != reflect.TypeFor[raft.Transport]() {
			return false
		}
		field := (*raft.Transport)(unsafe.Pointer(f.UnsafeAddr()))
		if t, ok := (*field).(*store.NodeTransport); ok {
			*field = mendedTransport{t}
		}
		return false
	}))
}

type mendedTransport struct{ *store.NodeTransport }

func (t mendedTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := t.NodeTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	p := &pipeline{AppendPipeline: inner, answers: make(chan raft.AppendFuture), closed: make(chan struct{})}
	go p.pass()
	return p, nil
}

// pipeline closes itself behind the first answer that is a refusal, or none:
// what is being sent then fails instead of waiting.
type pipeline struct {
	raft.AppendPipeline
	answers chan raft.AppendFuture
	once    sync.Once
	closed  chan struct{}
}

func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.answers }

func (p *pipeline) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.AppendPipeline.Close()
}

// pass hands the answers on until the pipeline is closed.
func (p *pipeline) pass() {
	for {
		select {
		case answer := <-p.AppendPipeline.Consumer():
			select {
			case p.answers <- answer:
			case <-p.closed:
				return
			}
			if !answer.Response().Success {
				p.Close()
				return
			}
		case <-p.closed:
			return
		}
	}
}
