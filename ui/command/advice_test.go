package command_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/ui/command"
)

// TestBackupIsAdvised: whatever can lose configuration or keys says so in the
// shell and to programs: every certificate change, reset, purge and resynchronisation.
func TestBackupIsAdvised(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	whole := command.New(command.Parts{Cluster: p, Forcing: forcing{}, Certificates: certificates{}, Resets: &resetter{}, Purges: &purger{}})
	var advised []string
	for _, e := range whole.Entries() {
		if e.Backup {
			advised = append(advised, e.Name)
		}
	}
	want := []string{"ClusterDatabasePurge", "ClusterDatabasePurgeShow", "FactoryReset", "FactoryResetShow", "ForceConfigUpdate", "ServerCertificateSet", "TrustListSet"}
	if !slices.Equal(advised, want) {
		t.Errorf("advised before %v, want %v", advised, want)
	}
	if r := do(t, table, "xCommand Restart"); r.Backup != nil {
		t.Error("a restart that resets nothing advises a backup")
	}
	p.view.Reset = &engine.Reset{}
	r := do(t, table, "xCommand Restart")
	if r.Backup == nil || r.Backup.Path != "/api/v1/backups" || r.Backup.Command != "xCommand SystemBackup" {
		t.Errorf("the restart that resets advises %+v", r.Backup)
	}
	if banner := strings.Join(table.Banner(t.Context(), engine.English), "\n"); !strings.Contains(banner, "Take a backup first: xCommand SystemBackup") {
		t.Errorf("the banner is %s", banner)
	}
	if banner := strings.Join(table.Banner(t.Context(), engine.Japanese), "\n"); !strings.Contains(banner, "先にバックアップを取得してください") {
		t.Errorf("the banner is %s", banner)
	}
}

type forcing struct{ command.Forcing }
type certificates struct{ command.Certificates }

// purger is the removal of the cluster database of the system "peer1".
type purger struct{ done []string }

func (p *purger) Plan(context.Context) (engine.PurgePlan, error) {
	return engine.PurgePlan{Name: "peer1", Aside: "quarantine/purged-1", Lost: []engine.Text{{EN: "revision 7", JA: "リビジョン 7"}}}, nil
}

func (p *purger) Purge(ctx context.Context, _ engine.Actor, name string) (engine.PurgePlan, error) {
	plan, err := p.Plan(ctx)
	if name != plan.Name {
		return plan, engine.Errorf(engine.Denied, "%q is not the name of this system", name)
	}
	p.done = append(p.done, name)
	return plan, err
}

// TestPurgeAsksForTheName: what is lost and where it goes is said first, with
// the backup; then the name of the system has to be typed, by root.
func TestPurgeAsksForTheName(t *testing.T) {
	t.Parallel()
	p := &purger{}
	table := command.New(command.Parts{Purges: p})
	for _, c := range []struct {
		name, typed string
		by          command.By
		done        bool
		refused     engine.Code
	}{
		{"another name", "peer2", root, false, engine.Denied},
		{"left", "", root, false, ""},
		{"the name", "peer1", root, true, ""},
		{"not root", "peer1", admin, false, engine.Denied},
	} {
		p.done = nil
		d := table.Dialogue("clusterdb_destroy_and_purge_data.sh", c.by, table.Run)
		first, err := d.Begin(t.Context())
		if text := strings.Join(first, "\n"); err == nil && (!strings.Contains(text, "lost: revision 7") || !strings.Contains(text, "quarantine/purged-1") || !strings.Contains(text, "xCommand SystemBackup")) {
			t.Errorf("%s: begins with\n%s", c.name, text)
		}
		if err == nil {
			_, _, err = d.Next(t.Context(), c.typed)
		}
		if engine.CodeOf(err) != c.refused && !(err == nil && c.refused == "") || (len(p.done) == 1) != c.done {
			t.Errorf("%s: %v, done %v", c.name, err, p.done)
		}
	}
}
