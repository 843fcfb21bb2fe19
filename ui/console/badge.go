package console

import "hexad/engine"

// Badge is a state as icon, word and colour: none of them alone carries it.
type Badge struct {
	Kind   string // ok, info, warn, bad, muted: the colour
	Icon   string // symbol of icons.svg
	Key    string // text key
	Detail string // cause, already in words; may be empty
}

// peerBadge is how this peer sees another. Source: reference 1.3.
func peerBadge(p engine.PeerView) Badge {
	switch p.State {
	case engine.ThisSystem:
		return Badge{Kind: "info", Icon: "here", Key: "state.this_system"}
	case engine.PeerActive:
		return Badge{Kind: "ok", Icon: "ok", Key: "state.active"}
	case engine.PeerFailed:
		return Badge{Kind: "bad", Icon: "bad", Key: "state.failed", Detail: p.Cause}
	}
	return Badge{Kind: "muted", Icon: "unknown", Key: "state.unknown", Detail: p.Cause}
}

// certificateBadge is how a peer's certificate is judged. In Permissive mode an
// invalid one blocks nothing, so it is a remark and no warning.
// Source: reference 1.3.
func certificateBadge(p engine.PeerView, mode engine.TLSMode) Badge {
	switch {
	case p.Pin == "changed":
		return Badge{Kind: "bad", Icon: "key", Key: "certificate.changed", Detail: p.Reason}
	case p.Certificate == "Valid":
		return Badge{Kind: "ok", Icon: "ok", Key: "certificate.valid"}
	case p.Certificate == "Invalid" && mode == engine.Enforcing:
		return Badge{Kind: "warn", Icon: "warn", Key: "certificate.invalid", Detail: p.Reason}
	case p.Certificate == "Invalid":
		return Badge{Kind: "info", Icon: "info", Key: "certificate.invalid", Detail: p.Reason}
	}
	return Badge{Kind: "muted", Icon: "unknown", Key: "certificate.unknown"}
}

// databaseBadge is the state of a copy of the cluster database.
func databaseBadge(state string) Badge {
	switch state {
	case "Active":
		return Badge{Kind: "ok", Icon: "ok", Key: "database.active"}
	case "Synchronizing":
		return Badge{Kind: "info", Icon: "sync", Key: "database.synchronizing"}
	case "Failed":
		return Badge{Kind: "bad", Icon: "bad", Key: "database.failed"}
	case "Inactive":
		return Badge{Kind: "warn", Icon: "warn", Key: "database.inactive"}
	}
	return Badge{Kind: "muted", Icon: "unknown", Key: "database.unknown"}
}

// severityBadge is an alarm's severity.
func severityBadge(s engine.Severity) Badge {
	switch s {
	case engine.Emergency, engine.Alert, engine.Critical, engine.ErrorSeverity:
		return Badge{Kind: "bad", Icon: "bad", Key: "severity." + string(s)}
	case engine.Warning:
		return Badge{Kind: "warn", Icon: "warn", Key: "severity.warning"}
	case engine.Notice, engine.Info, engine.Debug:
		return Badge{Kind: "info", Icon: "info", Key: "severity." + string(s)}
	}
	return Badge{Kind: "muted", Icon: "unknown", Key: "severity.unknown"}
}

// alarmStateBadge tells a new alarm from an acknowledged one.
func alarmStateBadge(s engine.AlarmState) Badge {
	if s == engine.AlarmAcknowledged {
		return Badge{Kind: "muted", Icon: "ok", Key: "alarm.acknowledged"}
	}
	return Badge{Kind: "warn", Icon: "bell", Key: "alarm.new"}
}

// Limits of the round trip between peers. Source: reference 3.1 (80 ms); the
// lower mark is ours, to see it coming.
const (
	rttNear = 60 // ms
	rttMost = 80 // ms
)

// rttKind is the colour of a round trip.
func rttKind(ms float64) string {
	switch {
	case ms <= rttNear:
		return "ok"
	case ms <= rttMost:
		return "warn"
	}
	return "bad"
}

// PeerRow is what a page shows of one peer.
type PeerRow struct {
	engine.PeerView
	Clustering Badge
	Cert       Badge
	DB         Badge
	RTTKind    string
	Reached    bool   // facts of it are present ones
	LagSeconds string // "" when it has everything
	Measured   bool   // RTTMS was measured
}

func peerRow(p engine.PeerView, mode engine.TLSMode) PeerRow {
	row := PeerRow{PeerView: p, Clustering: peerBadge(p), Cert: certificateBadge(p, mode), DB: databaseBadge(p.Database),
		RTTKind: rttKind(p.RTTMS), Reached: answers(p)}
	row.Measured = row.Reached && p.RTTMS > 0 && p.State != engine.ThisSystem
	if p.LagMS > 0 {
		row.LagSeconds = milliseconds(float64(p.LagMS))
	}
	return row
}

func peerRows(v engine.ClusterView) []PeerRow {
	rows := make([]PeerRow, 0, len(v.Peers))
	for _, p := range v.Peers {
		rows = append(rows, peerRow(p, v.Running.TLSMode))
	}
	return rows
}
