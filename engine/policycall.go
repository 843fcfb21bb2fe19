package engine

// What the rules are asked about registrations and calls, and what they
// answer. The JSON names are the names that a script sees; a field that is left
// out in JSON is nil there. Whoever asks owns the request and does not change
// it, or anything it points to, afterwards: a decision that is kept reads it.
//
// Source: reference/policy-api.md section 6.

// CallContext is what every call hook's input has besides its own fields. A
// front end leaves it empty: the policies fill it in from the Situation that
// was told to them last. It points to records, which never change, since a
// decision takes less time than copying them would.
type CallContext struct {
	Now      int64          `json:"now"`
	Revision int64          `json:"revision"`
	Self     *PeerRecord    `json:"self"`
	Cluster  *ClusterRecord `json:"cluster"`
}

// Situation is the peer that asks and its cluster, as of now.
type Situation struct {
	Self    PeerRecord
	Cluster ClusterRecord
}

// SourceRecord is where a request comes from.
type SourceRecord struct {
	Alias         string `json:"alias"` // "" when the caller gives none
	Zone          string `json:"zone"`  // zone or subzone
	ZoneType      string `json:"zone_type"`
	IP            string `json:"ip"`
	Authenticated bool   `json:"authenticated"`
}

// The zone types that scripts see. Source: reference 7.4.
const (
	ZoneLocal     = "local" // a subzone of the local zone
	ZoneDefault   = "default"
	ZoneNeighbor  = "neighbor"
	ZoneTraversal = "traversal"
	ZoneENUM      = "enum"
	ZoneDNS       = "dns"
)

// LicenceRecord is what is left of a pooled licence.
type LicenceRecord struct {
	Type string `json:"type"` // "room", "desktop"; "" when none is needed
	Free int    `json:"free"`
}

// RegistrationRequest asks hook registration.admit on the peer that got the
// registration. Listed is "allow", "deny" or "" (on no list); Restriction is
// the policy that the lists serve. Elsewhere is the address of the peer that
// holds the alias already, "" when none does.
type RegistrationRequest struct {
	CallContext
	Aliases       []string      `json:"aliases"`
	Protocol      Protocol      `json:"protocol"`
	SourceIP      string        `json:"source_ip"`
	Authenticated bool          `json:"authenticated"`
	Subzone       string        `json:"subzone"`
	Restriction   string        `json:"restriction"` // none, allow_list, deny_list
	Listed        string        `json:"listed,omitempty"`
	Refresh       bool          `json:"refresh"` // of a live registration
	Elsewhere     string        `json:"elsewhere,omitempty"`
	Conflict      string        `json:"conflict"` // reject, overwrite: H.323 alias conflict mode
	Licence       LicenceRecord `json:"licence"`
}

// Protocol is how an endpoint or a zone speaks.
type Protocol string

// The protocols.
const (
	SIP  Protocol = "sip"
	H323 Protocol = "h323"
)

// CallRequest asks hook call.admit before the search. Hops is what is left of
// the hop count.
type CallRequest struct {
	CallContext
	Alias    string       `json:"alias"`
	Source   SourceRecord `json:"source"`
	Protocol Protocol     `json:"protocol"`
	Hops     int          `json:"hops"`
}

// SearchRequest asks hook search.transform before the search; Alias is as the
// configured transforms left it, Dialled as the caller gave it.
type SearchRequest struct {
	CallContext
	Alias    string       `json:"alias"`
	Dialled  string       `json:"dialled"`
	Source   SourceRecord `json:"source"`
	Protocol Protocol     `json:"protocol"`
	Hops     int          `json:"hops"`
}

// RouteCandidate is one target that the search rules gave. Priority and Rule
// are the rule's; Stop tells that its rule ends the search.
type RouteCandidate struct {
	Zone      string `json:"zone"`
	ZoneType  string `json:"zone_type"`
	ZoneState string `json:"zone_state"` // active, failed, checking, off
	Alias     string `json:"alias"`
	Rule      string `json:"rule"`
	Priority  int    `json:"priority"`
	Stop      bool   `json:"stop"`
}

// RouteRequest asks hook search.route after the search rules were matched.
// Bandwidth is what the call asks for, kbit/s.
type RouteRequest struct {
	CallContext
	Alias      string           `json:"alias"`
	Source     SourceRecord     `json:"source"`
	Protocol   Protocol         `json:"protocol"`
	Hops       int              `json:"hops"`
	Candidates []RouteCandidate `json:"candidates"`
	Bandwidth  int              `json:"bandwidth"`
}

// FindMeDevice is one device of a FindMe ID.
type FindMeDevice struct {
	Alias      string `json:"alias"`
	Role       string `json:"role"` // primary, busy, noanswer
	Registered bool   `json:"registered"`
	InCall     bool   `json:"in_call"`
}

// LocalTime is the time where the FindMe ID's owner is. Weekday is 1 (Monday)
// to 7.
type LocalTime struct {
	Hour    int `json:"hour"`
	Minute  int `json:"minute"`
	Weekday int `json:"weekday"`
}

// FindMeRequest asks hook findme.resolve. RingSeconds is the configured time.
type FindMeRequest struct {
	CallContext
	FindMeID    string         `json:"findme_id"`
	Caller      SourceRecord   `json:"caller"`
	Devices     []FindMeDevice `json:"devices"`
	LocalTime   LocalTime      `json:"local_time"`
	RingSeconds int            `json:"ring_seconds"` // 30 when 0
}

// PathPipe is one limit on a call's path, kbit/s. A Total or PerCallMax of 0
// means unlimited; Closed means that nothing may pass.
type PathPipe struct {
	Pipe       string `json:"pipe"`
	Total      int    `json:"total"`
	Used       int    `json:"used"`
	PerCallMax int    `json:"per_call_max"`
	Closed     bool   `json:"closed"`
}

// BandwidthRequest asks hook bandwidth.admit, kbit/s. Requested is 0 when the
// call names none: then Default counts. Downspeed* tell whether a call may get
// less than it asked for when a limit per call, or a total, is in the way.
type BandwidthRequest struct {
	CallContext
	Requested        int        `json:"requested"`
	Default          int        `json:"default"`
	Path             []PathPipe `json:"path"`
	DownspeedPerCall bool       `json:"downspeed_per_call"`
	DownspeedTotal   bool       `json:"downspeed_total"`
}

// Fits is the largest bandwidth that the path has left for one call, at most
// what was asked for; 0 when nothing passes.
func (r BandwidthRequest) Fits() int {
	kbps := r.Asked()
	for _, p := range r.Path {
		if p.Closed {
			return 0
		}
		if p.PerCallMax > 0 {
			kbps = min(kbps, p.PerCallMax)
		}
		if p.Total > 0 {
			kbps = min(kbps, p.Total-p.Used)
		}
	}
	return max(kbps, 0)
}

// Asked is the bandwidth that the call asks for, or the default.
func (r BandwidthRequest) Asked() int {
	if r.Requested > 0 {
		return r.Requested
	}
	return r.Default
}

// GateRequest asks hook procedure.gate before each step of a procedure, on the
// peer that runs it: a guided one, or what an administrator asks for by itself
// ("restart" is the restart of one system). Peer is the address that the step is
// about. Restarted are the peers that started after the last change.
// SinceChangeS and SinceRestartS are seconds since the last change of the
// configuration and since the last restart of any peer, -1 when unknown.
type GateRequest struct {
	PolicyContext
	Procedure     string       `json:"procedure"`
	Step          string       `json:"step"`
	Peer          string       `json:"peer"`
	Peers         []PeerRecord `json:"peers"`
	Restarted     []string     `json:"restarted"` // addresses restarted by this procedure so far
	SinceChangeS  int          `json:"since_change_s"`
	SinceRestartS int          `json:"since_restart_s"`
}

// CapacityPeer is what one peer can carry.
type CapacityPeer struct {
	Address               string `json:"address"`
	Size                  string `json:"size"` // small, medium, large, appliance
	CallsCapacity         int    `json:"calls_capacity"`
	RegistrationsCapacity int    `json:"registrations_capacity"`
	Reachable             bool   `json:"reachable"`
	// UnseenS is for how many seconds, in whole minutes, it has not answered any
	// member; 0 while it does.
	UnseenS int `json:"unseen_s"`
	// Licences are the pooled ones that are installed on it, by type.
	Licences map[string]int `json:"licences"`
}

// CapacityRequest asks hook capacity.limit when membership or licences change,
// and each minute while a peer is lost. Licences is what all peers have by type,
// lost ones too; a type that is not limited is not in it.
type CapacityRequest struct {
	PolicyContext
	Peers    []CapacityPeer `json:"peers"`
	Licences map[string]int `json:"licences"`
}

// AlarmRecord is an alarm as the rules see it; times are unix seconds.
type AlarmRecord struct {
	ID           int               `json:"id"`
	Severity     Severity          `json:"severity"`
	Peer         string            `json:"peer"`
	Params       map[string]string `json:"params"`
	Count        int               `json:"count"`
	First        int64             `json:"first"`
	Acknowledged bool              `json:"acknowledged"`
}

// ProcedureRecord is a guided procedure that runs.
type ProcedureRecord struct {
	Kind    string   `json:"kind"`
	Step    string   `json:"step"`
	Peer    string   `json:"peer"`    // that the step is about
	Peers   []string `json:"peers"`   // that the procedure touches
	Started int64    `json:"started"` // unix seconds
}

// AlarmRequest asks hook alarm.react on the primary. Event is "raised",
// "lowered" or "acknowledged".
type AlarmRequest struct {
	PolicyContext
	Event     string           `json:"event"`
	Alarm     AlarmRecord      `json:"alarm"`
	Procedure *ProcedureRecord `json:"procedure,omitempty"`
}

// Decided is what every answer has: the id under which the decision can be
// explained ("" when nobody keeps decisions), the script that decided ("" when
// none did) and why the answer is not the active scripts' own, nil when it is.
// None of it is part of the answer's JSON: equal answers are equal there.
type Decided struct {
	Decision string `json:"-"`
	Script   string `json:"-"`
	Degraded error  `json:"-"`
}

// Admission answers a registration or a call. Code is a SIP status and Reason a
// word when it is refused. Subzone and TTL (seconds, 60 to 86,400) are "" and 0
// where the script leaves them to the configuration.
type Admission struct {
	Decided
	Allow   bool   `json:"allowed"`
	Code    int    `json:"code,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Subzone string `json:"subzone,omitempty"`
	TTL     int    `json:"ttl,omitempty"`
}

// Transformed answers search.transform: the alias to search for, or a refusal.
type Transformed struct {
	Decided
	Alias  string `json:"alias"`
	Reject bool   `json:"reject,omitempty"`
	Code   int    `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// RouteTarget is one zone to ask for an alias.
type RouteTarget struct {
	Zone  string `json:"zone"`
	Alias string `json:"alias"`
}

// RouteAction is what a search does next.
type RouteAction string

// The actions.
const (
	RouteCandidates RouteAction = "candidates" // as the search rules gave them
	RouteTargets    RouteAction = "route"      // the Targets instead
	RouteReject     RouteAction = "reject"     // no search
	RouteSkip       RouteAction = "skip"       // nothing is asked; the search ends as not found
)

// Route answers search.route. With Continue the candidates follow the targets
// when none of these answers.
type Route struct {
	Decided
	Action   RouteAction   `json:"action"`
	Targets  []RouteTarget `json:"targets,omitempty"`
	Continue bool          `json:"continue,omitempty"`
	Code     int           `json:"code,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Detail   string        `json:"detail,omitempty"`
}

// FindMeRing is devices that ring together.
type FindMeRing struct {
	Aliases []string `json:"aliases"`
	Seconds int      `json:"seconds"`
}

// FindMeRings answers findme.resolve: one ring after the other. None means
// that nobody can be called.
type FindMeRings struct {
	Decided
	Rings []FindMeRing `json:"rings"`
}

// BandwidthGrant answers bandwidth.admit.
type BandwidthGrant struct {
	Decided
	Allow  bool   `json:"allowed"`
	Kbps   int    `json:"kbps,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// GateAction is whether a step of a procedure may begin.
type GateAction string

// The actions.
const (
	GateGo     GateAction = "accept"
	GateWait   GateAction = "wait"
	GateReject GateAction = "reject"
)

// GateAnswer answers procedure.gate. After Seconds the gate is asked again;
// with AskOperator the operator decides then.
type GateAnswer struct {
	Decided
	Action      GateAction `json:"action"`
	Seconds     int        `json:"seconds,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	AskOperator bool       `json:"ask_operator,omitempty"`
	// Findings is the same for people: an error where the step may not begin now.
	Findings []Finding `json:"-"`
}

// Capacity answers capacity.limit.
type Capacity struct {
	Decided
	Calls         int    `json:"calls"`
	Registrations int    `json:"registrations"`
	CountedPeers  int    `json:"counted_peers"`
	Reason        string `json:"reason,omitempty"`
	// Lost says for how long the licences of lost peers stay in the pool; those
	// with nothing left are not in it.
	Lost []LostLeft `json:"lost,omitempty"`
}

// LostLeft is for how many seconds the licences of a lost peer stay in the
// pool, 0 or less since when they have left it; Warn says that an alarm is raised meanwhile.
type LostLeft struct {
	Peer  string `json:"peer"`
	LeftS int    `json:"left_s"`
	Warn  bool   `json:"warn,omitempty"`
}

// AlarmAct is one thing to do about an alarm: "notify" (To a destination),
// "severity" (To another severity), "expect" (ForS seconds, Reason) or
// "suggest" (Procedure).
type AlarmAct struct {
	Act       string `json:"act"`
	To        string `json:"to,omitempty"`
	ForS      int    `json:"for_s,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Procedure string `json:"procedure,omitempty"`
	Script    string `json:"script"`
}

// AlarmReaction answers alarm.react: every act of every script.
type AlarmReaction struct {
	Decided
	Acts []AlarmAct `json:"acts"`
}
