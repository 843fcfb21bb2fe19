package config_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	testdata = "../../testdata/config"
	realDump = "../../../shared/testdata/vcs-x7.2.1-xconfiguration.txt"
)

// TestImportRealDump imports the dump of a real machine, which is kept outside
// of the project: the golden file holds its paths and what becomes of each.
func TestImportRealDump(t *testing.T) {
	t.Parallel()
	dump, err := os.ReadFile(realDump)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the dump of a real machine is not part of the project, and there is none at %s", realDump)
	}
	if err != nil {
		t.Fatal(err)
	}
	svc, s := open(t, true)
	report := importDump(t, svc, string(dump), config.ImportOptions{})
	if len(report.Lines) != 327 || report.Applied < 200 || report.Unknown+report.Invalid != 0 {
		t.Errorf("%d lines: %d applied, %d left alone, %d not applicable, %d unknown, %d invalid",
			len(report.Lines), report.Applied, report.LeftAlone, report.NotApplicable, report.Unknown, report.Invalid)
	}
	if len(s.saves) != 1 || len(s.localSaves) != 0 || s.pages != 0 {
		t.Errorf("%d revisions, %d local saves, %d pages; want one revision and nothing else", len(s.saves), len(s.localSaves), s.pages)
	}
	checkReadsBack(t, svc, string(dump), report)
	var golden strings.Builder
	for _, d := range report.Lines {
		fmt.Fprintf(&golden, "%s: %s\n", d.Path, d.Outcome)
	}
	compare(t, "x7.2.1-dispositions.txt", golden.String())
	checkIdempotent(t, svc, s, string(dump), config.ImportOptions{})
}

func TestImportSample(t *testing.T) {
	t.Parallel()
	dump := sample(t)
	svc, s := open(t, true)
	report := importDump(t, svc, dump, config.ImportOptions{})
	if len(s.saves) != 1 || s.saves[0].Actor.Via != "import" {
		t.Errorf("saves %+v, want one, via import", s.saves)
	}
	checkReadsBack(t, svc, dump, report)
	compare(t, "sample-dispositions.txt", print(report))
	checkIdempotent(t, svc, s, dump, config.ImportOptions{})
}

func TestImportSampleMachine(t *testing.T) {
	t.Parallel()
	dump := sample(t)
	svc, s := open(t, true)
	report := importDump(t, svc, dump, config.ImportOptions{Machine: true})
	compare(t, "sample-machine-dispositions.txt", print(report))
	want := engine.Clustering{Name: "cluster.example.net", Primary: 1, IPVersion: "IPv4", Peers: []string{"192.0.2.10", "192.0.2.11"}}
	if !s.page.Equal(want) || s.own["SystemUnit Name"] != "hq-1" || s.own["DNS Server 1 Address"] != "192.0.2.53" {
		t.Errorf("page %+v, own items %v", s.page, s.own)
	}
	checkReadsBack(t, svc, dump, report)
	checkIdempotent(t, svc, s, dump, config.ImportOptions{Machine: true})
}

func TestImportNeverEmptiesThePeerList(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	s.page = engine.Clustering{Name: "c", Primary: 1, IPVersion: "IPv4", Peers: []string{"192.0.2.1"}}
	report := importDump(t, svc, "Alternates Cluster Name: \"\"\nAlternates Peer 1 Address: \"\"\n", config.ImportOptions{Machine: true})
	if s.pages != 0 || report.LeftAlone != 2 || !strings.Contains(report.Lines[1].Reason.EN, "factory reset") {
		t.Errorf("%d pages saved, report %+v", s.pages, report)
	}
}

func TestImportTellsARefusedPage(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	s.pageErr = engine.Errorf(engine.Invalid, "not this list")
	report := importDump(t, svc, "SIP Mode: On\nAlternates Peer 1 Address: 192.0.2.1\n", config.ImportOptions{Machine: true})
	if report.Applied != 1 || report.Invalid != 1 || !strings.Contains(report.Lines[1].Reason.EN, "not this list") || report.Saved == nil {
		t.Errorf("report %+v", report)
	}
}

func TestImportAgainstAnotherChange(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	s.config.Revision = 5 // another administrator saved: the view is behind
	report := importDump(t, svc, "SIP Mode: On\n", config.ImportOptions{})
	if report.Saved == nil || report.Saved.Revision != 6 {
		t.Errorf("report %+v, want revision 6", report)
	}
	s.saveErr = engine.Errorf(engine.Denied, "the primary is elsewhere")
	if _, err := svc.Import(t.Context(), admin, strings.NewReader("SIP Mode: Off\n"), config.ImportOptions{}); engine.CodeOf(err) != engine.Denied {
		t.Errorf("%v, want denied", err)
	}
}

func TestImportIsBounded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"bytes": strings.Repeat("SIP Mode: On\n", 400_000),
		"lines": strings.Repeat("\n", 50_001),
		"line":  strings.Repeat("x", 5<<20),
	} {
		svc, s := open(t, true)
		if _, err := svc.Import(t.Context(), admin, strings.NewReader(text), config.ImportOptions{}); engine.CodeOf(err) != engine.Invalid || len(s.saves) != 0 {
			t.Errorf("%s: %v, %d saves, want invalid and none", name, err, len(s.saves))
		}
	}
	svc, _ := open(t, true)
	report := importDump(t, svc, "SIP Mode: "+strings.Repeat("x", 9000)+"\nSIP Mode: On\n", config.ImportOptions{})
	if report.Invalid != 1 || report.Applied != 1 {
		t.Errorf("a long line among others: %+v", report)
	}
}

func importDump(t *testing.T, svc *config.Service, text string, opt config.ImportOptions) config.Report {
	t.Helper()
	report, err := svc.Import(t.Context(), admin, strings.NewReader(text), opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range report.Lines {
		if d.Outcome != config.Applied && (d.Reason.EN == "" || d.Reason.JA == "") {
			t.Errorf("line %d: %s without a reason: %+v", d.Number, d.Outcome, d)
		}
	}
	return report
}

// checkReadsBack compares each applied line with the item as it reads now:
// enums without regard to case and to the spaces of a wrapped line.
func checkReadsBack(t *testing.T, svc *config.Service, text string, report config.Report) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, d := range report.Lines {
		if d.Outcome != config.Applied {
			continue
		}
		line, err := config.ParseLine(lines[d.Number-1])
		if err != nil {
			t.Fatal(err)
		}
		m, err := svc.Registry().Lookup(line.Path)
		if err != nil {
			t.Fatal(err)
		}
		want := line.Value
		if m.Item.Space.Kind == config.Enum {
			want = strings.ReplaceAll(want, " ", "")
		}
		if got := value(t, svc, line.Path); got != want && !(m.Item.Space.Bare() && strings.EqualFold(got, want)) {
			t.Errorf("line %d: %s reads %q, want %q", d.Number, d.Path, got, want)
		}
	}
}

func checkIdempotent(t *testing.T, svc *config.Service, s *stores, text string, opt config.ImportOptions) {
	t.Helper()
	revision, local, pages := s.config.Revision, len(s.localSaves), s.pages
	again := importDump(t, svc, text, opt)
	if s.config.Revision != revision || len(s.localSaves) != local || s.pages != pages || again.Saved != nil || len(again.Changed) != 0 {
		t.Errorf("the second import saved revision %d after %d, %d local saves, %d pages: %+v", s.config.Revision, revision, len(s.localSaves)-local, s.pages-pages, again.Changed)
	}
}

func print(report config.Report) string {
	var b strings.Builder
	for _, d := range report.Lines {
		fmt.Fprintf(&b, "%d %s = %q: %s", d.Number, d.Path, d.Value, d.Outcome)
		if d.Outcome != config.Applied {
			fmt.Fprintf(&b, " (%s)", d.Reason.EN)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d applied, %d left alone, %d not applicable, %d unknown, %d invalid\n",
		report.Applied, report.LeftAlone, report.NotApplicable, report.Unknown, report.Invalid)
	return b.String()
}

func sample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testdata, "sample-xconfiguration.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// compare compares with a golden file; -update rewrites it.
func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update rewrites it. Got:\n%s", name, got)
	}
}
