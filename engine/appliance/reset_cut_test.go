package appliance_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
)

// TestResetCutOff: wherever a factory reset is cut off, what starts next is the
// old system or one that was reset in full.
func TestResetCutOff(t *testing.T) {
	t.Parallel()
	from := single(t, 67)
	from.Exec(`xCommand ZoneAdd ZoneName: "old" Type: Neighbor`)
	old := from.View().Node
	from.Exec("%s", addresses())
	from.Stop()
	var keep []string
	mark := func(p *appliancetest.Peer) {
		if err := os.WriteFile(filepath.Join(p.Dir, "reset.state"), []byte(old+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	transaction := func(p *appliancetest.Peer) {
		appliancetest.Offline(t, p, func(ctx context.Context, l *sqlstore.Local) error {
			page, err := l.Page(ctx)
			if err != nil {
				return err
			}
			keep = page.Reset.Keep
			return l.Reset(ctx, keep)
		})
	}
	remove := func(p *appliancetest.Peer, path string) { gone(t, filepath.Join(p.Dir, path)) }
	for i, c := range []struct {
		name  string
		state func(*appliancetest.Peer)
		reset bool
	}{
		{"before the mark", func(p *appliancetest.Peer) {}, true},
		{"after the mark", func(p *appliancetest.Peer) { mark(p) }, true},
		{"after the transaction", func(p *appliancetest.Peer) { mark(p); transaction(p) }, true},
		{"while the stores are removed", func(p *appliancetest.Peer) {
			mark(p)
			transaction(p)
			damage{file: "cluster/*/raft.db", do: gone}.of(t, p)
		}, true},
		{"after the stores were removed", func(p *appliancetest.Peer) { mark(p); transaction(p); remove(p, "cluster") }, true},
		{"begun in vain and cancelled", func(p *appliancetest.Peer) {
			mark(p)
			appliancetest.OfflinePage(t, p, func(page *sqlstore.Page) { page.Entered.Peers, page.Reset = page.Reset.From, nil })
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := copied(t, from, fmt.Sprintf("127.0.67.%d", i+101))
			p.T = t
			c.state(p)
			p.Up()
			oldOrNew(t, p, old, c.reset)
		})
	}
	t.Run("killed at any moment", func(t *testing.T) {
		t.Parallel()
		p := copied(t, from, "127.0.67.121")
		for delay := time.Duration(0); delay < 60*time.Millisecond; delay += 6 * time.Millisecond {
			p.Start()
			<-time.After(delay) // any moment will do
			p.Kill()
		}
		p.Up()
		oldOrNew(t, p, old, true)
	})
}

// oldOrNew looks that nothing of one is in the other.
func oldOrNew(t *testing.T, p *appliancetest.Peer, old string, reset bool) {
	t.Helper()
	v := p.View()
	stores, err := os.ReadDir(filepath.Join(p.Dir, "cluster"))
	if err != nil || v.Database != "Active" || (v.Node != old) != reset || v.Reset != nil || len(stores) != 1 {
		t.Errorf("want reset %v; node %s, was %s; stores %v, %v; %+v", reset, v.Node, old, stores, err, v)
	}
	if got := zones(p); strings.Contains(got, "old") == reset {
		t.Errorf("want reset %v; zones:\n%s", reset, got)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "reset.state")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mark is still there: %v", err)
	}
}

// walker is a peer and what its clustering page should be.
type walker struct {
	t       *testing.T
	p       *appliancetest.Peer
	list    []string // its own address and one where nobody is
	node    string
	entered []string
	armed   []string // the list that cancels the reset, nil when none is armed
	image   bool
	formed  bool // a cluster runs
	steps   []string
}

// TestResetWalk goes through the clustering page at random: a factory reset
// happens exactly when the rule says, and never otherwise.
func TestResetWalk(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	p := appliancetest.New(t, 1, "127.0.68.1").Up()
	w := &walker{t: t, p: p, list: []string{p.Address, "127.0.68.99"}, node: p.View().Node, image: true}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d: %s", seed, strings.Join(w.steps, ", "))
		}
	})
	steps := []func(){w.clear, w.clear, w.same, w.same, w.other, w.restart, w.restart, w.startAgain, w.crash, w.turnImage}
	for began := time.Now(); len(w.steps) < 60 && time.Since(began) < 12*time.Second && !t.Failed(); {
		steps[random.IntN(len(steps))]()
		w.check()
	}
	t.Logf("%d steps", len(w.steps))
}

func (w *walker) step(name string) { w.steps = append(w.steps, name) }

func (w *walker) clear() {
	w.step("clear")
	w.p.Exec("%s", addresses())
	if w.armed == nil && len(w.entered) > 0 {
		w.armed = w.entered
	}
	w.entered = nil
}

// wanted is the list that cancels the reset, or the next that a cluster has: it
// begins with this system alone.
func (w *walker) wanted() []string {
	switch {
	case w.armed != nil:
		return w.armed
	case w.formed:
		return w.list
	}
	return w.list[:1]
}

func (w *walker) same() {
	w.step("same")
	w.save(w.wanted())
}

// other saves the addresses in another order.
func (w *walker) other() {
	w.step("other order")
	list := slices.Clone(w.wanted())
	slices.Reverse(list)
	w.save(list)
}

func (w *walker) save(list []string) {
	if w.armed == nil { // a new system has it off, and is refused
		w.p.Exec("xConfiguration H323 Mode: On")
	}
	line := strings.Replace(appliancetest.Page(list...), "Primary: 1", fmt.Sprintf("Primary: %d", slices.Index(list, w.p.Address)+1), 1)
	w.p.Exec("%s", line)
	w.entered = list
	if slices.Equal(list, w.armed) {
		w.armed = nil
	}
}

func (w *walker) restart() {
	w.step("restart")
	w.p.Restart()
	w.restarted()
}

func (w *walker) startAgain() {
	w.step("start again")
	w.p.Kill()
	w.p.Up()
	w.restarted()
}

// restarted is what a restart makes of the page.
func (w *walker) restarted() {
	if w.armed == nil {
		w.formed = len(w.entered) > 0
	}
	if w.armed == nil || !w.image {
		return
	}
	now := w.p.View().Node
	if now == w.node {
		w.t.Error("the armed reset was not carried out")
	}
	w.node, w.armed, w.entered, w.formed = now, nil, nil, false
}

func (w *walker) crash() {
	w.step("crash")
	child := w.p.Child()
	w.p.Signal(syscall.SIGKILL)
	w.p.Await("is back", 15*time.Second, func() string {
		if now := w.p.Child(); now == 0 || now == child {
			return "no other child"
		}
		_, err := w.p.Try("xStatus SystemUnit")
		return why(err)
	})
}

// turnImage takes the image of the reset away, or puts it back.
func (w *walker) turnImage() {
	w.step("image")
	file := filepath.Join(w.p.Dir, "reset", "hexad-image")
	from, to := file, file+".away"
	if w.image = !w.image; w.image {
		from, to = to, from
	}
	if err := os.Rename(from, to); err != nil {
		w.t.Fatal(err)
	}
}

func (w *walker) check() {
	w.t.Helper()
	v := w.p.View()
	if v.Node != w.node || (v.Reset != nil) != (w.armed != nil) || !slices.Equal(v.Entered.Peers, w.entered) {
		w.t.Errorf("node %s, armed %+v, entered %v; want node %s, armed %v, entered %v", v.Node, v.Reset, v.Entered.Peers, w.node, w.armed, w.entered)
	}
	if v.Reset != nil && (v.Reset.Blocked == "") != w.image {
		w.t.Errorf("blocked %q with an image: %v", v.Reset.Blocked, w.image)
	}
}
