package procedure

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// What a step does.
const (
	doSave    = "save"
	doForce   = "force"
	doRestart = "restart"
	doLeave   = "leave"
	doSet     = "set"
	doUpdate  = "update"
	doAwait   = "await"
)

// What a step awaits.
const (
	wantActive = "active" // every peer answers, and its database is Active
	wantFresh  = "fresh"  // no restart is pending
	wantAgreed = "agreed" // every page has the same list and primary, and that primary is in effect
	wantLevel  = "level"  // every copy has the primary's revision
	wantEqual  = "equal"  // the contents of all copies are equal
	wantCalm   = "calm"   // no alarm of clustering is raised
	wantValid  = "valid"  // every certificate is valid
	wantJoined = "joined" // the peer of the step is a member
	wantGone   = "gone"   // it is none
)

// clusterAlarms are those that a procedure ends without. Source: reference 4.2.
var clusterAlarms = []int{20003, 20004, 20005, 20006, 20007, 20008, 20009, 20011, 20012, 20014, 20015, 20016, 20017, 20020, 20021}

// How long a step may take before the procedure is halted, and how long an
// administrator has to let a new peer join.
const (
	savePatience    = 2 * time.Minute
	restartPatience = 5 * time.Minute
	awaitPatience   = 10 * time.Minute
	joinPatience    = 30 * time.Minute
)

func patience(st *engine.ProcedureStep) time.Duration {
	switch {
	case slices.Contains(st.Want, wantJoined):
		return joinPatience
	case st.Do == doAwait:
		return awaitPatience
	case st.Do == doRestart || st.Do == doLeave:
		return restartPatience
	}
	return savePatience
}

// sight is the cluster as this peer sees it at one moment.
type sight struct {
	o    Options
	view engine.ClusterView
	told []engine.Told
}

func (r *Runner) look(ctx context.Context) sight {
	return sight{r.o, r.o.Cluster.View(ctx), r.o.Cluster.Told()}
}

func (s sight) of(node string) (engine.Told, bool) {
	i := slices.IndexFunc(s.told, func(t engine.Told) bool { return t.Node == node })
	if i < 0 {
		return engine.Told{}, false
	}
	return s.told[i], true
}

func (s sight) member(address string) (engine.Told, bool) {
	i := slices.IndexFunc(s.told, func(t engine.Told) bool {
		return strings.EqualFold(t.Address, address) || s.o.Cluster.SameAddress(t.Address, address)
	})
	if i < 0 {
		return engine.Told{}, false
	}
	return s.told[i], true
}

// done reports whether a step is done, and what it waits for when it is not.
func (s sight) done(ctx context.Context, st *engine.ProcedureStep) (bool, engine.Text) {
	if st.Do == doAwait {
		for _, want := range st.Want {
			if missing := s.missing(ctx, want, st.Peer); missing != (engine.Text{}) {
				return false, missing
			}
		}
		return true, engine.Text{}
	}
	t, known := s.of(st.Node)
	if st.Do == doLeave {
		// Its answer may be lost with it; that its reset was armed is then what it said last.
		if (!st.Told.IsZero() || t.Facts.ResetArmed) && (!known || !t.Reachable) {
			return true, engine.Text{}
		}
		return false, both("%s goes down to reset itself", "%s がリセットのために停止", st.Peer)
	}
	if !known || !t.Reachable {
		return false, both("%s answers", "%s が応答", st.Peer)
	}
	switch st.Do {
	case doSave, doForce:
		if t.Facts.Entered.Equal(*st.Page) && !t.Facts.ResetArmed && (st.Do == doSave || s.view.Primary == st.Node && s.view.Database == "Active") {
			return true, engine.Text{}
		}
		return false, both("%s has the page", "%s にページが反映される", st.Peer)
	case doRestart:
		if !st.Before.IsZero() && t.Facts.Started.After(st.Before) && len(t.Facts.Restart) == 0 && t.Facts.Store.State == "Active" {
			return true, engine.Text{}
		}
		return false, both("%s is back and its database is Active", "%s が復帰しデータベースが Active になる", st.Peer)
	}
	return !st.Told.IsZero(), both("%s has done it", "%s で完了する", st.Peer)
}

// missing says what a want still lacks; nothing when it is fulfilled.
func (s sight) missing(ctx context.Context, want, peer string) engine.Text {
	switch want {
	case wantActive:
		for _, p := range s.view.Peers {
			if p.State != engine.PeerActive && p.State != engine.ThisSystem {
				return both("%s is Active (now %s %s)", "%s が Active になる(現在 %s %s)", p.Address, p.State, p.Cause)
			}
		}
		for _, t := range s.told {
			switch {
			case !t.Reachable:
				return both("%s answers", "%s が応答", t.Address)
			case t.Facts.Store.State != "Active":
				return both("the database of %s is Active (now %s)", "%s のデータベースが Active になる(現在 %s)", t.Address, t.Facts.Store.State)
			}
		}
	case wantFresh:
		for _, t := range s.told {
			if len(t.Facts.Restart) > 0 {
				return both("%s is restarted: %s", "%s の再起動: %s", t.Address, strings.Join(t.Facts.Restart, "; "))
			}
		}
	case wantValid:
		for _, p := range s.view.Peers {
			if p.Certificate != "Valid" {
				return both("the certificate of %s is valid (now %s %s)", "%s の証明書が有効になる(現在 %s %s)", p.Address, p.Certificate, p.Reason)
			}
		}
	case wantAgreed:
		own := s.view.Entered
		for _, t := range s.told {
			if e := t.Facts.Entered; t.Reachable && (!engine.SamePeers(e.Peers, own.Peers) || e.Primary != own.Primary) {
				return both("%s has the same list and primary as %s", "%s のリストとプライマリが %s と一致する", t.Address, s.view.Address)
			}
		}
		if p := own.PrimaryAddress(); !s.o.Cluster.SameAddress(p, s.view.PrimaryAddress) {
			return both("%s is in effect as primary (now %s)", "%s がプライマリとして有効になる(現在 %s)", p, s.view.PrimaryAddress)
		}
	case wantLevel:
		if p, ok := s.of(s.view.Primary); ok && p.Reachable {
			for _, t := range s.told {
				if t.Reachable && t.Facts.Store.Revision < p.Facts.Store.Revision {
					return both("%s has revision %d (now %d)", "%s がリビジョン %d になる(現在 %d)", t.Address, p.Facts.Store.Revision, t.Facts.Store.Revision)
				}
			}
		}
	case wantEqual:
		return s.unequal(ctx)
	case wantCalm:
		return s.uneasy(ctx)
	case wantJoined:
		if t, ok := s.member(peer); !ok || !t.Reachable || len(t.Facts.Running.Peers) == 0 {
			return both("%s is a member", "%s がメンバーになる", peer)
		}
	case wantGone:
		if _, ok := s.member(peer); ok {
			return both("%s is no member", "%s がメンバーでなくなる", peer)
		}
	}
	return engine.Text{}
}

func (s sight) unequal(ctx context.Context) engine.Text {
	list, err := s.o.Cluster.DigestList(ctx, true)
	if err != nil {
		return both("the contents can be compared: %v", "内容を比較できる: %v", err)
	}
	for _, d := range list {
		if !d.Own && d.Verdict != engine.DigestEqual {
			return both("the contents of %s are equal (%s %s)", "%s の内容が一致する(%s %s)", d.Peer, d.Verdict, d.Obstacle)
		}
	}
	return engine.Text{}
}

func (s sight) uneasy(ctx context.Context) engine.Text {
	raised, err := s.o.Alarms(ctx)
	if err != nil {
		return both("the alarms can be read: %v", "アラームを読み取れる: %v", err)
	}
	for _, a := range raised {
		if _, member := s.of(a.Node); member && slices.Contains(clusterAlarms, a.ID) {
			return both("alarm %d of %s is lowered", "アラーム %d(%s)が解消する", a.ID, a.Peer)
		}
	}
	return engine.Text{}
}

// order is what a step asks of its peer.
func order(p *engine.Procedure, st *engine.ProcedureStep, gate string) engine.Order {
	do := map[string]string{doSave: engine.OrderSave, doForce: engine.OrderForce, doRestart: engine.OrderRestart,
		doLeave: engine.OrderLeave, doSet: engine.OrderSet, doUpdate: engine.OrderUpdate}[st.Do]
	return engine.Order{Do: do, Actor: p.Actor, Procedure: gate, Page: st.Page, Changes: st.Changes}
}

// gateStep is what the rules call what a step does.
func gateStep(st *engine.ProcedureStep) string {
	switch st.Do {
	case doForce:
		return "save"
	case doLeave:
		return "arm"
	case doUpdate:
		return "force"
	}
	return st.Do
}

// codeOf is the code of an error; what is no error of the product is a peer
// that did not answer.
func codeOf(err error) engine.Code {
	var e *engine.Error
	if !errors.As(err, &e) {
		return engine.Unavailable
	}
	return e.Code
}
