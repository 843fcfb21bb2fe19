package appliance_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/engine/link"
	"hexad/sqlstore"
)

// Option keys: one that every peer must have, one that the cluster pools.
const (
	featureKey = "116341T1800-1-0A1B2C3D"
	pooledKey  = "116341W100-1-0A1B2C3D"
)

// TestJoining walks two systems through everything that keeps a system out of
// a cluster, and lets them in when the cause is gone.
func TestJoining(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Network(t, 81, 3)
	j := &joining{t: t, primary: peers[0], joiner: peers[1], third: peers[2]}
	for _, p := range peers {
		p.Start()
	}
	appliancetest.Each(peers, func(p *appliancetest.Peer) { p.Answers(); p.Prepare() })
	j.step("page", j.page)
	j.step("no cluster yet", j.noClusterYet)
	j.step("not listed", j.notListed)
	j.step("other name", j.otherName)
	j.step("option keys", j.optionKeys)
	j.step("role", j.role)
	j.step("release", j.release)
	j.step("window", j.window)
	j.step("token", j.token)
	j.step("what a joiner keeps", j.kept)
	j.step("subordinate asked", j.subordinateAsked)
	j.step("used token", j.usedToken)
	j.step("option keys of members", j.optionKeysOfMembers)
	j.step("changed key", j.changedKey)
}

func (j *joining) step(name string, do func()) {
	j.t.Helper()
	began := time.Now()
	do()
	j.t.Logf("%s: %v", name, time.Since(began).Round(time.Millisecond))
}

type joining struct {
	t                      *testing.T
	primary, joiner, third *appliancetest.Peer
	used                   string // a token that joined
}

// marks are how long the logs were.
type marks map[*appliancetest.Peer]int

func mark(peers []*appliancetest.Peer) marks {
	out := marks{}
	for _, p := range peers {
		out[p] = len(p.Log())
	}
	return out
}

// once: one fault is one raise and one lower.
func (m marks) once(t *testing.T, p *appliancetest.Peer, ids ...int) {
	t.Helper()
	for _, id := range ids {
		p.Await(fmt.Sprintf("says that alarm %d was raised once and lowered once", id), time.Second, func() string {
			if raised, lowered := p.Counted(id, m[p]); raised != 1 || lowered != 1 {
				return fmt.Sprintf("raised %d times, lowered %d times", raised, lowered)
			}
			return ""
		})
	}
}

// refusals are what the page itself refuses, with the field and the remedy.
type refusal struct {
	name, line string
	code       engine.Code
	item       string // or a part of it
	remedy     string
}

func refused(t *testing.T, p *appliancetest.Peer, list []refusal) {
	before := p.View().Entered
	for _, r := range list {
		e := p.Refused("%s", r.line)
		if e.Code != r.code || !strings.Contains(e.Item, r.item) || !strings.Contains(e.Error(), r.remedy) {
			t.Errorf("%s: refused with %s, item %q, %q, want %s, %q, %q", r.name, e.Code, e.Item, e.Error(), r.code, r.item, r.remedy)
		}
	}
	if after := p.View().Entered; !after.Equal(before) {
		t.Errorf("a refused page was kept: %+v, want %+v", after, before)
	}
}

// page: what the rules refuse when it is saved.
func (j *joining) page() {
	own, other := j.primary.Address, j.joiner.Address
	refused(j.t, j.primary, []refusal{
		{"others before the cluster of one", appliancetest.Page(own, other), engine.Invalid, "Peer 2", "restart"},
		{"own address missing", appliancetest.Page(other), engine.Invalid, "Peer 1", "own address"},
		{"duplicate", appliancetest.Page(own, own), engine.Invalid, "Peer 2", "once"},
		{"one peer twice", appliancetest.Page(own, other, other), engine.Invalid, "Peer 3", "once"},
		{"gap", appliancetest.Page(own, "", other), engine.Invalid, "Peer 2", "move"},
		{"no name", `xCommand ClusterSave Name: "" Primary: 1 Peer1: "` + own + `"`, engine.Invalid, "Cluster Name", "name"},
		{"no such primary", `xCommand ClusterSave Name: "a.example" Primary: 2 Peer1: "` + own + `"`, engine.Invalid, "Primary", "own address"},
		{"other IP version", `xCommand ClusterSave Name: "a.example" Primary: 1 IPVersion: IPv6 Peer1: "` + own + `"`, engine.Invalid, "Peer 1", "address"},
		{"no address", `xCommand ClusterSave Name: "a.example" Primary: 1 Peer1: "` + own + `" Peer2: "not_an_address"`, engine.Invalid, "Peer 2", "address"},
	})
}

// noClusterYet: the primary saved its page, but the cluster of one does not run.
func (j *joining) noClusterYet() {
	j.primary.Exec("%s", appliancetest.Page(j.primary.Address))
	j.joiner.Exec(`xCommand ZoneAdd ZoneName: "of the joiner" Type: Neighbor`)
	j.joiner.Exec("%s", appliancetest.Page(j.primary.Address, j.joiner.Address))
	j.joiner.AwaitAlarm(20004, true, time.Second)
	j.joiner.Restart()
	j.joiner.AwaitCause(j.primary.Address, 10*time.Second, "does not know this system", "restart")
	j.joiner.AwaitAlarm(20004, true, time.Second)
	if v := j.joiner.View(); v.Writable || v.PrimaryHere && v.ReadOnly == "" {
		j.t.Errorf("a system that waits to be admitted can be edited: %+v", v)
	}
}

// notListed: the cluster of one runs and does not list the joiner.
func (j *joining) notListed() {
	j.primary.Restart()
	appliancetest.Ready(j.t, []*appliancetest.Peer{j.primary})
	j.joiner.AwaitCause(j.primary.Address, 10*time.Second, "does not know this system", "add this system to its peer list")
	if _, err := j.primary.Try(`xCommand ClusterSave Peer7: "127.0.81.7"`); engine.CodeOf(err) != engine.Invalid {
		j.t.Errorf("a seventh field: %v", err)
	}
	list := []string{j.primary.Address, "127.0.81.12", "127.0.81.13", "127.0.81.14", "127.0.81.15", "127.0.81.16"}
	j.primary.Exec("%s", appliancetest.Page(list...))
	refused(j.t, j.primary, []refusal{{"seventh peer", `xCommand ClusterPeerAdd Address: "127.0.81.17"`, engine.Invalid, "Peer", "remove a peer"}})
	j.primary.Exec("%s", appliancetest.Page(j.primary.Address))
}

func (j *joining) otherName() {
	j.joiner.Exec(`xCommand ClusterSave Name: "other.example"`)
	j.primary.Exec("%s", appliancetest.Page(j.primary.Address, j.joiner.Address))
	j.both(j.primary, "cluster names differ", "give both the same cluster name")
	for _, p := range []*appliancetest.Peer{j.primary, j.joiner} {
		p.AwaitAlarm(20004, true, 5*time.Second)
	}
}

// both waits for the cause on the joiner's page, beside the system that it
// asks, and on that system's, beside the joiner.
func (j *joining) both(asked *appliancetest.Peer, parts ...string) {
	j.t.Helper()
	j.joiner.AwaitCause(asked.Address, 15*time.Second, parts...)
	asked.AwaitCause(j.joiner.Address, 5*time.Second, parts...)
}

func (j *joining) optionKeys() {
	j.joiner.Exec(`xCommand OptionKeyAdd Key: "%s"`, featureKey)
	j.joiner.Exec(`xCommand OptionKeyAdd Key: "%s"`, pooledKey)
	j.joiner.Exec(`xCommand ClusterSave Name: "%s"`, appliancetest.ClusterName)
	j.both(j.primary, "turn_relays", j.primary.Address, "same feature keys")
	if c := j.joiner.Entry(j.primary.Address).Cause; strings.Contains(c, "rich_media") {
		j.t.Errorf("a pooled key keeps the joiner out: %s", c)
	}
}

// as restarts the joiner as another machine would be: other flags, other program.
func (j *joining) as(v appliancetest.Variant, args ...string) {
	j.joiner.Stop()
	usual := j.joiner.Args
	j.joiner.Variant, j.joiner.Args = v, append(usual[:len(usual):len(usual)], args...)
	j.joiner.Up()
	j.joiner.Args = usual
}

func (j *joining) role() {
	j.joiner.Exec(`xCommand OptionKeyDelete OptionKeyId: 1`)
	j.as(appliancetest.Variant{}, "--role", "edge")
	j.both(j.primary, "edge", "A cluster holds systems of one role")
}

func (j *joining) release() {
	j.as(appliancetest.Variant{Release: "1.0.1"})
	j.both(j.primary, "1.0.1", "1.0.0", "same release")
}

// window: an hour after the later of both saves a key is not accepted by itself.
func (j *joining) window() {
	for _, p := range []*appliancetest.Peer{j.primary, j.joiner} {
		p.Stop()
		appliancetest.OfflinePage(j.t, p, func(page *sqlstore.Page) { page.SavedAt = page.SavedAt.Add(-time.Hour) })
	}
	j.joiner.Variant = appliancetest.Variant{}
	j.primary.Up()
	j.joiner.Up()
	j.both(j.primary, "can no longer be accepted by itself", "use a join token")
}

// ofItsOwn are items of one system: they stay when it joins.
var ofItsOwn = []string{
	`SystemUnit Name: "joiner"`, `NTP Server 1 Address: "127.0.81.98"`, `DNS Server 1 Address: "127.0.81.99"`, `Ethernet 1 Speed: 100full`,
}

// token lets the joiner in although the window is closed, even when it is
// entered before a restart; one of another system does not.
func (j *joining) token() {
	if _, err := j.joiner.Try(`xCommand ClusterJoinTokenEnter Token: "hexad1-nonsense"`); engine.CodeOf(err) != engine.Invalid {
		j.t.Errorf("nonsense was taken as a token: %v", err)
	}
	j.joiner.Exec(`xCommand ClusterJoinTokenEnter Token: "%s"`, j.issue(j.third))
	j.joiner.AwaitCause(j.primary.Address, 10*time.Second, "made by another system")
	for _, item := range ofItsOwn {
		j.joiner.Exec("xConfiguration %s", item)
	}
	j.joiner.Exec("xCommand ClusterSave Name: alone.example") // keeps the join from coming first
	j.used = j.issue(j.primary)
	j.joiner.Exec(`xCommand ClusterJoinTokenEnter Token: "%s"`, j.used)
	j.joiner.Restart()
	j.both(j.primary, "cluster names differ")
	j.joiner.Exec("xCommand ClusterSave Name: %s", appliancetest.ClusterName)
	appliancetest.Ready(j.t, []*appliancetest.Peer{j.primary, j.joiner})
}

// issue makes a join token.
func (j *joining) issue(p *appliancetest.Peer) string {
	j.t.Helper()
	for _, word := range strings.Fields(p.Exec("xCommand ClusterJoinToken")) {
		if word = strings.Trim(word, `"`); strings.HasPrefix(word, "hexad1-") {
			return word
		}
	}
	j.t.Fatal("no token was shown")
	return ""
}

// kept: the cluster's configuration replaces the joiner's, but for what
// belongs to one system.
func (j *joining) kept() {
	j.primary.Exec(`xCommand ZoneAdd ZoneName: "of the cluster" Type: Neighbor`)
	j.joiner.AwaitRevision(j.primary.View().Revision)
	if got, want := copyOf(j.t, j.joiner), copyOf(j.t, j.primary); got != want || !strings.Contains(got, "of the cluster") || strings.Contains(got, "of the joiner") {
		j.t.Errorf("the joiner has the items\n%s\nwant\n%s", got, want)
	}
	for _, item := range append(ofItsOwn, `Option 2 Key: "`+pooledKey) {
		path := item[:strings.Index(item, ":")]
		if got := j.joiner.Exec("xConfiguration %s", path); !strings.Contains(got, item) {
			j.t.Errorf("the joiner reads %q, want %s", got, item)
		}
	}
	for _, p := range []*appliancetest.Peer{j.primary, j.joiner} {
		p.AwaitAlarm(20004, false, 3*time.Second)
		if raised := p.Detail(70011); raised != "" {
			j.t.Errorf("a pooled key raised %s", raised)
		}
	}
}

// copyOf is every replicated item of a peer's copy.
func copyOf(t *testing.T, p *appliancetest.Peer) string {
	t.Helper()
	return run(t, "sql", "--data-dir", p.Dir, "SELECT * FROM diag_item ORDER BY 1, 2, 3")
}

// all are the members after the third has joined.
func (j *joining) all() []*appliancetest.Peer {
	return []*appliancetest.Peer{j.primary, j.joiner, j.third}
}

// subordinateAsked: the third system names a subordinate as the primary.
func (j *joining) subordinateAsked() {
	list := appliancetest.Addresses(j.all())
	for _, p := range j.all() {
		p.Exec("%s", appliancetest.Page(list...))
	}
	j.third.Exec("xCommand ClusterSave Primary: 2")
	j.third.Restart()
	wrong := []string{"primaries differ", j.primary.Address, "name the same primary"}
	j.third.AwaitCause(j.joiner.Address, 10*time.Second, wrong...)
	j.joiner.AwaitCause(j.third.Address, 5*time.Second, wrong...)
}

// usedToken: a token joins once.
func (j *joining) usedToken() {
	j.third.Exec(`xCommand ClusterJoinTokenEnter Token: "%s"`, j.used)
	j.third.Exec("xCommand ClusterSave Primary: 1")
	j.third.AwaitCause(j.primary.Address, 10*time.Second, "the join token is not valid", "make a new join token")
	j.primary.AwaitCause(j.third.Address, 5*time.Second, "the join token is not valid")
	j.third.Exec(`xCommand ClusterJoinTokenEnter Token: "%s"`, j.issue(j.primary))
	appliancetest.Ready(j.t, j.all())
}

// optionKeysOfMembers: a difference among members is told and blocks nothing.
func (j *joining) optionKeysOfMembers() {
	marks := mark(j.all())
	j.third.Exec(`xCommand OptionKeyAdd Key: "%s"`, featureKey)
	for _, p := range j.all() {
		p.AwaitAlarm(70011, true, 3*time.Second)
		if d := p.Detail(70011); !strings.Contains(d, "turn_relays") || !strings.Contains(d, j.primary.Address) {
			j.t.Errorf("%s: 70011 says %s", p.Name, d)
		}
	}
	j.primary.Exec(`xCommand ZoneAdd ZoneName: "all the same" Type: Neighbor`)
	j.third.Exec(`xCommand OptionKeyDelete OptionKeyId: 1`)
	for _, p := range j.all() {
		p.AwaitAlarm(70011, false, 3*time.Second)
		marks.once(j.t, p, 70011)
	}
}

// changedKey: a member with another key is refused until an administrator
// accepts the key.
func (j *joining) changedKey() {
	j.third.Stop()
	appliancetest.Offline(j.t, j.third, func(ctx context.Context, local *sqlstore.Local) error {
		cert, key, err := link.NewCredentials([]string{j.third.FQDN()}, []net.IP{net.ParseIP(j.third.Address)}, time.Now())
		if err != nil {
			return err
		}
		return local.PutCredentials(ctx, sqlstore.Credentials{Certificate: cert, PrivateKey: key, Changed: time.Now()})
	})
	marks := mark(j.all())
	j.third.Up()
	for _, p := range j.all()[:2] {
		p.AwaitAlarm(70021, true, 6*time.Second)
		p.AwaitCause(j.third.Address, 5*time.Second, "key has changed")
		if pin := p.Entry(j.third.Address).Pin; pin != "changed" {
			j.t.Errorf("%s shows the pin %s", p.Name, pin)
		}
	}
	if e := j.primary.Refused(`xCommand ClusterPeerKeyAccept Peer: "%s"`, j.joiner.Address); e.Code != engine.NotFound {
		j.t.Errorf("a key that did not change: %v", e)
	}
	shown := j.primary.Entry(j.third.Address)
	if shown.Offered == "" || shown.Offered == shown.Fingerprint {
		j.t.Errorf("pinned %q, offered %q: two different fingerprints are to be compared", shown.Fingerprint, shown.Offered)
	}
	if e := j.primary.Refused(`xCommand ClusterPeerKeyAccept Peer: "%s" Fingerprint: "%s"`, j.third.Address, shown.Fingerprint); e.Code != engine.Conflict {
		j.t.Errorf("another key than the one that was compared: %v", e)
	}
	j.primary.Exec(`xCommand ClusterPeerKeyAccept Peer: "%s" Fingerprint: "%s"`, j.third.Address, shown.Offered)
	for _, p := range j.all()[:2] {
		p.AwaitAlarm(70021, false, 3*time.Second)
		marks.once(j.t, p, 70021)
	}
	appliancetest.Ready(j.t, j.all())
}
