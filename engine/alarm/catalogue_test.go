package alarm_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/alarm"
)

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	paramForm = regexp.MustCompile(`\{([^}]*)\}`)
	japanese  = regexp.MustCompile(`[\p{Hiragana}\p{Katakana}\p{Han}]`)
)

func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, kind := range alarm.Kinds() {
		if other := seen[kind.UUID]; other != 0 || !uuidForm.MatchString(kind.UUID) {
			t.Errorf("%d: UUID %q is malformed or that of %d", kind.ID, kind.UUID, other)
		}
		seen[kind.UUID] = kind.ID
		if kind.ID < 10000 || kind.ID > 99999 {
			t.Errorf("%d has not five digits", kind.ID)
		}
		if !slices.Contains(engine.Severities, kind.Severity) {
			t.Errorf("%d: severity %q", kind.ID, kind.Severity)
		}
		for part, text := range map[string]engine.Text{"title": kind.Title, "detail": kind.Detail, "remedy": kind.Remedy} {
			checkText(t, kind.ID, part, text)
		}
	}
}

func checkText(t *testing.T, id int, part string, text engine.Text) {
	t.Helper()
	if text.EN == "" || japanese.MatchString(text.EN) {
		t.Errorf("%d: English %s is %q", id, part, text.EN)
	}
	if !japanese.MatchString(text.JA) {
		t.Errorf("%d: Japanese %s is %q", id, part, text.JA)
	}
	if en, ja := params(text.EN), params(text.JA); !slices.Equal(en, ja) {
		t.Errorf("%d: the %s has the parameters %q in English and %q in Japanese", id, part, en, ja)
	}
	if part != "remedy" && strings.HasSuffix(text.EN, ".") {
		t.Errorf("%d: the %s ends in a full stop: %q", id, part, text.EN)
	}
}

func params(s string) []string {
	var out []string
	for _, m := range paramForm.FindAllStringSubmatch(s, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestCatalogueHolds names every number that another part relies on.
func TestCatalogueHolds(t *testing.T) {
	t.Parallel()
	for _, id := range []int{
		20003, 20004, 20005, 20006, 20007, 20008, 20009, 20011, 20012, 20014, 20015, 20016, 20017, 20018, 20019, 20020, 20021,
		20024, 20025, 20026,
		10005, 15004, 15005, 15007, 15008, 15009, 15010, 15011, 15013, 15015, 15019, 15022, 15023, 15028,
		25001, 25002, 25006, 25018, 25020, 25021, 25030, 25031,
		30012, 30013, 30014, 30015, 30016, 30017, 30025, 40049, 40055, 40068, 40069, 45002, 45003, 45006, 45007, 45008, 45010,
		70001, 70002, 70003, 70004, 70011, 70012, 70013, 70014, 70015, 70016, 70017, 70018, 70019,
		70021, 70022, 70023, 70024, 70025,
	} {
		if _, ok := alarm.Kind(id); !ok {
			t.Errorf("alarm %d is missing", id)
		}
	}
}

// TestKnownTexts pins what log filters and other releases know.
func TestKnownTexts(t *testing.T) {
	t.Parallel()
	for id, want := range map[int][3]string{
		20004: {"3bca6888-f622-11df-93be-07cc953d7b99", "Cluster communication failure", "The system is unable to communicate with one or more of the cluster peers"},
		20006: {"0f96695e-d954-4f6f-85c1-2ef1eae6f764", "Cluster database communication failure", "The database is unable to replicate with one or more of the cluster peers"},
		20007: {"e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6", "Restart required", "Cluster configuration has been changed, however a restart is required for this to take effect"},
		20018: {"bea1d875-e1be-570a-bc36-42cdd390931d", "Invalid clustering configuration", "H.323 mode is off but must be on: the peers of a cluster talk H.323 to each other"},
	} {
		kind, _ := alarm.Kind(id)
		if got := [3]string{kind.UUID, kind.Title.EN, kind.Detail.EN}; got != want {
			t.Errorf("alarm %d:\ngot  %q\nwant %q", id, got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		alarm  engine.RaisedAlarm
		lang   engine.Language
		detail string
	}{
		{"parameters", engine.RaisedAlarm{ID: 20021, Params: map[string]string{"peers": "192.0.2.12", "ports": "4371, 4372"}}, engine.English,
			"No TCP connection to 192.0.2.12 on 4371, 4372"},
		{"japanese", engine.RaisedAlarm{ID: 20021, Params: map[string]string{"peers": "192.0.2.12", "ports": "4371"}}, engine.Japanese,
			"192.0.2.12 の 4371 に TCP 接続できません"},
		{"missing", engine.RaisedAlarm{ID: 20021}, engine.English, "No TCP connection to - on -"},
		{"no second filling", engine.RaisedAlarm{ID: 20021, Params: map[string]string{"peers": "{ports}", "ports": "4371"}}, engine.English,
			"No TCP connection to {ports} on 4371"},
	} {
		if got := alarm.Explain(c.alarm, c.lang).Detail; got != c.detail {
			t.Errorf("%s: got %q, want %q", c.name, got, c.detail)
		}
	}
	if got := alarm.Explain(engine.RaisedAlarm{ID: 99999}, engine.English).Title; got != "Alarm 99999" {
		t.Errorf("unknown kind: got %q", got)
	}
}
