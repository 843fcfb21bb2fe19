package engine

import "time"

// WaivedBy says why a finding neither blocks nor raises its alarm. Severity is
// what it would be otherwise.
type WaivedBy struct {
	ID       string          `json:"id"`
	By       string          `json:"by"`
	Until    time.Time       `json:"until"`
	Reason   string          `json:"reason"`
	Severity FindingSeverity `json:"severity"`
}
