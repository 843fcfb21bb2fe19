package appliance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/event"
	"hexad/engine/fail"
	"hexad/sqlstore"
)

// alarmKeyFile is that of a system key file that is not as it should be. Source: reference 4.3, 9.3.
const alarmKeyFile = 40055

// alarmContradicts is raised here under a key of its own, beside clustering's. Source: reference 4.2, 9.2.
const (
	alarmContradicts = 20011
	dataKeyAlarm     = "data key"
)

// keysEvery is how often the key file is looked at, and the data keys are when
// nothing changed. lackingFor is how long the present data key may be missing
// here, or be missing for another peer whose primary should have wrapped it: it
// takes one change of cluster.db. scanEvery is how often the primary looks for
// secrets that another key sealed.
const (
	keysEvery  = 5 * time.Second
	lackingFor = 3 * time.Second
	scanEvery  = time.Minute
)

// keys looks after the system key of this peer and the data keys of the
// cluster. Each member says in cluster.db what the public part of its system key
// is; whoever has a data key can wrap it for that, and the primary does. Secrets
// are sealed with the newest data key; on the primary those that are not are
// sealed anew, and data keys that seal nothing are removed.
//
// Everything is decided from what the rows say now, so it may be cut short
// anywhere, and is taken up by whoever is the primary then.
type keys struct {
	a    *appliance
	ring *keyring
	wake chan struct{}

	mu      sync.Mutex           // held during one look, one renewal, one rotation
	lacking time.Time            // since when the present data key is missing here
	without map[string]time.Time // since when it is missing for others, by public part
	scan    scan
	checked time.Time // when the key file was looked at
	forgot  bool      // local.db keeps no data keys
	told    bool      // the log names what was lost
}

// scan is what the last look through the secrets of the configuration found.
type scan struct {
	number int64 // data key that they are sealed with
	closed int   // secrets that do not open
	at     time.Time
}

func newKeys(a *appliance) *keys {
	k := &keys{a: a, wake: make(chan struct{}, 1), without: map[string]time.Time{}}
	k.ring = newKeyring(a.local, func() []byte { return a.identity.now().Secret }, func(ctx context.Context) (sqlstore.DataKeys, error) {
		if e := a.storeErr.Load(); e != nil {
			return sqlstore.DataKeys{}, e
		}
		return a.store.DataKeys(ctx)
	})
	k.ring.kept = k.kept
	return k
}

// stateDataKeys is where local.db keeps the data keys from the moment when they
// are sealed with a new system key until they are wrapped for it in cluster.db:
// nobody else may have them.
const stateDataKeys = "data keys"

func (k *keys) kept(ctx context.Context) (out []keptKey) {
	text, err := k.a.local.State(ctx, stateDataKeys)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &out)
	}
	if err != nil {
		k.a.log.Warn("kept data keys not read", "module", "security", "err", err)
	}
	return out
}

// forgetKept ends that.
func (k *keys) forgetKept(ctx context.Context) error {
	if k.forgot {
		return nil
	}
	err := k.a.local.PutState(ctx, stateDataKeys, "")
	k.forgot = err == nil
	return err
}

// changed says that the copy of cluster.db did.
func (k *keys) changed() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// begin looks at the key file, and on a system that is alone at the data keys:
// nothing is sealed before it has one. In a cluster nothing waits for the others here.
func (k *keys) begin(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checkFile(ctx)
	if agreed, err := k.a.store.Agreed(ctx); err != nil || len(agreed.Members) != 1 {
		return
	}
	if err := k.tend(ctx); err != nil {
		k.a.log.Debug("keys not looked after", "module", "security", "err", err)
	}
}

// run looks after the keys until ctx ends.
func (k *keys) run(ctx context.Context) error {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	for {
		k.look(ctx)
		if !pause(ctx, 200*time.Millisecond) { // changes that come together are looked at once
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-k.wake:
		}
	}
}

// look does once what is to be done. What fails is done the next time.
func (k *keys) look(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.checked) >= keysEvery {
		k.checkFile(ctx)
	}
	if err := k.tend(ctx); err != nil && ctx.Err() == nil {
		k.a.log.Debug("keys not looked after", "module", "security", "err", err)
	}
}

// checkFile raises and lowers the alarm of the key file.
func (k *keys) checkFile(ctx context.Context) {
	k.checked = time.Now()
	err := k.a.local.CheckKey()
	if err != nil && !errors.Is(err, sqlstore.ErrKey) {
		k.a.log.Warn("system key file not looked at", "module", "security", "err", err)
		return
	}
	params := map[string]string{}
	if err != nil {
		params["detail"] = faultOf(err)
		if k.a.local.LostKey() {
			params["detail"] += "; no secret of this system can be opened"
		}
	}
	k.a.tracker.Set(ctx, alarmKeyFile, "", err != nil, params)
}

// faultOf is what an error says, without its remedy.
func faultOf(err error) string {
	var e *engine.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// situation is what one look is decided from.
type situation struct {
	rows    sqlstore.DataKeys
	agreed  engine.Agreed
	node    string
	public  string
	present int64 // 0: there is none
	held    bool  // the present one is
}

func (s situation) primary() bool { return s.agreed.Primary == s.node }
func (s situation) alone() bool   { return len(s.agreed.Members) < 2 }

func (k *keys) situation(ctx context.Context) (s situation, err error) {
	if s.rows, err = k.ring.load(ctx); err != nil {
		return s, err
	}
	if s.agreed, err = k.a.store.Agreed(ctx); err != nil {
		return s, err
	}
	s.node, s.public = k.a.identity.now().Node, k.a.local.PublicKey()
	if p := s.rows.Present(); p != nil {
		s.present = p.Number
		_, s.held = k.ring.get(p.Number)
	}
	return s, nil
}

// tend brings the keys one step on.
func (k *keys) tend(ctx context.Context) error {
	if k.a.storeErr.Load() != nil {
		return nil
	}
	s, err := k.situation(ctx)
	if err != nil || !s.rows.Ready || !slices.ContainsFunc(s.agreed.Members, func(m engine.Member) bool { return m.Node == s.node }) {
		return err
	}
	k.judge(ctx, s)
	if did, err := k.announce(ctx, s); err != nil {
		return err
	} else if did {
		if s, err = k.situation(ctx); err != nil {
			return err
		}
	}
	if s.held && k.ring.takeMissed() {
		k.a.reload(ctx)
	}
	if err := k.wrapForOthers(ctx, s); err != nil || !s.primary() || k.a.cluster.MayEdit() != nil {
		return err
	}
	if s.present == 0 {
		if !announced(s) {
			return nil // a member's release does not know the keys yet, or it is away
		}
		return k.make(ctx, s)
	}
	if !s.held {
		return nil
	}
	if since := time.Since(k.scan.at); s.present != k.scan.number || since > scanEvery || k.scan.closed > 0 && since > keysEvery {
		if _, err := k.reseal(ctx, engine.System, s.present); err != nil {
			return err
		}
	}
	if k.untidy(s) {
		return k.a.store.TidyKeys(ctx)
	}
	return nil
}

// judge raises the alarm of a subordinate that cannot unwrap the present data key.
func (k *keys) judge(ctx context.Context, s situation) {
	if s.present == 0 || s.held {
		k.lacking = time.Time{}
	} else if k.lacking.IsZero() {
		k.lacking = time.Now()
		time.AfterFunc(lackingFor, k.changed)
	}
	holds := !k.lacking.IsZero() && time.Since(k.lacking) >= lackingFor && !s.primary() && !s.alone()
	params := map[string]string{}
	if holds {
		params["reason"] = faultOf(notHeld(s.present)) + ": its secrets in the configuration cannot be read"
	}
	k.a.tracker.Set(ctx, alarmContradicts, dataKeyAlarm, holds, params)
}

// announce says what this peer's system key is, after a renewal when one was
// asked for, and wraps for it the data keys that are held.
func (k *keys) announce(ctx context.Context, s situation) (did bool, err error) {
	if s.public == "" {
		return false, nil
	}
	mine := s.rows.Of(s.node)
	done := mine.Done
	if mine.Asked != "" && mine.Asked != mine.Done {
		if err := k.renew(ctx, engine.System); err != nil {
			return false, err
		}
		done = mine.Asked
	}
	public := k.a.local.PublicKey()
	lost, err := k.a.local.LostSecrets(ctx)
	if err != nil {
		return false, err
	}
	wraps, err := k.ring.wraps(s.rows, public)
	if err != nil {
		return false, err
	}
	k.tell(engine.System, lost)
	if public == mine.Public && done == mine.Done && len(wraps) == 0 && (len(lost) == 0 || slices.Equal(lost, mine.Lost)) {
		if len(lost) > 0 {
			err = k.a.local.ForgetLost(ctx)
		}
		return false, errors.Join(err, k.forgetKept(ctx))
	}
	err = k.a.store.PutSystemKey(ctx, sqlstore.SystemKey{Node: s.node, Public: public, Done: done, Lost: lost}, wraps)
	if err == nil {
		err = fail.Point("systemkey.announced")
	}
	if err == nil && len(lost) > 0 {
		err = k.a.local.ForgetLost(ctx)
	}
	return err == nil, err
}

// tell writes the line that names what was lost, unless this process did so: it
// may have been another that made the new key and was ended then.
func (k *keys) tell(actor engine.Actor, lost []string) {
	if len(lost) > 0 && !k.told {
		k.told = true
		k.a.journal.Emit(event.By(actor, "System Key Update", "new system key made; these secrets could not be opened and are lost: "+strings.Join(lost, ", ")))
	}
}

// renew makes a new system key, and says what was lost. mu is held.
func (k *keys) renew(ctx context.Context, actor engine.Actor) error {
	kept, err := json.Marshal(k.ring.all())
	if err != nil {
		return err
	}
	r := sqlstore.KeyRenewal{Actor: actor, State: map[string]string{stateDataKeys: string(kept)}}
	k.forgot = false
	lostKey := k.a.local.LostKey()
	if lostKey {
		r.Secret, r.Credentials, r.HostKeys = randomBytes(32), k.a.spare.credentials, k.a.spare.hostKeys
	}
	err = k.a.local.RenewKey(context.WithoutCancel(ctx), r)
	if err != nil {
		k.a.journal.Emit(event.By(actor, "System Key Update", "failed: "+err.Error()))
		return err
	}
	lost, err := k.a.local.LostSecrets(ctx)
	if err != nil {
		return err
	}
	if k.told = false; len(lost) == 0 {
		k.a.journal.Emit(event.By(actor, "System Key Update", "new system key made; every secret of this system was sealed anew"))
	}
	k.tell(actor, lost)
	k.checkFile(ctx)
	if lostKey {
		err = k.a.renewedIdentity(ctx)
		k.a.reload(ctx)
	}
	return err
}

// renewedIdentity takes up the identity after its secrets were replaced.
func (a *appliance) renewedIdentity(ctx context.Context) error {
	id, err := a.local.Identity(ctx)
	if err != nil {
		return err
	}
	a.identity.mu.Lock()
	a.identity.id = id
	a.identity.mu.Unlock()
	return a.store.PutMember(ctx, engine.Member{Node: id.Node, Address: a.o.Address, Fingerprint: a.link.Credentials().Fingerprint(), Release: a.o.Release})
}

// wrapForOthers wraps the held data keys for members that lack them: on the
// primary at once, elsewhere when the primary does not do it.
func (k *keys) wrapForOthers(ctx context.Context, s situation) error {
	var wraps []sqlstore.Wrapping
	now := time.Now()
	without := map[string]time.Time{}
	for _, m := range s.agreed.Members {
		public := s.rows.Of(m.Node).Public
		if public == "" {
			continue
		}
		more, err := k.ring.wraps(s.rows, public)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			continue
		}
		since, known := k.without[public]
		if !known {
			since = now
		}
		if without[public] = since; s.primary() || now.Sub(since) >= lackingFor {
			wraps = append(wraps, more...)
		}
	}
	k.without = without
	if len(wraps) == 0 {
		return nil
	}
	if err := fail.Point("systemkey.heard"); err != nil {
		return err
	}
	if err := k.a.store.PutWraps(ctx, wraps); err != nil {
		return err
	}
	k.a.log.Info("data keys wrapped for peers", "module", "security", "count", len(wraps))
	return fail.Point("datakey.wrapped")
}

// announced reports whether every member has said what its system key is.
func announced(s situation) bool {
	return !slices.ContainsFunc(s.agreed.Members, func(m engine.Member) bool { return s.rows.Of(m.Node).Public == "" })
}

// make makes the next data key, wrapped for every member that has a system key.
func (k *keys) make(ctx context.Context, s situation) error {
	row := sqlstore.DataKey{Number: s.present + 1, Made: time.Now().UTC(), By: s.node, Wraps: map[string]string{}}
	key := randomBytes(sqlstore.KeySize)
	var err error
	if row.Proof, err = sqlstore.ProofOf(row.Number, key); err != nil {
		return err
	}
	for _, m := range s.agreed.Members {
		public := s.rows.Of(m.Node).Public
		if public == "" {
			continue // wrapped for it when it says so
		}
		if row.Wraps[public], err = sqlstore.Wrap(row.Number, public, key); err != nil {
			return err
		}
	}
	if err := k.a.store.PutDataKey(ctx, row); err != nil {
		return err
	}
	k.a.log.Info("data key of the cluster made", "module", "security", "number", row.Number)
	return errors.Join(k.ring.hold(row, key), fail.Point("datakey.made"))
}

// resealed is what sealing anew came to.
type resealed struct {
	count    int
	revision int64
	closed   []string // paths of secrets that do not open
}

// resealTries is how often sealing anew is begun when somebody saves meanwhile.
const resealTries = 5

// reseal seals every secret of the configuration with a data key, in one revision.
func (k *keys) reseal(ctx context.Context, actor engine.Actor, number int64) (out resealed, err error) {
	for range resealTries {
		if out, err = k.resealOnce(ctx, actor, number); engine.CodeOf(err) != engine.Conflict {
			break
		}
	}
	if err == nil {
		k.scan = scan{number, len(out.closed), time.Now()}
	}
	return out, err
}

func (k *keys) resealOnce(ctx context.Context, actor engine.Actor, number int64) (out resealed, err error) {
	now, err := k.a.store.Configuration(ctx)
	if err != nil {
		return out, err
	}
	save := engine.Save{Operation: rand.Text(), Base: now.Revision, Actor: actor, Time: time.Now().UTC(), Comment: "secrets sealed with the present data key"}
	for path, value := range now.Items {
		if value == "" || !k.a.registry.Secret(path) {
			continue
		}
		plain := []byte(value) // saved before secrets were sealed
		if with, is := sqlstore.SealedWith(value); is && with == number {
			continue
		} else if is {
			if plain, err = k.ring.Open("item "+path, value); err != nil {
				out.closed = append(out.closed, path)
				continue
			}
		}
		sealed, err := k.ring.Seal("item "+path, plain)
		if err != nil {
			return out, err
		}
		save.Changes = append(save.Changes, engine.Change{Path: path, Value: sealed})
	}
	slices.Sort(out.closed)
	if out.revision = now.Revision; len(save.Changes) == 0 {
		return out, nil
	}
	slices.SortFunc(save.Changes, func(a, b engine.Change) int { return strings.Compare(a.Path, b.Path) })
	saved, err := (replicated{k.a}).SaveConfiguration(ctx, save)
	if err != nil {
		return out, err
	}
	out.count, out.revision = len(save.Changes), saved.Revision
	return out, fail.Point("datakey.resealed")
}

// untidy reports whether there are rows that nobody needs.
func (k *keys) untidy(s situation) bool {
	member := func(node string) bool {
		return slices.ContainsFunc(s.agreed.Members, func(m engine.Member) bool { return m.Node == node })
	}
	public := map[string]bool{}
	for _, m := range s.rows.Members {
		if !member(m.Node) {
			return true
		}
		public[m.Public] = true
	}
	for _, key := range s.rows.Keys {
		for p := range key.Wraps {
			if !public[p] {
				return true
			}
		}
	}
	return len(s.rows.Keys) > 1 && k.scan.closed == 0
}

// admitted wraps the data keys for a joiner, so that it has them with its first copy.
func (k *keys) admitted(ctx context.Context, ask cluster.JoinAsk) {
	if !k.mu.TryLock() {
		k.changed()
		return
	}
	defer k.mu.Unlock()
	s, err := k.situation(ctx)
	if err != nil || !s.rows.Ready || ask.Facts.SystemKey == "" {
		return // it says so itself when it has its copy
	}
	wraps, err := k.ring.wraps(s.rows, ask.Facts.SystemKey)
	if err == nil {
		err = k.a.store.PutSystemKey(ctx, sqlstore.SystemKey{Node: ask.Facts.Node, Public: ask.Facts.SystemKey}, wraps)
	}
	if err != nil {
		k.a.log.Warn("data keys not wrapped for the joining peer yet", "module", "security", "peer", ask.Address, "err", err)
	}
}
