package policy

import (
	"context"

	"hexad/engine"
)

// unavailable is the reason of a refusal that no script decided.
const unavailable = "policy_unavailable"

// situate fills in what every input of a call hook has.
func (q *asking) situate(c *engine.CallContext) {
	if c.Now == 0 {
		c.Now = q.now
	}
	if c.Revision == 0 {
		c.Revision = q.r.number
	}
	if c.Self == nil || c.Cluster == nil {
		s := q.p.situation.Load()
		c.Self, c.Cluster = &s.Self, &s.Cluster
	}
}

func (q *asking) decided(by string) engine.Decided {
	return engine.Decided{Decision: q.id(), Script: by, Degraded: q.out.degraded()}
}

// refusal is a reject of a script with the hook's own code where it gives none.
func refusal(a record, code int) (int, string) {
	if n := a.number("code"); n != 0 {
		code = n
	}
	reason := a.text("reason")
	if reason == "" {
		reason = "policy"
	}
	return code, reason
}

// AdmitRegistration asks hook registration.admit whether an endpoint may
// register here.
//
// No errors reach the caller. When a script fails and nothing stands in for it,
// a refresh of a live registration is accepted and a new one is rejected (503).
func (p *Policies) AdmitRegistration(ctx context.Context, in engine.RegistrationRequest) engine.Admission {
	return p.begin(ctx, "registration.admit").admitRegistration(in)
}

func (q *asking) admitRegistration(in engine.RegistrationRequest) engine.Admission {
	q.situate(&in.CallContext)
	q.ask(in)
	a, by := q.out.first()
	d := engine.Admission{Decided: q.decided(by), Allow: true}
	switch {
	case a == nil && len(q.out.missing) > 0 && !in.Refresh:
		d.Allow, d.Code, d.Reason = false, 503, unavailable
	case a != nil && a.text("action") == "reject":
		d.Allow = false
		d.Code, d.Reason = refusal(a, 403)
	case a != nil:
		d.Subzone, d.TTL = a.text("subzone"), a.number("ttl")
	}
	finish(q, d, by)
	return d
}

// Admit asks hook call.admit whether a call may be searched for.
//
// No errors reach the caller. When a script fails and nothing stands in for it,
// the call is rejected (403).
func (p *Policies) Admit(ctx context.Context, in engine.CallRequest) engine.Admission {
	return p.begin(ctx, "call.admit").admit(in)
}

func (q *asking) admit(in engine.CallRequest) engine.Admission {
	q.situate(&in.CallContext)
	q.ask(in)
	a, by := q.out.first()
	d := engine.Admission{Decided: q.decided(by), Allow: true}
	switch {
	case a == nil && len(q.out.missing) > 0:
		d.Allow, d.Code, d.Reason = false, 403, unavailable
	case a != nil && a.text("action") == "reject":
		d.Allow = false
		d.Code, d.Reason = refusal(a, 403)
	}
	finish(q, d, by)
	return d
}

// Transform asks the scripts of hook search.transform, one after the other,
// what to search for.
//
// No errors reach the caller. Where a script fails, the alias as it was left
// stands; where its on_failure is reject, the search is refused.
func (p *Policies) Transform(ctx context.Context, in engine.SearchRequest) engine.Transformed {
	return p.begin(ctx, "search.transform").transform(in)
}

func (q *asking) transform(in engine.SearchRequest) engine.Transformed {
	q.situate(&in.CallContext)
	was := in.Alias
	q.next = func(answer any) any {
		a := answer.(record)
		if a.text("action") == "reject" {
			return nil
		}
		in.Alias = a.text("alias")
		return in
	}
	q.ask(in)
	d := engine.Transformed{Alias: in.Alias}
	by := ""
	if n := len(q.out.answers); n > 0 {
		last := q.out.answers[n-1]
		by = last.script.Name
		if a := last.value.(record); a.text("action") == "reject" {
			d.Reject = true
			d.Code, d.Reason = refusal(a, 403)
		}
	}
	switch {
	case q.out.rejected:
		d.Reject, d.Code, d.Reason = true, 403, unavailable
	case len(q.out.missing) > 0 && !d.Reject:
		d.Alias, by = was, "" // half a pipeline is no answer
	}
	d.Decided = q.decided(by)
	finish(q, d, by)
	return d
}

// Route asks hook search.route what to do with the candidates that the search
// rules gave. Targets are zones that exist and are enabled.
//
// No errors reach the caller. When a script fails and nothing stands in for it,
// the candidates stand as they are; where its on_failure is reject, the search
// is refused.
func (p *Policies) Route(ctx context.Context, in engine.RouteRequest) engine.Route {
	return p.begin(ctx, "search.route").route(in)
}

func (q *asking) route(in engine.RouteRequest) engine.Route {
	q.situate(&in.CallContext)
	q.check = q.routable
	q.ask(in)
	a, by := q.out.first()
	d := engine.Route{Decided: q.decided(by), Action: engine.RouteCandidates}
	switch {
	case a == nil && q.out.rejected:
		d.Action, d.Code, d.Reason = engine.RouteReject, 403, unavailable
	case a == nil:
	case a.text("action") == "reject":
		d.Action, d.Detail = engine.RouteReject, a.text("detail")
		d.Code, d.Reason = refusal(a, 403)
	case a.text("action") == "skip":
		d.Action, d.Reason = engine.RouteSkip, a.text("reason")
	default:
		d.Action = engine.RouteTargets
		d.Continue = a.flag("continue")
		for _, t := range a.list("targets") {
			target := t.(record)
			d.Targets = append(d.Targets, engine.RouteTarget{Zone: target.text("zone"), Alias: target.text("alias")})
		}
	}
	finish(q, d, by)
	return d
}

// routable checks the zones of a route.
func (q *asking) routable(_ *script, answer any) error {
	targets := answer.(record).list("targets")
	if q.p.o.ZoneEnabled == nil {
		return nil
	}
	for i, t := range targets {
		if zone := t.(record).text("zone"); !q.p.o.ZoneEnabled(zone) {
			return badOutput("answer.targets[%d].zone: there is no enabled zone %q", i+1, clip(zone, 64))
		}
	}
	return nil
}

const defaultRing = 30 // seconds

// FindMe asks hook findme.resolve which devices ring, and in what order.
//
// No errors reach the caller. When a script fails and nothing stands in for it,
// or none answers, the primary devices ring together for the configured time.
func (p *Policies) FindMe(ctx context.Context, in engine.FindMeRequest) engine.FindMeRings {
	return p.begin(ctx, "findme.resolve").findMe(in)
}

func (q *asking) findMe(in engine.FindMeRequest) engine.FindMeRings {
	q.situate(&in.CallContext)
	if in.RingSeconds == 0 {
		in.RingSeconds = defaultRing
	}
	q.ask(in)
	a, by := q.out.first()
	d := engine.FindMeRings{Decided: q.decided(by)}
	if a == nil {
		d.Rings = primaries(in)
	} else {
		for _, one := range a.list("rings") {
			ring := one.(record)
			out := engine.FindMeRing{Seconds: ring.number("seconds")}
			for _, alias := range ring.list("aliases") {
				out.Aliases = append(out.Aliases, textOf(alias))
			}
			d.Rings = append(d.Rings, out)
		}
	}
	finish(q, d, by)
	return d
}

// primaries is the fail-safe of findme.resolve.
func primaries(in engine.FindMeRequest) []engine.FindMeRing {
	ring := engine.FindMeRing{Seconds: in.RingSeconds}
	for _, d := range in.Devices {
		if d.Role == "primary" {
			ring.Aliases = append(ring.Aliases, d.Alias)
		}
	}
	if len(ring.Aliases) == 0 {
		return nil
	}
	return []engine.FindMeRing{ring}
}

// Bandwidth asks hook bandwidth.admit how much a call gets, kbit/s.
//
// No errors reach the caller. When a script fails and nothing stands in for it,
// or none answers, the call gets what fits on the path if downspeeding is
// permitted; no answer gives more than was asked for or than the path has left.
func (p *Policies) Bandwidth(ctx context.Context, in engine.BandwidthRequest) engine.BandwidthGrant {
	return p.begin(ctx, "bandwidth.admit").bandwidth(in)
}

func (q *asking) bandwidth(in engine.BandwidthRequest) engine.BandwidthGrant {
	q.situate(&in.CallContext)
	fits := in.Fits()
	q.check = func(_ *script, answer any) error {
		a := answer.(record)
		if a.text("action") == "accept" && (!a.has("kbps") || !whole(a, "kbps", 1, float64(fits))) {
			return badOutput("answer.kbps is not a whole number from 1 to %d, what the call asked for and the path has left", fits)
		}
		return nil
	}
	q.ask(in)
	a, by := q.out.first()
	d := engine.BandwidthGrant{Decided: q.decided(by)}
	switch {
	case a == nil:
		d = fitting(in, fits)
		d.Decided = q.decided("")
	case a.text("action") == "reject":
		_, d.Reason = refusal(a, 0)
	default:
		d.Allow, d.Kbps = true, a.number("kbps")
	}
	finish(q, d, by)
	return d
}

// fitting is the fail-safe of bandwidth.admit. It does not tell a limit per call
// from a total: less than was asked for is given when both kinds of downspeeding
// are permitted.
func fitting(in engine.BandwidthRequest, fits int) engine.BandwidthGrant {
	if fits > 0 && (fits == in.Asked() || in.DownspeedPerCall && in.DownspeedTotal) {
		return engine.BandwidthGrant{Allow: true, Kbps: fits}
	}
	return engine.BandwidthGrant{Reason: "exceeds_call_capacity"}
}
