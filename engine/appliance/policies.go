package appliance

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
	"hexad/engine/event"
	"hexad/engine/link"
	"hexad/engine/policy"
	"hexad/sqlstore"
)

// newLifecycle makes what brings policies into service; the store and the
// clustering are there.
func (a *appliance) newLifecycle() {
	a.releases = &releases{local: a.local}
	a.lifecycle = policy.NewLifecycle(policy.LifecycleOptions{
		Policies: a.policies, Builtin: builtin(), Store: policyStore{a.store}, Records: records{a}, Peers: members{a}, Alarms: policyAlarms{a},
		Signer: signer{a}, Setting: clusterConfig{a}.Get,
		Emit:    func(actor engine.Actor, what string) { a.journal.Emit(event.By(actor, "Policy Change", what)) },
		Applied: a.cluster.RulesChanged, Logger: a.log.With("module", "policy"),
	})
}

// policyStore refuses changes of the policies while this system's copy is about
// to be replaced: they would only be one more thing that is lost.
type policyStore struct{ *store }

func (p policyStore) PutPolicyDraft(ctx context.Context, v engine.PolicyVersion, builtin bool) error {
	if err := p.a.cluster.MayShare(); err != nil {
		return err
	}
	return p.store.PutPolicyDraft(ctx, v, builtin)
}

func (p policyStore) SetPolicyDraft(ctx context.Context, name, draft, by string) error {
	if err := p.a.cluster.MayShare(); err != nil {
		return err
	}
	return p.store.SetPolicyDraft(ctx, name, draft, by)
}

func (p policyStore) DraftPolicyData(ctx context.Context, changes []engine.PolicyDatum) error {
	if err := p.a.cluster.MayShare(); err != nil {
		return err
	}
	return p.store.DraftPolicyData(ctx, changes)
}

func (p policyStore) StagePolicy(ctx context.Context, r engine.PolicyRevision, data map[string]map[string]string) error {
	if err := p.a.cluster.MayShare(); err != nil {
		return err
	}
	return p.store.StagePolicy(ctx, r, data)
}

func (p policyStore) ActivatePolicy(ctx context.Context, r engine.PolicyRevision) error {
	if err := p.a.cluster.MayShare(); err != nil {
		return err
	}
	return p.store.ActivatePolicy(ctx, r)
}

func (p policyStore) PutPolicyWaiver(ctx context.Context, w engine.PolicyWaiver) error {
	if err := p.a.cluster.MayShare(); err != nil {
		return err
	}
	return p.store.PutPolicyWaiver(ctx, w)
}

func (p policyStore) DeletePolicyWaiver(ctx context.Context, id string) error {
	if err := p.a.cluster.MayShare(); err != nil {
		return err
	}
	return p.store.DeletePolicyWaiver(ctx, id)
}

// rules are the policies as clustering asks them: findings that are waived are
// marked here, and nowhere else.
type rules struct{ a *appliance }

func (r rules) waived(j engine.Judgement) engine.Judgement {
	if r.a.lifecycle != nil {
		j.Findings = r.a.lifecycle.Waive(j.Findings)
	}
	return j
}

func (r rules) ValidateCluster(ctx context.Context, in engine.ClusterInput) engine.Judgement {
	return r.waived(r.a.policies.ValidateCluster(ctx, in))
}

func (r rules) CompareKeys(ctx context.Context, in engine.KeysInput) engine.Judgement {
	return r.waived(r.a.policies.CompareKeys(ctx, in))
}

func (r rules) Prerequisites(ctx context.Context, in engine.PrerequisitesInput) engine.Judgement {
	return r.waived(r.a.policies.Prerequisites(ctx, in))
}

func (r rules) PeersChanged(ctx context.Context, in engine.PeersChangedInput) engine.ResetDecision {
	return r.a.policies.PeersChanged(ctx, in)
}

// pinned passes on that a script was pinned here; before the lifecycle is made
// no script is asked.
func (a *appliance) pinned(p engine.PolicyPin) {
	if a.lifecycle != nil {
		a.lifecycle.Pinned(p)
	}
}

func (a *appliance) unpinned(p engine.PolicyPin) {
	if a.lifecycle != nil {
		a.lifecycle.Unpinned(p)
	}
}

// records is local.db as the policies keep decisions and pins there.
type records struct{ a *appliance }

func (r records) Decision(ctx context.Context, id string) (policy.Decision, error) {
	stored, err := r.a.local.Decision(ctx, id)
	if err != nil {
		return policy.Decision{}, err
	}
	d := decisionOf(stored)
	steps, err := r.a.local.DecisionSteps(ctx, id)
	for _, s := range steps {
		if s.Kind == stepStage {
			d.Steps = append(d.Steps, policy.Step{Stage: s.Name, Outcome: s.Outcome, Detail: s.Detail})
			continue
		}
		var step policy.Step
		if json.Unmarshal([]byte(s.Detail), &step) != nil {
			step = policy.Step{Script: s.Name, Outcome: s.Outcome, Detail: s.Detail}
		}
		d.Steps = append(d.Steps, step)
	}
	return d, err
}

func (r records) Decisions(ctx context.Context, since time.Time, hook string, limit int) ([]policy.Decision, error) {
	stored, err := r.a.local.Decisions(ctx, sqlstore.DecisionFilter{Since: since, Hook: hook, Limit: limit})
	out := make([]policy.Decision, 0, len(stored))
	for _, s := range stored {
		out = append(out, decisionOf(s))
	}
	return out, err
}

func decisionOf(s sqlstore.Decision) policy.Decision {
	return policy.Decision{
		ID: s.ID, At: s.Time, Hook: s.Hook, Revision: s.Revision, Input: json.RawMessage(s.Input), Answer: json.RawMessage(s.Answer),
		Masked: s.Masking == sqlstore.Masked, Looked: s.Masking != sqlstore.AsMade, Degraded: s.Degraded != "", Took: time.Duration(s.Microseconds) * time.Microsecond, Instructions: int(s.Instructions),
	}
}

func (r records) Pins(ctx context.Context) ([]engine.PolicyPin, error) {
	return r.a.local.PolicyPins(ctx)
}

func (r records) PutPins(ctx context.Context, pins []engine.PolicyPin) error {
	return r.a.local.PutPolicyPins(ctx, pins)
}

// maskedAtOnce is how many decisions are masked in one go.
const maskedAtOnce = 100

func (r records) MaskDecisions(ctx context.Context, mask func(policy.Decision) (policy.Decision, error)) (int, error) {
	asMade, err := r.a.local.Decisions(ctx, sqlstore.DecisionFilter{AsMade: true, Limit: maskedAtOnce})
	if err != nil || len(asMade) == 0 {
		return 0, err
	}
	masked := make([]sqlstore.Decision, len(asMade))
	for i, s := range asMade {
		d, err := r.Decision(ctx, s.ID)
		if engine.CodeOf(err) == engine.NotFound { // pruned meanwhile
			masked[i] = s
			continue
		}
		if err != nil {
			return 0, err
		}
		if d, err = mask(d); err != nil { // not readable: nothing of it stays
			d.ID, d.Looked, d.Masked, d.Input, d.Answer = s.ID, true, true, json.RawMessage("null"), json.RawMessage("null")
		}
		masked[i] = stored(d)
	}
	return len(masked), r.a.local.MaskDecisions(ctx, masked)
}

// masksAliases is what the configuration says of aliases in kept decisions.
func (a *appliance) masksAliases() bool {
	return a.config != nil && clusterConfig{a}.Get(policy.ItemMaskAliases) == "On"
}

// recordDecision keeps a decision so that it can be asked for and explained.
func (a *appliance) recordDecision(d policy.Decision) {
	if !a.space.keeps(1) {
		return
	}
	if err := a.local.AppendDecisions(context.Background(), []sqlstore.Decision{stored(d)}); err != nil {
		a.log.Debug("decision not kept", "module", "policy", "id", d.ID, "err", err)
	}
}

// stored is a decision as local.db keeps it.
func stored(d policy.Decision) sqlstore.Decision {
	out := sqlstore.Decision{
		ID: d.ID, Time: d.At, Hook: d.Hook, Revision: d.Revision, Input: string(d.Input), Answer: string(d.Answer),
		Microseconds: d.Took.Microseconds(), Instructions: int64(d.Instructions),
	}
	if d.Degraded {
		out.Degraded = "a script failed"
	}
	switch {
	case d.Masked:
		out.Masking = sqlstore.Masked
	case d.Looked:
		out.Masking = sqlstore.NothingToMask
	}
	out.Steps = storedSteps(d.Steps)
	return out
}

// recordStages adds to a decision that is kept what was done with its answer.
func (a *appliance) recordStages(id string, steps []policy.Step) {
	if !a.space.keeps(1) {
		return
	}
	if err := a.local.AppendDecisionSteps(context.Background(), id, storedSteps(steps)); err != nil {
		a.log.Debug("stages of a decision not kept", "module", "policy", "id", id, "err", err)
	}
}

// storedSteps are steps as local.db keeps them: a script's whole, as JSON, and
// a stage as it is.
func storedSteps(steps []policy.Step) []sqlstore.DecisionStep {
	var out []sqlstore.DecisionStep
	for _, s := range steps {
		if s.Stage != "" {
			out = append(out, sqlstore.DecisionStep{Kind: stepStage, Name: s.Stage, Outcome: s.Outcome, Detail: s.Detail})
			continue
		}
		detail, err := json.Marshal(s)
		if err != nil {
			detail = []byte(s.Detail)
		}
		out = append(out, sqlstore.DecisionStep{Kind: stepScript, Name: s.Script, Outcome: s.Outcome, Detail: string(detail)})
	}
	return out
}

// Kinds of the steps of a decision in local.db.
const (
	stepScript = "script"
	stepStage  = "stage" // of what hexad did itself
)

// members are the peers as staging and watching reach them.
type members struct{ a *appliance }

func (m members) Peers(ctx context.Context) []policy.Peer {
	var out []policy.Peer
	for _, t := range m.a.cluster.Told() {
		p := policy.Peer{Node: t.Node, Address: t.Address, Here: t.Here, Reachable: t.Reachable, Heard: t.Facts.Node != "", Facts: t.Facts.Policy}
		if !t.Here {
			p.Facts.API, p.Heard = m.a.releases.api(ctx, t.Facts, t.Node)
		}
		out = append(out, p)
	}
	return out
}

// releases remembers over a restart which API version of the policies each
// member said last that its release knows. It is safe for concurrent use.
type releases struct {
	local *sqlstore.Local
	mu    sync.Mutex
	known map[string]int // by node; nil until it was read
}

// api is what a member said last, now or before this process began; false when
// it has never said anything. What is new is kept.
func (r *releases) api(ctx context.Context, now engine.Facts, node string) (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		kept, err := r.local.Facts(ctx)
		if err != nil {
			return now.Policy.API, now.Node != ""
		}
		r.known = map[string]int{}
		for _, h := range kept {
			r.known[h.Facts.Node] = h.Facts.Policy.API
		}
	}
	before, known := r.known[node]
	if now.Node == "" {
		return before, known
	}
	if api := now.Policy.API; (!known || before != api) && r.local.PutFacts(ctx, now, time.Now()) == nil {
		r.known[node] = api
	}
	return now.Policy.API, true
}

func (m members) Primary() bool {
	return m.a.cluster.Agreed().Primary == m.a.identity.now().Node
}

// askTime bounds a question to a peer: it compiles and tests a whole revision.
const askTime = 25 * time.Second

// maxAnswer bounds a peer's answer.
const maxAnswer = 1 << 20

func (m members) Ask(ctx context.Context, node, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+node+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := m.a.link.Client(node).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return json.Unmarshal(raw, out)
}

// serveStage answers a member that asks whether a revision runs here. The link
// has authenticated it.
func (a *appliance) serveStage(w http.ResponseWriter, r *http.Request) {
	var ask policy.StageAsk
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	if err == nil {
		err = json.Unmarshal(raw, &ask)
	}
	if err != nil {
		http.Error(w, "request not understood", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a.lifecycle.Judge(r.Context(), ask)) // the connection is the peer's problem
}

// policyAlarms raises what the lifecycle finds.
type policyAlarms struct{ a *appliance }

func (p policyAlarms) Reconcile(ctx context.Context, source string, conditions []policy.Condition) {
	list := make([]alarm.Condition, len(conditions))
	for i, c := range conditions {
		list[i] = alarm.Condition{ID: c.ID, Key: c.Key, Params: c.Params}
	}
	p.a.tracker.Reconcile(ctx, source, list)
}

func (p policyAlarms) Lower(ctx context.Context, id int, key string) { p.a.tracker.Lower(ctx, id, key) }

// signer signs exported revisions with this peer's key.
type signer struct{ a *appliance }

func (s signer) Sign(digest []byte) ([]byte, string, error) {
	c := s.a.link.Credentials()
	key, ok := c.TLS().PrivateKey.(crypto.Signer)
	if !ok {
		return nil, "", engine.Errorf(engine.Internal, "this peer's key cannot sign")
	}
	var hash crypto.SignerOpts = crypto.SHA256
	if _, ed := key.(ed25519.PrivateKey); ed {
		hash = crypto.Hash(0)
	}
	signature, err := key.Sign(rand.Reader, digest, hash)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	return signature, string(certificate), err
}

func (s signer) Verify(digest, signature []byte, certificate string) (string, bool, error) {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return "", false, engine.Errorf(engine.Denied, "the archive carries no certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", false, engine.Errorf(engine.Denied, "the archive's certificate cannot be read: %w", err)
	}
	right := false
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		right = ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		right = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) == nil
	case ed25519.PublicKey:
		right = ed25519.Verify(key, digest, signature)
	}
	if !right {
		return "", false, engine.Errorf(engine.Denied, "the archive's signature is wrong").With("", "export it again")
	}
	fingerprint := link.Fingerprint(cert)
	for _, m := range s.a.cluster.Agreed().Members {
		if m.Fingerprint == fingerprint {
			return fingerprint, true, nil
		}
	}
	return fingerprint, fingerprint == s.a.link.Credentials().Fingerprint(), nil
}
