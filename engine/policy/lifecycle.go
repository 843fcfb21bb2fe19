package policy

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hexad/engine"
)

// Book reads this peer's copy of what the cluster has about its policies. It
// works with every other peer gone.
type Book interface {
	PolicyBook(ctx context.Context) (engine.PolicyBook, error)
	// PolicyMark changes whenever the active revision or the waivers do.
	PolicyMark(ctx context.Context) (active int64, mark string, err error)
	PolicyVersions(ctx context.Context, digests []string) (map[string]engine.PolicyVersion, error)
	PolicyData(ctx context.Context, revision int64) (map[string]map[string]string, error)
}

// Drafts keeps what the next revision takes. All of it is replicated.
// Errors of all: Unavailable while the group cannot commit.
type Drafts interface {
	PutPolicyDraft(ctx context.Context, v engine.PolicyVersion, builtin bool) error
	SetPolicyDraft(ctx context.Context, name, draft, by string) error
	DraftPolicyData(ctx context.Context, changes []engine.PolicyDatum) error
	PutPolicyWaiver(ctx context.Context, w engine.PolicyWaiver) error
	DeletePolicyWaiver(ctx context.Context, id string) error
}

// Revisions moves a revision from staged to active, each step one guarded
// write. Errors: Conflict when another step came between; Unavailable.
type Revisions interface {
	StagePolicy(ctx context.Context, r engine.PolicyRevision, data map[string]map[string]string) error
	AnswerPolicyStage(ctx context.Context, n int64, acks []engine.PolicyAck, state engine.PolicyState, reason string) error
	ActivatePolicy(ctx context.Context, r engine.PolicyRevision) error
}

// Store is the replicated half.
type Store interface {
	Book
	Drafts
	Revisions
}

// Records is what this peer itself keeps: decisions and pins.
type Records interface {
	// Decision returns one with its steps. Errors: NotFound.
	Decision(ctx context.Context, id string) (Decision, error)
	// Decisions returns at most limit decisions since a time, newest first; hook "" is any.
	Decisions(ctx context.Context, since time.Time, hook string, limit int) ([]Decision, error)
	Pins(ctx context.Context) ([]engine.PolicyPin, error)
	PutPins(ctx context.Context, pins []engine.PolicyPin) error
	// MaskDecisions masks aliases of decisions that were kept with them, some at
	// a time, and returns how many it looked at: 0 when none is left.
	MaskDecisions(ctx context.Context, mask func(Decision) (Decision, error)) (int, error)
}

// Peer is a member of the cluster as staging and watching see it. Facts are what
// it said last, perhaps before this process began; Heard tells whether it ever did.
type Peer struct {
	Node      string
	Address   string
	Here      bool
	Reachable bool
	Heard     bool
	Facts     engine.PolicyFacts
}

// Peers reaches the other members.
type Peers interface {
	// Peers lists all members, this one too.
	Peers(ctx context.Context) []Peer
	// Ask posts in to a path of the peer link and reads the answer into out.
	Ask(ctx context.Context, node, path string, in, out any) error
	// Primary reports whether this peer is the configuration primary.
	Primary() bool
}

// Alarms raises this peer's alarms. *alarm.Tracker with its conditions is one.
type Alarms interface {
	// Reconcile makes conditions all that source raises.
	Reconcile(ctx context.Context, source string, conditions []Condition)
	Lower(ctx context.Context, id int, key string)
}

// Condition is one alarm that holds.
type Condition struct {
	ID     int
	Key    string
	Params map[string]string
}

// Signer signs what is exported with this peer's key, and verifies.
type Signer interface {
	// Sign returns the signature and the certificate (PEM) that verifies it.
	Sign(digest []byte) (signature []byte, certificate string, err error)
	// Verify returns the SHA-256 of the signer's public key, and whether a
	// member of this cluster has it. Errors: Denied (the signature is wrong).
	Verify(digest, signature []byte, certificate string) (fingerprint string, known bool, err error)
}

// Configuration items of the policies.
const (
	ItemFourEyes     = "Policy Scripts FourEyes"
	ItemAutoRollback = "Policy Scripts AutoRollback"
	ItemMaskAliases  = "Policy Scripts MaskAliases"
)

// LifecycleOptions connects a Lifecycle with the rest of the peer.
type LifecycleOptions struct {
	Policies *Policies
	Builtin  []Script
	Store    Store
	Records  Records
	Peers    Peers
	Alarms   Alarms
	Signer   Signer
	Setting  func(item string) string // configuration item of the policies; nil: defaults
	Address  func() string            // of this peer, for acks and audit
	Emit     func(actor engine.Actor, what string)
	Applied  func() // another revision or other waivers are in effect: what rests on them is asked anew
	Logger   *slog.Logger
}

// Lifecycle brings scripts into service and takes them back: draft, check,
// test, dry run, stage, activate, watch, roll back.
//
// It is safe for concurrent use. Source: reference/policy-api.md section 7.
type Lifecycle struct {
	o       LifecycleOptions
	log     *slog.Logger
	kick    chan struct{}
	waivers atomic.Pointer[[]engine.PolicyWaiver]

	changed   atomic.Int64 // see engine.PolicyFacts
	cannot    atomic.Int64 // the active revision, while it cannot be loaded
	changedAt time.Time    // of Run alone

	mu         sync.Mutex // below: what Follow last brought into effect
	mark       string
	following  bool
	active     engine.PolicyRevision
	loaded     map[string]string // script name -> SHA-256 in effect
	unloadable error
	outdated   []string // built-ins that are newer than what replaces them

	pinMu     sync.Mutex // below; never held while anything else is called
	pins      []engine.PolicyPin
	pinsDirty bool
}

// NewLifecycle makes a lifecycle; Follow brings the active revision into effect.
func NewLifecycle(o LifecycleOptions) *Lifecycle {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Setting == nil {
		o.Setting = func(string) string { return "" }
	}
	if o.Emit == nil {
		o.Emit = func(engine.Actor, string) {}
	}
	if o.Applied == nil {
		o.Applied = func() {}
	}
	if o.Address == nil {
		o.Address = func() string { return "" }
	}
	o.Builtin = slices.Clone(o.Builtin)
	for i, s := range o.Builtin { // by the same digest as versions of the site
		o.Builtin[i].Version = digestOf(s)
	}
	return &Lifecycle{o: o, log: o.Logger, kick: make(chan struct{}, 1), loaded: map[string]string{}}
}

// Changed tells that the copy of the store moved: Run looks at it.
func (l *Lifecycle) Changed() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// watchEvery is how often pins of all peers are counted.
const watchEvery = 2 * time.Second

// Run follows the store and watches the active revision until ctx ends.
func (l *Lifecycle) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.kick:
		case <-tick.C:
			l.rollBackPinned(ctx)
			l.compareHour(ctx)
			l.maskKept(ctx)
		}
		if err := l.Follow(ctx); err != nil {
			l.log.Debug("policies not read", "err", err)
		}
		l.keepPins(ctx)
	}
}

// fixed are the built-ins that no script of a site replaces.
// Source: reference/policy-api.md section 10.
var fixed = []string{"one_role", "same_release", "peer_identity", "factory_reset"}

// Overridable reports whether a script of a site may replace the built-in.
func Overridable(builtin string) bool { return !slices.Contains(fixed, builtin) }

func (l *Lifecycle) builtin(name string) (Script, bool) {
	i := slices.IndexFunc(l.o.Builtin, func(s Script) bool { return s.Name == name })
	if i < 0 {
		return Script{}, false
	}
	return l.o.Builtin[i], true
}

func digestOf(s Script) string { return engine.PolicyDigest(s.Name, s.Source, s.Tests) }

// candidate is a whole revision with its texts.
type candidate struct {
	number  int64
	items   []engine.PolicyItem
	texts   map[string]engine.PolicyVersion
	data    map[string]map[string]string
	changed []string // scripts that differ from the active revision
	authors []string // of what differs
}

// revision reads a revision of the book whole.
func (l *Lifecycle) revision(ctx context.Context, r engine.PolicyRevision) (candidate, error) {
	c := candidate{number: r.Number, items: r.Items, data: map[string]map[string]string{}}
	var err error
	if r.Number > 0 {
		if c.data, err = l.o.Store.PolicyData(ctx, r.Number); err != nil {
			return c, err
		}
	}
	c.texts, err = l.texts(ctx, c.items)
	return c, err
}

func (l *Lifecycle) texts(ctx context.Context, items []engine.PolicyItem) (map[string]engine.PolicyVersion, error) {
	var digests []string
	for _, i := range items {
		if i.SHA256 != "" {
			digests = append(digests, i.SHA256)
		}
	}
	if len(digests) == 0 {
		return map[string]engine.PolicyVersion{}, nil
	}
	texts, err := l.o.Store.PolicyVersions(ctx, digests)
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		if _, ok := texts[i.SHA256]; !ok && i.SHA256 != "" {
			return nil, engine.Errorf(engine.Internal, "the text of script %s, version %.12s, is missing", i.Name, i.SHA256)
		}
	}
	return texts, nil
}

// next is what would be staged now: the active revision with all drafts.
func (l *Lifecycle) next(ctx context.Context, book engine.PolicyBook) (candidate, error) {
	active := book.Active()
	base, err := l.revision(ctx, active)
	if err != nil {
		return candidate{}, err
	}
	c := candidate{number: book.Newest() + 1, items: slices.Clone(active.Items), data: cloneData(base.data)}
	versions := map[string]engine.PolicyVersion{}
	for _, v := range book.Versions {
		versions[v.SHA256] = v
	}
	for _, s := range book.Scripts {
		if s.Draft == "" || !c.take(s) {
			continue
		}
		c.changed = append(c.changed, s.Name)
		author := s.DraftBy
		if v, ok := versions[s.Draft]; ok {
			author = v.Author
		}
		c.authors = append(c.authors, author)
	}
	for _, d := range book.Drafts {
		c.authors = append(c.authors, d.Author)
		if table := "table " + d.Table; !slices.Contains(c.changed, table) {
			c.changed = append(c.changed, table)
		}
		c.set(d)
	}
	slices.Sort(c.authors)
	c.authors = slices.Compact(c.authors)
	slices.SortFunc(c.items, func(a, b engine.PolicyItem) int { return compareNames(a.Name, b.Name) })
	c.texts, err = l.texts(ctx, c.items)
	return c, err
}

// take applies a script's draft; false when nothing differs by it.
func (c *candidate) take(s engine.PolicyScript) bool {
	i := slices.IndexFunc(c.items, func(i engine.PolicyItem) bool { return i.Name == s.Name })
	switch {
	case s.Draft == engine.PolicyRemoved && i < 0:
		return false
	case s.Draft == engine.PolicyRemoved:
		c.items = slices.Delete(c.items, i, i+1)
	case i < 0:
		c.items = append(c.items, engine.PolicyItem{Name: s.Name, SHA256: s.Draft})
	case c.items[i].SHA256 == s.Draft:
		return false
	default:
		c.items[i].SHA256 = s.Draft
	}
	return true
}

func (c *candidate) set(d engine.PolicyDatum) {
	if c.data[d.Table] == nil {
		c.data[d.Table] = map[string]string{}
	}
	c.data[d.Table][d.Key] = d.Value
	if d.Removed {
		delete(c.data[d.Table], d.Key)
	}
	if len(c.data[d.Table]) == 0 {
		delete(c.data, d.Table)
	}
}

func cloneData(data map[string]map[string]string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for table, rows := range data {
		out[table] = map[string]string{}
		for k, v := range rows {
			out[table][k] = v
		}
	}
	return out
}

func compareNames(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// scripts are all scripts of a candidate: the built-ins, those that the site
// replaced exchanged, and the site's own.
//
// Errors: Invalid for what replaces a built-in that must stay as it is.
func (l *Lifecycle) scripts(c candidate) ([]Script, error) {
	out := slices.Clone(l.o.Builtin)
	for _, item := range c.items {
		i := slices.IndexFunc(out, func(s Script) bool { return s.Name == item.Name })
		s := Script{Name: item.Name}
		if i >= 0 {
			s = out[i]
		}
		if item.SHA256 != "" {
			v := c.texts[item.SHA256]
			s.Source, s.Tests, s.Builtin = v.Source, v.Tests, false
		} else if i < 0 {
			continue // a setting of a built-in that this release does not have
		}
		if i >= 0 && !Overridable(item.Name) && (item.SHA256 != "" || item.Mode != "" || item.OnFailure != "" || item.Order != 0) {
			return nil, engine.Errorf(engine.Invalid, "the built-in %s is not to be replaced or set aside", item.Name).
				With(item.Name, "write a script of another name that adds to it")
		}
		applyItem(&s, item)
		if i >= 0 {
			out[i] = s
		} else {
			out = append(out, s)
		}
	}
	return out, nil
}

// site are the candidate's scripts that are not the built-ins as they come.
func (c candidate) site(all []Script) []Script {
	var out []Script
	for _, s := range all {
		if !s.Builtin {
			out = append(out, s)
		}
	}
	return out
}

func jsonLine(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(text)
}
