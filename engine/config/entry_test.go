package config_test

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

// add adds an entry and saves it.
func add(t *testing.T, svc *config.Service, list string, fields map[string]string) int {
	t.Helper()
	view := svc.Current()
	changes, index, err := view.Add(list, fields)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Set(t.Context(), admin, view.Revision, changes); err != nil {
		t.Fatal(err)
	}
	return index
}

func TestZoneComesWithItsLinks(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	if n := add(t, svc, "Zones Zone", map[string]string{"Name": "branch", "Type": "Neighbor"}); n != 1 {
		t.Fatalf("index %d, want 1", n)
	}
	add(t, svc, "zoneszone", map[string]string{"name": "edge", "type": "traversalclient"})
	add(t, svc, "Zones LocalZone SubZones SubZone", map[string]string{"Name": "lab"})
	var links []string
	for _, i := range svc.Current().Entries("Bandwidth Link") {
		at := "Bandwidth Link " + strconv.Itoa(i) + " "
		links = append(links, value(t, svc, at+"Name")+": "+value(t, svc, at+"Node1 Name")+"-"+value(t, svc, at+"Node2 Name"))
	}
	want := `DefaultSZtoTraversalSZ: DefaultSubZone-TraversalSubZone
DefaultSZtoDefaultZ: DefaultSubZone-DefaultZone
DefaultSZtoClusterSZ: DefaultSubZone-ClusterSubZone
TraversalSZtoDefaultZ: TraversalSubZone-DefaultZone
Zone001ToTraversalSZ: branch-TraversalSubZone
Zone001ToDefaultSZ: branch-DefaultSubZone
Zone002ToTraversalSZ: edge-TraversalSubZone
SubZone001ToTraversalSZ: lab-TraversalSubZone
SubZone001ToDefaultSZ: lab-DefaultSubZone`
	if got := strings.Join(links, "\n"); got != want {
		t.Errorf("links:\n%s\nwant:\n%s", got, want)
	}
	if s.config.Items["Zones Zone 1 Neighbor SIP Port"] != "5061" || s.config.Items["Zones Zone 2 Neighbor SIP Port"] != "" {
		t.Error("an entry rests with the defaults of its type and no others")
	}

	changes, err := svc.Current().Delete("Zones Zone", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Set(t.Context(), admin, 0, changes); err != nil {
		t.Fatal(err)
	}
	if got := svc.Current().Entries("Bandwidth Link"); len(got) != 7 {
		t.Errorf("links %v after the zone went, want 7", got)
	}
	if n := add(t, svc, "Zones Zone", map[string]string{"Name": "other", "Type": "DNS"}); n != 1 {
		t.Errorf("the freed index is not taken again: %d", n)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	svc, _ := open(t, true)
	for i := range 5 {
		add(t, svc, "DNS Server", map[string]string{"Address": "192.0.2." + strconv.Itoa(i+1)})
	}
	for _, c := range []struct {
		list   string
		fields map[string]string
		code   engine.Code
	}{
		{"Zones Zone", map[string]string{"Name": "x"}, engine.Invalid},
		{"Zones Zone", map[string]string{"Name": "x", "Type": "DNS", "Colour": "red"}, engine.NotFound},
		{"Nothing", nil, engine.NotFound},
		{"DNS Server", map[string]string{"Address": "192.0.2.9"}, engine.Exhausted},
		{"NTP Server", map[string]string{"Address": "not a host"}, engine.Invalid},
	} {
		if _, _, err := svc.Current().Add(c.list, c.fields); engine.CodeOf(err) != c.code {
			t.Errorf("Add(%s, %v): %v, want code %s", c.list, c.fields, err, c.code)
		}
	}
	if _, err := svc.Current().Delete("Zones Zone", 9); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("Delete of no zone: %v", err)
	}
}

func TestTransformMakesRoom(t *testing.T) {
	t.Parallel()
	svc, _ := open(t, true)
	for _, p := range []string{"1", "2", "4", "2"} {
		add(t, svc, "Transform", map[string]string{"Pattern String": "p" + p, "Priority": p})
	}
	var got []string
	for _, i := range svc.Current().Entries("Transform") {
		got = append(got, value(t, svc, "Transform "+strconv.Itoa(i)+" Priority"))
	}
	if want := "1 3 4 2"; strings.Join(got, " ") != want {
		t.Errorf("priorities %v, want %s", got, want)
	}
}

func TestDefaultLinksComeBack(t *testing.T) {
	t.Parallel()
	svc, _ := open(t, true)
	changes, err := svc.Current().Delete("Bandwidth Link", 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Set(t.Context(), admin, 0, changes); err != nil {
		t.Fatal(err)
	}
	changes, err = svc.Current().DefaultLinks()
	if err != nil || len(changes) != 3 || changes[0].Path != "Bandwidth Link 3 Name" || changes[0].Value != "DefaultSZtoClusterSZ" {
		t.Errorf("DefaultLinks = %+v, %v", changes, err)
	}
}

func TestAllShowsEntriesOfTheirType(t *testing.T) {
	t.Parallel()
	svc, _ := open(t, true)
	add(t, svc, "Zones Zone", map[string]string{"Name": "branch", "Type": "ENUM", "ENUM DNSSuffix": "e164.example"})
	items, err := svc.Current().All("zones zone")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, i := range items {
		lines = append(lines, i.Line())
	}
	want := `*c xConfiguration Zones Zone 1 Name: "branch"
*c xConfiguration Zones Zone 1 HopCount: 15
*c xConfiguration Zones Zone 1 H323 Mode: On
*c xConfiguration Zones Zone 1 SIP Mode: On
*c xConfiguration Zones Zone 1 Type: ENUM
*c xConfiguration Zones Zone 1 ENUM DNSSuffix: "e164.example"`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	peers, err := svc.Current().All("Alternates Peer")
	if err != nil || len(peers) != 6 {
		t.Errorf("All(Alternates Peer) = %d items, %v, want 6", len(peers), err)
	}
	if _, err := svc.Current().All("Nothing"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("All(Nothing): %v", err)
	}
}

func TestDanglingNamesAreFindings(t *testing.T) {
	t.Parallel()
	svc, _ := open(t, true)
	out, err := svc.Set(t.Context(), admin, 0, []engine.Change{
		set("Zones Policy SearchRules Rule 2 Name", "to branch"), set("Zones Policy SearchRules Rule 2 Target Name", "branch"),
	})
	if err != nil || len(out.Findings) != 1 || out.Findings[0].Field != "Zones Policy SearchRules Rule 2 Target Name" {
		t.Errorf("findings %+v, %v", out.Findings, err)
	}
}

func TestNeighboursAreZonesWithAddresses(t *testing.T) {
	t.Parallel()
	svc, _ := open(t, true)
	add(t, svc, "Zones Zone", map[string]string{"Name": "branch", "Type": "Neighbor", "Neighbor Peer 1 Address": "192.0.2.7", "Neighbor Peer 3 Address": "b.example"})
	add(t, svc, "Zones Zone", map[string]string{"Name": "edge", "Type": "TraversalClient", "TraversalClient Peer 1 Address": "192.0.2.8"})
	add(t, svc, "Zones Zone", map[string]string{"Name": "dns", "Type": "DNS"})
	got := svc.Current().Neighbours()
	want := []engine.NeighbourRecord{
		{Zone: "branch", Type: "Neighbor", Addresses: []string{"192.0.2.7", "b.example"}},
		{Zone: "edge", Type: "TraversalClient", Addresses: []string{"192.0.2.8"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Neighbours() = %+v, want %+v", got, want)
	}
}
