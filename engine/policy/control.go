package policy

import (
	"context"
	"slices"
	"strconv"

	"hexad/engine"
)

const gateWaitS = 60

// Gate asks hook procedure.gate whether the next step of a guided procedure may
// begin.
//
// No errors reach the caller. When a script fails and nothing stands in for it,
// or none answers, the step waits a minute and then the operator is asked.
func (p *Policies) Gate(ctx context.Context, in engine.GateRequest) engine.GateAnswer {
	return p.begin(ctx, "procedure.gate").gate(in)
}

func (q *asking) gate(in engine.GateRequest) engine.GateAnswer {
	q.complete(&in.PolicyContext)
	q.ask(in)
	a, by := q.out.first()
	d := engine.GateAnswer{Decided: q.decided(by)}
	if a == nil {
		d.Action, d.Seconds, d.Reason, d.AskOperator = engine.GateWait, gateWaitS, unavailable, true
	} else {
		d.Action, d.Seconds, d.Reason = engine.GateAction(a.text("action")), a.number("seconds"), a.text("reason")
	}
	for _, w := range q.out.warned {
		a := w.value.(record)
		held := engine.GateAnswer{Action: engine.GateAction(a.text("action")), Seconds: a.number("seconds"), Reason: a.text("reason")}
		d.Findings = append(d.Findings, gateFindings(in, held, w.script.Name, engine.FindingWarning)...)
	}
	d.Findings = append(d.Findings, gateFindings(in, d, by, engine.FindingError)...)
	finish(q, d, by)
	return d
}

// gateFindings says for people why a step may not begin now, or would not if
// the script were not in mode warn.
func gateFindings(in engine.GateRequest, d engine.GateAnswer, by string, severity engine.FindingSeverity) []engine.Finding {
	id := map[engine.GateAction]string{engine.GateReject: findingRefused, engine.GateWait: findingLater}[d.Action]
	switch {
	case id == "":
		return nil
	case d.AskOperator:
		id = findingUndecided
	}
	reason := d.Reason
	if reason == "" {
		reason = "policy"
	}
	return []engine.Finding{{
		ID: id, Severity: severity, Script: by, Peer: in.Peer, Text: catalogue[id].Text, Params: map[string]string{
			"procedure": in.Procedure, "step": in.Step, "reason": reason, "seconds": strconv.Itoa(d.Seconds), "script": by,
		},
	}}
}

// Findings of the gate.
const (
	findingRefused   = "procedure.refused"
	findingLater     = "procedure.later"
	findingUndecided = "procedure.undecided"
)

// maxFactor is how many times one peer's capacity a cluster has at most.
// Source: reference 3.2.
const maxFactor = 4

// Capacity asks hook capacity.limit what the cluster carries.
//
// No errors reach the caller. When a script fails and nothing stands in for it,
// the last good answer stands, and before there was one the capacity of one
// peer. No answer gives more than four times the smallest peer's capacity, nor
// more than one peer's where a machine is small.
func (p *Policies) Capacity(ctx context.Context, in engine.CapacityRequest) engine.Capacity {
	return p.begin(ctx, "capacity.limit").limit(in)
}

func (q *asking) limit(in engine.CapacityRequest) engine.Capacity {
	q.complete(&in.PolicyContext)
	one, factor := smallest(in.Peers)
	q.check = func(_ *script, answer any) error {
		a := answer.(record)
		if a.number("calls") > factor*one.Calls {
			return badOutput("answer.calls is over %d, the most that these peers carry", factor*one.Calls)
		}
		if a.number("registrations") > factor*one.Registrations {
			return badOutput("answer.registrations is over %d, the most that these peers carry", factor*one.Registrations)
		}
		return nil
	}
	q.ask(in)
	a, by := q.out.first()
	d := one
	switch last := q.p.capacity.Load(); {
	case a != nil:
		d = engine.Capacity{
			Calls: a.number("calls"), Registrations: a.number("registrations"),
			CountedPeers: a.number("counted_peers"), Reason: a.text("reason"), Lost: lostLeft(a, in.Peers),
		}
	case last != nil && !q.trial:
		d = *last
		d.Reason, d.Lost = unavailable, lostByDefault(in.Peers) // the last answer was of another minute
	default:
		d.Lost = lostByDefault(in.Peers)
	}
	d.Decided = q.decided(by)
	if a != nil && !q.trial && d.Degraded == nil {
		q.p.capacity.Store(&d)
	}
	finish(q, d, by)
	return d
}

// lostLeft is what an answer says of lost peers, by default 14 days.
func lostLeft(a record, peers []engine.CapacityPeer) []engine.LostLeft {
	if !a.has("lost") {
		return lostByDefault(peers)
	}
	var out []engine.LostLeft
	for _, one := range a.list("lost") {
		l := one.(record)
		out = append(out, engine.LostLeft{Peer: l.text("peer"), LeftS: l.number("left_s"), Warn: l.flag("warn")})
	}
	return out
}

// lostByDefault is how long the licences of lost peers stay where no rule says so.
func lostByDefault(peers []engine.CapacityPeer) []engine.LostLeft {
	var out []engine.LostLeft
	for _, p := range peers {
		if !p.Reachable && len(p.Licences) > 0 {
			out = append(out, engine.LostLeft{Peer: p.Address, LeftS: int(engine.LostLicencesKept.Seconds()) - p.UnseenS, Warn: true})
		}
	}
	return out
}

// KeepCapacity makes c the last good answer, as it was before a restart; what
// was answered since stands.
func (p *Policies) KeepCapacity(c engine.Capacity) { p.capacity.CompareAndSwap(nil, &c) }

// smallest is the capacity of the smallest peer, and how many times as much the
// cluster has at most.
func smallest(peers []engine.CapacityPeer) (engine.Capacity, int) {
	out, factor := engine.Capacity{Reason: unavailable}, maxFactor
	for i, p := range peers {
		if i == 0 || p.CallsCapacity < out.Calls {
			out.Calls = p.CallsCapacity
		}
		if i == 0 || p.RegistrationsCapacity < out.Registrations {
			out.Registrations = p.RegistrationsCapacity
		}
		if p.Size == "small" {
			factor = 1
		}
		out.CountedPeers = 1
	}
	return out, factor
}

// ReactToAlarm asks hook alarm.react what to do about an alarm beside showing
// it. A failure does nothing: the alarm itself is untouched. An alarm that is
// critical or worse stays at least critical.
func (p *Policies) ReactToAlarm(ctx context.Context, in engine.AlarmRequest) engine.AlarmReaction {
	return p.begin(ctx, "alarm.react").react(in)
}

func (q *asking) react(in engine.AlarmRequest) engine.AlarmReaction {
	q.complete(&in.PolicyContext)
	rank := func(s engine.Severity) int { return slices.Index(engine.Severities, s) }
	critical := rank(engine.Critical)
	q.check = func(_ *script, answer any) error {
		for i, one := range answer.([]any) {
			a := one.(record)
			if a.text("act") == "severity" && rank(in.Alarm.Severity) <= critical && rank(engine.Severity(a.text("to"))) > critical {
				return badOutput("answer[%d].to: a critical alarm stays critical", i+1)
			}
		}
		return nil
	}
	q.ask(in)
	d := engine.AlarmReaction{Decided: q.decided("")}
	for _, a := range q.out.answers {
		for _, one := range a.value.([]any) {
			v := one.(record)
			d.Acts = append(d.Acts, engine.AlarmAct{
				Act: v.text("act"), To: v.text("to"), ForS: v.number("for_s"), Reason: v.text("reason"),
				Procedure: v.text("procedure"), Script: a.script.Name,
			})
		}
	}
	finish(q, d, "")
	return d
}
