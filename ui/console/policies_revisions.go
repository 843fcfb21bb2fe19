package console

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/engine/policy"
)

// RevisionsPage is the history of the policies and how the next revision comes
// into service.
type RevisionsPage struct {
	PolicyFrame
	Revisions []RevisionRow
	Drafts    []policy.Listed // what the next revision takes
	Data      int             // rows of tables that it takes
	Staged    *RevisionRow
	Held      bool // the staged revision holds all of that already
	Active    int64
	Before    int64 // the revision that was active before, -1 for none
	Comment   string
	Trust     string // the fingerprint typed for an import
	FourEyes  bool   // the configuration asks for them
	DryRun    *policy.DryRun
	Since     string
}

// RevisionRow is one revision with what the peers said of it.
type RevisionRow struct {
	policy.Past
	StateOf Badge
	Answers []AckRow
}

// AckRow is one peer's word.
type AckRow struct {
	engine.PolicyAck
	State Badge
}

func revisionBadge(s engine.PolicyState) Badge {
	switch s {
	case engine.PolicyActive:
		return Badge{Kind: "ok", Icon: "ok", Key: "revisionstate.active"}
	case engine.PolicyStaged:
		return Badge{Kind: "info", Icon: "info", Key: "revisionstate.staged"}
	case engine.PolicyStaging:
		return Badge{Kind: "info", Icon: "sync", Key: "revisionstate.staging"}
	case engine.PolicyRefused:
		return Badge{Kind: "bad", Icon: "bad", Key: "revisionstate.refused"}
	}
	return Badge{Kind: "muted", Icon: "off", Key: "revisionstate.retired"}
}

func (s *Server) revisionsPage(c echo.Context) error {
	p, err := s.revisions(c)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "policyrevisions", p)
}

func (s *Server) revisions(c echo.Context) (RevisionsPage, error) {
	p := RevisionsPage{PolicyFrame: s.policyFrame(c, "revisions"), Before: -1, Since: "24h"}
	var past []policy.Past
	if err := s.askPolicy(c, &past, "PolicyHistory", nil); err != nil {
		return p, err
	}
	for _, one := range past {
		row := RevisionRow{Past: one, StateOf: revisionBadge(one.State)}
		for _, ack := range one.Acks {
			state := Badge{Kind: "ok", Icon: "ok", Key: "ack.ok"}
			if !ack.OK {
				state = Badge{Kind: "bad", Icon: "bad", Key: "ack.refused"}
			}
			row.Answers = append(row.Answers, AckRow{ack, state})
		}
		p.Revisions = append(p.Revisions, row)
		switch one.State {
		case engine.PolicyActive:
			p.Active, p.Before = one.Number, one.BasedOn
		case engine.PolicyStaged:
			if p.Staged == nil {
				p.Staged = &p.Revisions[len(p.Revisions)-1]
			}
		}
	}
	if p.Staged != nil { // appending may have moved it
		for i := range p.Revisions {
			if p.Revisions[i].Number == p.Staged.Number {
				p.Staged = &p.Revisions[i]
			}
		}
	}
	var status policy.Watched
	if err := s.askPolicy(c, &status, "PolicyStatus", nil); err != nil {
		return p, err
	}
	p.FourEyes = status.FourEyes
	err := s.drafted(c, &p)
	p.Held = p.Staged != nil && p.Data == 0 && len(p.Drafts) > 0 && !slices.ContainsFunc(p.Drafts, func(l policy.Listed) bool {
		return !slices.ContainsFunc(p.Staged.Items, func(i engine.PolicyItem) bool { return i.Name == l.Name && i.SHA256 == l.Draft })
	})
	return p, err
}

// drafted finds what the next revision would take.
func (s *Server) drafted(c echo.Context, p *RevisionsPage) error {
	all, err := s.listPolicies(c)
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Draft != "" {
			p.Drafts = append(p.Drafts, l)
		}
	}
	var tables policy.Tables
	if err := s.askPolicy(c, &tables, "PolicyData", nil); err != nil {
		return err
	}
	for _, t := range tableViews(tables) {
		for _, r := range t.Rows {
			if r.Change != "" {
				p.Data++
			}
		}
	}
	return nil
}

// changeRevision stages, activates or rolls back, or tries the candidate on
// what was recorded.
func (s *Server) changeRevision(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	name, args, notice := "", map[string]string{}, ""
	switch form.Get("do") {
	case "stage":
		name, notice = "PolicyStage", "policy_staged"
		args["Comment"] = trimmed(form, "comment")
		for field, name := range map[string]string{"script": "Script", "mode": "Mode", "on_failure": "OnFailure", "order": "Order"} {
			args[name] = trimmed(form, field)
		}
	case "activate":
		name, notice = "PolicyActivate", "policy_active"
		args["Revision"] = form.Get("revision")
		if mode := form.Get("mode"); mode != "" {
			args["Mode"] = mode
		}
		if form.Get("four_eyes") != "" {
			args["FourEyes"] = "True"
		}
	case "rollback":
		name, notice = "PolicyRollback", "policy_rolled_back"
		args["Revision"] = form.Get("revision")
		args["Comment"] = trimmed(form, "comment")
	case "dryrun":
		return s.dryRun(c, form.Get("since"), form.Get("revision"))
	default:
		return &engine.Error{Code: engine.Invalid, Message: "error.form"}
	}
	for key, value := range args {
		if value == "" {
			delete(args, key)
		}
	}
	if _, err := s.run(c, name, 0, args); err != nil {
		p, failed := s.revisions(c)
		if failed != nil {
			return err
		}
		p.Comment = form.Get("comment")
		return s.render(c, refused(&p.PolicyFrame, err), "policyrevisions", p)
	}
	return done(c, "/policies/revisions", notice)
}

func (s *Server) dryRun(c echo.Context, since, revision string) error {
	p, err := s.revisions(c)
	if err != nil {
		return err
	}
	args := map[string]string{}
	if since != "" {
		p.Since, args["Since"] = since, since
	}
	if n, err := strconv.ParseInt(revision, 10, 64); err == nil && n > 0 {
		args["Revision"] = revision
	}
	var run policy.DryRun
	if err := s.askPolicy(c, &run, "PolicyDryRun", args); err != nil {
		return s.render(c, refused(&p.PolicyFrame, err), "policyrevisions", p)
	}
	for i, d := range run.Differences {
		run.Differences[i].Was, run.Differences[i].Is = s.answerKind(p.Lang, d.Was), s.answerKind(p.Lang, d.Is)
	}
	p.DryRun = &run
	return s.render(c, http.StatusOK, "policyrevisions", p)
}
