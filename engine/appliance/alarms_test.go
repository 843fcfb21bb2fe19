package appliance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// provoked says of one alarm which fault raises it and what lowers it, and
// which test does both to real processes; or why nothing can raise it.
type provoked struct {
	id      int
	fault   string // "" when nothing raises it
	lowered string
	test    string // a test of this package
	not     string // why nothing raises it
}

// provokedAlarms has every alarm of clustering, and those of the database, of
// crashes, of a reset and of the permissive mode. Source: reference 4.2, 4.3.
var provokedAlarms = []provoked{
	{20003, "the system was started at another address than its peer list has", "the list names the address again, after a restart", "TestAlarmsOfOne", ""},
	{20004, "a peer is killed, paused or not restarted yet; a joiner that is not admitted", "the peer answers", "TestAlarmsBetweenPeers", ""},
	{20005, "a name in the peer list that neither the mapping nor DNS knows", "the name is taken off the list, or resolves", "TestAlarmsOfOne", ""},
	{20006, "the database port of a member does not answer: killed, paused, another port", "the port answers", "TestAlarmsBetweenPeers", ""},
	{20007, "the page is saved on a stand-alone system; the TLS mode or the own address changes", "the restart, or the old value saved again", "TestAlarmsOfOne", ""},
	{20008, "one peer runs another release", "it runs the release of the others", "TestAlarmsBetweenPeers", ""},
	{20009, "a value in this peer's copy of the database becomes another one than the primary's", "ForceConfigUpdate on this peer, or equal copies", "TestReplicationErrors", ""},
	{20011, "another peer has a newer generation of the database", "this copy is of that generation or newer", "TestFence", ""},
	{20012, "the list, its order or the cluster's name is saved differently on one peer", "it is saved as the primary has it", "TestAlarmsBetweenPeers", ""},
	{20014, "this peer's copy of the database is damaged and nobody fills it, or the primary's could not be opened", "that copy is filled, or repaired", "TestReplicationErrors", ""},
	{20015, "the system was started at another address than its peer list has", "the list names the address again, after a restart", "TestAlarmsOfOne", ""},
	{20016, "the primary is killed", "it answers", "TestAlarmsBetweenPeers", ""},
	{20017, "another primary is saved on one peer", "the same primary is saved on all", "TestAlarmsBetweenPeers", ""},
	{20018, "H.323 mode is set to Off in a running cluster", "it is set to On", "TestAlarmsOfOne", ""},
	{20019, "a page without a cluster name, as another program may have left it; saving one is refused", "a name is saved", "TestAlarmsOfOne", ""},
	{20020, "the TLS verification mode is changed", "the restart, or the old mode saved again", "TestAlarmsOfOne", ""},
	{20021, "a peer refuses connections: killed, or its port is another", "its ports accept connections", "TestAlarmsBetweenPeers", ""},
	{20024, "", "", "", "it would say that the agreed primary is no member: neither can the primary be removed nor a system that is no member be named, each in one guarded write"},
	{20025, "a peer's database port is closed to the others while its link is open, and the primary saves", "the port is open again", "TestAlarmsBetweenPeers", ""},
	{15004, "the process ends by itself", "ten minutes without another crash, or a restart", "TestCrashAlarm", ""},
	{15005, "a damaged cluster.db at the start, a full disk", "a reset or restored data; room on the disk", "TestDamagedClusterDatabase", ""},
	{15008, "a damaged local.db: the system says so and does not start", "the data are restored or a new data directory is used", "TestDamagedLocalDatabase", ""},
	{15013, "an armed factory reset cannot be carried out", "the reset is not armed any more", "TestFactoryReset", ""},
	{40055, "the file of the system key is missing, cut short or another", "ForceSystemKeyUpdate: alone here, in a cluster on a peer without the alarm", "TestKeyFileDamage40055", ""},
	{40049, "a cluster runs in the permissive mode", "the mode is Enforcing and running", "TestAlarmsOfOne", ""},
}

// TestProvokedAlarms: the table has each number once, and its tests exist.
func TestProvokedAlarms(t *testing.T) {
	t.Parallel()
	want := []int{20024, 20025, 15004, 15005, 15008, 15013, 40049, 40055}
	for id := 20003; id <= 20021; id++ {
		if !slices.Contains([]int{20010, 20013}, id) { // numbers that the reference does not use
			want = append(want, id)
		}
	}
	var got []int
	tests := testsHere(t)
	for _, p := range provokedAlarms {
		got = append(got, p.id)
		switch {
		case p.fault == "" && p.not == "", p.fault != "" && (p.lowered == "" || p.not != ""):
			t.Errorf("%d: neither provoked and lowered nor excused: %+v", p.id, p)
		case p.fault != "" && !tests[p.test]:
			t.Errorf("%d: there is no test %q", p.id, p.test)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table has %v, want %v", got, want)
	}
}

// testsHere are the names of the tests of this package.
func testsHere(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				out[f.Name.Name] = true
			}
		}
	}
	return out
}
