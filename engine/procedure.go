package engine

import "time"

// ProcedureState is how far a guided procedure is.
type ProcedureState string

// The states. Running and halted procedures are open: one at a time in a cluster.
const (
	ProcedurePlanned ProcedureState = "Planned" // shown only; it has no id
	ProcedureRunning ProcedureState = "Running"
	ProcedureHalted  ProcedureState = "Halted" // something is in the way; it waits to be resumed or aborted
	ProcedureDone    ProcedureState = "Done"
	ProcedureAborted ProcedureState = "Aborted"
)

// Open reports whether a procedure in this state still has something to do.
func (s ProcedureState) Open() bool { return s == ProcedureRunning || s == ProcedureHalted }

// Procedure is one guided procedure: what an administrator would do by hand on
// each peer, as a list of steps that may each be repeated.
//
// Source: design 6; reference 2.
type Procedure struct {
	ID      string            `json:"id"`
	Kind    string            `json:"kind"`
	Args    map[string]string `json:"args"` // as asked for
	State   ProcedureState    `json:"state"`
	Owner   string            `json:"owner"`         // node id of the peer that carries it out
	Via     string            `json:"owner_address"` // its address, for people
	Seq     int64             `json:"seq"`           // rises with each change
	Actor   Actor             `json:"actor"`
	Started time.Time         `json:"started"`
	Updated time.Time         `json:"updated"`
	Steps   []ProcedureStep   `json:"steps"`
	Step    int               `json:"step"` // index of the present step; their number when all are done
	// Waiting is what the present step waits for now, since Since and at most
	// until Until; Until is zero while nothing limits it.
	Waiting Text            `json:"waiting,omitzero"`
	Since   time.Time       `json:"since,omitzero"`
	Until   time.Time       `json:"until,omitzero"`
	Problem Text            `json:"problem,omitzero"` // why it is halted
	Notes   []ProcedureNote `json:"notes"`            // the transcript
}

// Present is the step that is carried out now, nil when all are done.
func (p *Procedure) Present() *ProcedureStep {
	if p.Step < 0 || p.Step >= len(p.Steps) {
		return nil
	}
	return &p.Steps[p.Step]
}

// ProcedureStep is one step.
type ProcedureStep struct {
	Do      string      `json:"do"`             // see package engine/procedure
	Node    string      `json:"node,omitempty"` // node id of the peer where it is done
	Peer    string      `json:"peer"`           // its address
	Text    Text        `json:"text"`
	Page    *Clustering `json:"page,omitempty"`    // to be saved
	Changes []Change    `json:"changes,omitempty"` // of replicated items
	Want    []string    `json:"want,omitempty"`    // what is awaited, in order
	// Before is when that peer had started as the step began: a later start is
	// the restart that was asked for. Told is when it was told what to do.
	Before time.Time `json:"before,omitzero"`
	Told   time.Time `json:"told,omitzero"`
	// Held is until when the rules want the step to wait.
	Held time.Time `json:"held,omitzero"`
}

// ProcedureNote is one line of the transcript.
type ProcedureNote struct {
	At   time.Time `json:"at"`
	Text Text      `json:"text"`
}

// Order is what a guided procedure asks of one peer: the same as an
// administrator does there by hand.
type Order struct {
	Do        string      `json:"do"` // save, force, restart, leave, set, update
	Actor     Actor       `json:"actor"`
	Procedure string      `json:"procedure"` // kind, for the rules
	Page      *Clustering `json:"page,omitempty"`
	Changes   []Change    `json:"changes,omitempty"`
}

// What an Order asks for.
const (
	OrderSave    = "save"    // the clustering page
	OrderForce   = "force"   // the same, where the group cannot commit
	OrderRestart = "restart" // of hexad
	OrderLeave   = "leave"   // clear the peer list and restart: the factory reset
	OrderSet     = "set"     // replicated items, on the primary
	OrderUpdate  = "update"  // ForceConfigUpdate
)

// Told is a member with what it says of itself.
type Told struct {
	Node      string
	Address   string
	Here      bool
	Reachable bool
	Facts     Facts
}
