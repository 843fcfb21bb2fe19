package sqlstore

import (
	"io"
	"reflect"
	"sync"

	"github.com/hashicorp/raft"
	"github.com/rqlite/rqlite/v8/store"
)

// mendTransport gives r a transport of which it comes back soon after a failure,
// see mostFailures, and whose pipelines end when a follower refuses and do not
// dawdle when it is behind.
//
// In those of hashicorp/raft v1.7.3 whoever reads the answers stops at the first
// refusal, as of a follower whose disk took no entry. If another answer is on its way,
// nobody takes it, and who sends the next entry waits for that for ever: this
// follower gets heartbeats and never again an entry, until another peer leads. And a
// pipeline sends mostEntries for each change, or each commitPace: while nothing
// changes, a follower that is some hundred entries behind would stay so for seconds.
//
// Call it while the gate is closed and nobody stands for election yet: then nothing
// reads the field, and Raft's goroutine has seen the change when this returns. If
// the field is not where it is expected, nothing is changed.
func mendTransport(r *raft.Raft, started *replications) {
	field := fieldOf[raft.Transport](reflect.ValueOf(r).Elem(), "trans")
	if field == nil {
		return
	}
	if t, ok := (*field).(*store.NodeTransport); ok {
		*field = mendedTransport{t, started}
		_ = r.VerifyLeader().Error() // an exchange with Raft's goroutine: what it says is beside the point
	}
}

type mendedTransport struct {
	*store.NodeTransport
	started *replications
}

// AppendEntries sends what replication or heartbeat has. A heartbeat has no list
// of entries, not even an empty one; its pauses are short.
func (t mendedTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	err := t.NodeTransport.AppendEntries(id, target, args, resp)
	t.started.heard(id, err)
	if (err != nil || !resp.Success) && args.Entries != nil {
		t.started.failed(id, args.Term)
	}
	return err
}

func (t mendedTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	err := t.NodeTransport.InstallSnapshot(id, target, args, resp, data)
	if err != nil {
		t.started.failed(id, args.Term)
	}
	return err
}

func (t mendedTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := t.NodeTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	p := &pipeline{AppendPipeline: inner, more: func() { t.started.more(id) }, answers: make(chan raft.AppendFuture), closed: make(chan struct{})}
	go p.pass()
	return p, nil
}

// pipeline closes itself behind the first answer that is a refusal, or none:
// what is being sent then fails instead of waiting.
type pipeline struct {
	raft.AppendPipeline
	more    func() // makes Raft send what comes next
	answers chan raft.AppendFuture
	once    sync.Once
	closed  chan struct{}
}

// mostEntries are sent at once: Raft's own figure, which rqlite leaves as it is.
var mostEntries = raft.DefaultConfig().MaxAppendEntries

func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	future, err := p.AppendPipeline.AppendEntries(args, resp)
	if err == nil && len(args.Entries) >= mostEntries {
		p.more()
	}
	return future, err
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
