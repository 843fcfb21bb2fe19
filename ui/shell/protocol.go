package shell

import (
	"encoding/json"
	"errors"
	"io"

	"hexad/engine"
	"hexad/ui/command"
)

// SocketName is the socket's name in the data directory.
const SocketName = "admin.sock"

// Limits of the socket.
const (
	MaxRequest     = 48 << 20 // bytes of a request: a backup, in base64
	MaxResponse    = 64 << 20
	MaxConnections = 128
)

// Request is one line of JSON to the socket: lines that arrived together, one
// call, or a word to complete. A connection carries any number, one after the other.
type Request struct {
	Lines    []string        `json:"lines,omitempty"`
	Call     *Call           `json:"call,omitempty"`
	Complete *Completion     `json:"complete,omitempty"`
	Base     int64           `json:"base,omitempty"`
	Language engine.Language `json:"language,omitempty"`
	Via      string          `json:"via,omitempty"` // shell or import
}

// Call is a command that needs no parsing.
type Call struct {
	Name string            `json:"name"`
	Args map[string]string `json:"args,omitempty"`
	Body string            `json:"body,omitempty"`
}

// Completion asks what the word at byte Pos of Line could become.
type Completion struct {
	Line string `json:"line"`
	Pos  int    `json:"pos"`
}

// Response answers a Request, in one line of JSON.
type Response struct {
	Answers    []Reply  `json:"answers,omitempty"`
	Candidates []string `json:"candidates,omitempty"`
}

// Reply is one Answer on the wire.
type Reply struct {
	Lines  []string        `json:"lines,omitempty"`
	Result json.RawMessage `json:"result,omitempty"` // of command.Result
	Error  *Failure        `json:"error,omitempty"`
	Close  bool            `json:"close,omitempty"`
	// Asks says that the next line answers a question: it is sent after the lines
	// that led to it, for a request knows nothing of the one before.
	Asks bool `json:"asks,omitempty"`
}

// Failure is an engine.Error on the wire; the cause stays in hexad.
type Failure struct {
	Code     engine.Code      `json:"code"`
	Message  string           `json:"message"`
	Remedy   string           `json:"remedy,omitempty"`
	Item     string           `json:"item,omitempty"`
	Findings []engine.Finding `json:"findings,omitempty"`
	Usage    bool             `json:"usage,omitempty"` // the line itself was wrong
}

// Err is the failure as the error that it was.
func (f *Failure) Err() error {
	if f == nil {
		return nil
	}
	return &engine.Error{Code: f.Code, Message: f.Message, Remedy: f.Remedy, Item: f.Item, Findings: f.Findings}
}

func failureOf(err error) *Failure {
	var e *engine.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return &Failure{Code: e.Code, Message: e.Message, Remedy: e.Remedy, Item: e.Item, Findings: e.Findings, Usage: command.IsUsage(err)}
	}
	return &Failure{Code: engine.Internal, Message: "failed inside hexad", Remedy: "see the event log"}
}

// Document is the answer for programs: the error, or the data alone when there
// is nothing beside it.
func (r Reply) Document() any {
	if r.Error != nil {
		return map[string]any{"error": r.Error}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.Result, &fields); err != nil || len(fields) == 0 {
		fields = map[string]json.RawMessage{}
	}
	if data, ok := fields["data"]; ok && len(fields) == 1 {
		return data
	}
	return fields
}

// PrintJSON writes an answer for programs.
func PrintJSON(w io.Writer, document any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// ReplyOf is an answer as it goes over the wire.
//
// Errors: of a result that cannot be written as JSON.
func ReplyOf(a Answer) (Reply, error) {
	result, err := json.Marshal(a.Result)
	if err != nil {
		return Reply{}, err
	}
	return Reply{Lines: a.Lines, Result: result, Error: failureOf(a.Err), Close: a.Close, Asks: a.Asks}, nil
}
