package sqlstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	"github.com/rqlite/rqlite/v8/command/proto"
	"github.com/rqlite/rqlite/v8/store"

	"hexad/engine"
)

// batchMax bounds an encoded batch; operationKept is how long an operation id
// is remembered after its batch; attemptFactor is how many times longer than
// WriteTimeout a try that is under way may take: a large import on a busy host.
const (
	batchMax      = 4 << 20
	operationKept = 24 * time.Hour
	attemptFactor = 4
)

// statement is one SQL statement with its arguments: string, int64 or nil.
type statement struct {
	SQL  string `json:"sql"`
	Args []any  `json:"args,omitempty"`
}

func stmt(text string, args ...any) statement { return statement{SQL: text, Args: args} }

// batch is one replicated change: all of its statements or none.
//
// Operation is a random id; a batch whose id is in table operation was done.
// Revision is what a repeated batch is answered with.
type batch struct {
	Operation  string      `json:"operation"`
	Revision   int64       `json:"revision"`
	AtMS       int64       `json:"at_ms"`
	Statements []statement `json:"statements"`
	// Calm is a batch that nobody waits to see on the other peers: they learn
	// of it with what comes next, or after a tenth of a second.
	Calm bool `json:"calm,omitempty"`
	// Kept is a batch that belongs into the configuration journal: a save has
	// steps there instead.
	Kept bool `json:"kept,omitempty"`
}

// newBatch makes a batch of statements with an id of its own.
func newBatch(statements ...statement) batch {
	return batch{Operation: rand.Text(), AtMS: time.Now().UnixMilli(), Statements: statements}
}

// outcome is what became of a batch.
type outcome string

const (
	applied    outcome = "applied"
	doneBefore outcome = "done before" // its operation id was there
	refused    outcome = "refused"     // the guard: what it was decided on no longer holds
	faulty     outcome = "faulty"      // a statement failed
	notLeader  outcome = "not leader"  // nothing was tried
	unknown    outcome = "unknown"     // it may be done, now or later
)

// answer is the outcome with the Raft index where it was found, and the
// failing statement's message.
type answer struct {
	Outcome outcome `json:"outcome"`
	Index   uint64  `json:"index"`
	Message string  `json:"message,omitempty"`
}

// apply brings b about: here when this peer leads, else through the leader. It
// tries again, under the same operation id, until the outcome is known, ctx
// ends or WriteTimeout has passed. Of the outcomes only applied, doneBefore and refused come without an
// error; then this copy has what the leader had.
func (c *Cluster) apply(ctx context.Context, b batch) (answer, error) {
	retrying, endRetrying := context.WithTimeout(ctx, c.o.WriteTimeout) // how long another try may begin
	defer endRetrying()
	if _, ok := ctx.Deadline(); !ok {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, attemptFactor*c.o.WriteTimeout)
		defer end()
	}
	encoded, err := json.Marshal(b)
	if err != nil {
		return answer{}, engine.Errorf(engine.Internal, "change not encoded: %w", err)
	}
	if len(encoded) > batchMax {
		return answer{}, engine.Errorf(engine.Exhausted, "the change is too large: %d bytes of at most %d", len(encoded), batchMax).
			With("", "make it in several parts")
	}
	doubtful, wait := false, 10*time.Millisecond
	var disk error // a failure of this peer's disk ends leadership: later tries see that only
	for {
		s, err := c.current()
		if err != nil {
			return answer{}, err
		}
		a, err := c.attempt(ctx, s, b, encoded)
		switch a.Outcome {
		case applied, doneBefore, refused:
			s.awaitApplied(ctx, a.Index)
			return a, nil
		case faulty:
			return a, statementError(a.Message)
		case unknown:
			doubtful = true
		}
		if disk == nil {
			disk = diskFailure(err)
		}
		if pause(retrying, wait) != nil {
			if disk == nil {
				disk = s.probeDisk()
			}
			return a, notWritten(doubtful, disk, err)
		}
		wait = min(2*wait, 100*time.Millisecond)
	}
}

// attempt is one try at bringing b about.
func (c *Cluster) attempt(ctx context.Context, s *raftStore, b batch, encoded []byte) (answer, error) {
	_, leader := s.raft.LeaderWithID()
	switch {
	case s.store.IsLeader():
		return s.execute(ctx, b)
	case leader == "":
		return answer{Outcome: notLeader}, errors.New("the group has no leader")
	case string(leader) == c.o.Node || c.o.Forward == nil:
		return answer{Outcome: notLeader}, errors.New("this peer does not lead")
	}
	reply, err := c.o.Forward(ctx, string(leader), encoded)
	if err != nil {
		return answer{Outcome: unknown}, err
	}
	var a answer
	if err := json.Unmarshal(reply, &a); err != nil {
		return answer{Outcome: unknown}, fmt.Errorf("answer of the leader: %w", err)
	}
	return a, nil
}

// probeDisk tries whether the disk takes writes: Raft says no more than that it
// does not lead, which a full disk makes it.
func (s *raftStore) probeDisk() error {
	f, err := os.CreateTemp(s.dir, "probe-")
	if err != nil {
		return diskFailure(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 64<<10))
	return diskFailure(errors.Join(err, f.Sync(), f.Close()))
}

// diskFailure returns ErrFull or ErrDisk with err when that is what it is about.
func diskFailure(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return errors.Join(ErrFull, err)
	case errors.Is(err, syscall.EIO):
		return errors.Join(ErrDisk, err)
	}
	return nil
}

// notWritten is the error of a batch that was not brought about in time.
func notWritten(doubtful bool, disk, cause error) error {
	if disk != nil {
		return &engine.Error{
			Code: engine.Unavailable, Message: "the change could not be written to the disk of this peer",
			Remedy: "free space on the file system of the data directory or replace the disk, then send it again: it will not be done twice",
			Err:    disk,
		}
	}
	if doubtful {
		return &engine.Error{
			Code: engine.Unavailable, Message: "it is not known whether the change was written",
			Remedy: "send it again: it will not be done twice", Err: cause,
		}
	}
	return &engine.Error{
		Code: engine.Unavailable, Message: "the change was not written: the cluster database has no leader that can be reached",
		Remedy: "see which peers are down; when most of them are lost, name another primary", Err: cause,
	}
}

// ApplyForwarded executes a batch that another member has handed over and
// returns what its Forward is to return there. The caller has authenticated
// the member.
//
// Errors: Invalid for bytes that are no batch of this package; every outcome of
// a batch is in the answer.
func (c *Cluster) ApplyForwarded(ctx context.Context, encoded []byte) ([]byte, error) {
	b, err := decodeBatch(encoded)
	if err != nil {
		return nil, err
	}
	s, err := c.current()
	if err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, attemptFactor*c.o.WriteTimeout)
		defer cancel()
	}
	a, _ := s.execute(ctx, b)
	if b.Kept && a.Outcome == applied {
		if err := c.keepBatch(b); err != nil {
			return nil, err
		}
	}
	return json.Marshal(a)
}

// decodeBatch reads a batch from the network. Of statements only single
// INSERT, UPDATE and DELETE pass.
func decodeBatch(encoded []byte) (batch, error) {
	var b batch
	if len(encoded) > batchMax {
		return b, engine.Errorf(engine.Invalid, "a forwarded change of %d bytes is larger than %d", len(encoded), batchMax)
	}
	dec := json.NewDecoder(bytes.NewReader(encoded))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		return b, engine.Errorf(engine.Invalid, "a forwarded change cannot be read: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return b, engine.Errorf(engine.Invalid, "a forwarded change is followed by something else")
	}
	if b.Operation == "" || len(b.Operation) > 100 || len(b.Statements) == 0 {
		return b, engine.Errorf(engine.Invalid, "a forwarded change has no operation id or no statements")
	}
	for _, st := range b.Statements {
		if !forwardable(st.SQL) {
			return b, engine.Errorf(engine.Invalid, "a forwarded change holds a statement that is not passed on")
		}
		for i, arg := range st.Args {
			if n, ok := arg.(json.Number); ok {
				whole, err := n.Int64()
				if err != nil {
					return b, engine.Errorf(engine.Invalid, "a forwarded change holds the number %s", n)
				}
				st.Args[i] = whole
			}
			switch st.Args[i].(type) {
			case nil, string, int64:
			default:
				return b, engine.Errorf(engine.Invalid, "a forwarded change holds an argument that is no text and no number")
			}
		}
	}
	return b, nil
}

func forwardable(text string) bool {
	verb, _, _ := strings.Cut(text, " ")
	return (verb == "INSERT" || verb == "UPDATE" || verb == "DELETE") && !strings.Contains(text, ";")
}

// execute runs b in one transaction through Raft; only the leader can. The
// error tells why the outcome is notLeader or unknown.
func (s *raftStore) execute(ctx context.Context, b batch) (answer, error) {
	statements := append([]statement{
		stmt("INSERT INTO operation (id, revision, at_ms) VALUES (?, ?, ?)", b.Operation, b.Revision, b.AtMS),
	}, b.Statements...)
	a, err := s.transact(ctx, statements)
	if err == nil && !b.Calm {
		s.nudge()
	}
	return a, err
}

// transact runs statements in one transaction through Raft.
func (s *raftStore) transact(ctx context.Context, statements []statement) (answer, error) {
	type result struct {
		responses []*proto.ExecuteQueryResponse
		index     uint64
		err       error
	}
	done := make(chan result, 1)
	go func() { // ends at the latest when the lease does
		r, index, err := s.store.Execute(&proto.ExecuteRequest{
			Request: &proto.Request{Transaction: true, Statements: encodeStatements(statements)},
		})
		done <- result{r, index, err}
	}()
	select {
	case <-ctx.Done():
		return answer{Outcome: unknown}, ctx.Err()
	case r := <-done:
		if r.err != nil {
			return answer{Outcome: failure(r.err)}, r.err
		}
		return verdict(r.responses, r.index), nil
	}
}

// failure tells what an error of the store means for the batch: some errors
// come before anything entered the log, all others leave it open.
func failure(err error) outcome {
	for _, early := range []error{
		store.ErrNotLeader, store.ErrNotReady, store.ErrNotOpen,
		raft.ErrNotLeader, raft.ErrEnqueueTimeout, raft.ErrLeadershipTransferInProgress,
	} {
		if errors.Is(err, early) {
			return notLeader
		}
	}
	return unknown
}

// verdict looks at each statement's result: rqlite reports a failed one there.
func verdict(responses []*proto.ExecuteQueryResponse, index uint64) answer {
	for _, r := range responses {
		message := r.GetError()
		switch {
		case message == "":
			continue
		case strings.HasSuffix(message, "UNIQUE constraint failed: operation.id"):
			return answer{Outcome: doneBefore, Index: index}
		case strings.HasSuffix(message, "CHECK constraint failed: unchanged"):
			return answer{Outcome: refused, Index: index, Message: message}
		default:
			return answer{Outcome: faulty, Index: index, Message: message}
		}
	}
	return answer{Outcome: applied, Index: index}
}

// statementError is the one place that knows SQLite's words for a failed
// replicated statement.
func statementError(message string) error {
	cause := errors.New(message)
	switch {
	case strings.Contains(message, "disk is full"):
		return notWritten(false, errors.Join(ErrFull, cause), nil)
	case strings.Contains(message, "disk I/O error"):
		return notWritten(false, errors.Join(ErrDisk, cause), nil)
	case strings.Contains(message, "constraint failed"):
		return &engine.Error{Code: engine.Conflict, Message: "the change contradicts what is stored", Err: cause}
	default:
		return &engine.Error{Code: engine.Internal, Message: "the cluster database refused the change", Err: cause}
	}
}

// readError is the one place that knows the words of a failed local read.
func readError(err error) error {
	switch {
	case errors.Is(err, store.ErrNotOpen), strings.Contains(err.Error(), "database is closed"):
		return errClosed
	case strings.Contains(err.Error(), "no such table"):
		return &engine.Error{
			Code: engine.Unavailable, Message: "this peer has no copy of the cluster database yet",
			Remedy: "it comes with the first contact to the Raft leader", Err: err,
		}
	default:
		return &engine.Error{Code: engine.Internal, Message: "the cluster database cannot be read", Err: err}
	}
}

func encodeStatements(statements []statement) []*proto.Statement {
	out := make([]*proto.Statement, len(statements))
	for i, st := range statements {
		out[i] = &proto.Statement{Sql: st.SQL}
		for _, arg := range st.Args {
			p := &proto.Parameter{}
			switch v := arg.(type) {
			case nil:
			case string:
				p.Value = &proto.Parameter_S{S: v}
			case int64:
				p.Value = &proto.Parameter_I{I: v}
			default:
				panic(fmt.Sprintf("statement argument of type %T", arg)) // a fault of this package, found by its tests
			}
			out[i].Parameters = append(out[i].Parameters, p)
		}
	}
	return out
}
