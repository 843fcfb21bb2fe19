package engine

// FindingSeverity is how much a finding weighs.
type FindingSeverity string

// The severities: an error blocks the save or the join and raises the alarm, a
// warning raises the alarm, an info is shown beside the field.
const (
	FindingInfo    FindingSeverity = "info"
	FindingWarning FindingSeverity = "warning"
	FindingError   FindingSeverity = "error"
)

// Finding is what a rule says of a configuration or a peer.
//
// Source: reference/policy-api.md section 6.
type Finding struct {
	ID       string            `json:"id"` // "cluster.config.h323_mode_off"
	Severity FindingSeverity   `json:"severity"`
	Script   string            `json:"script"`
	Alarm    int               `json:"alarm,omitempty"` // alarm that it raises, from the finding catalogue
	Peer     string            `json:"peer,omitempty"`  // address
	Field    string            `json:"field,omitempty"` // configuration path or field of the clustering page
	Params   map[string]string `json:"params,omitempty"`
	Fix      *Fix              `json:"fix,omitempty"`
	Text     Text              `json:"text"` // for people, from the finding catalogue
	Waived   *WaivedBy         `json:"waived,omitempty"`
}

// Fix is what would make a finding go away.
type Fix struct {
	Set  string `json:"set,omitempty"`
	To   string `json:"to,omitempty"`
	Page string `json:"page,omitempty"`
}

// Errors returns the findings that block.
func Errors(found []Finding) []Finding {
	var out []Finding
	for _, f := range found {
		if f.Severity == FindingError {
			out = append(out, f)
		}
	}
	return out
}
