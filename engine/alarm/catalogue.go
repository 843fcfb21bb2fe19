package alarm

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"hexad/engine"
)

// entry is one row of the catalogue as it is written down in the
// catalogue_….go files: number, severity, and three texts in both languages.
type entry struct {
	id                    int
	severity              engine.Severity
	title, detail, remedy engine.Text
}

// t keeps the rows of the catalogue short.
func t(en, ja string) engine.Text { return engine.Text{EN: en, JA: ja} }

// published holds the identifiers that the reference gives; every other kind
// has one derived from its number. Source: reference 4.1.
var published = map[int]string{
	20004: "3bca6888-f622-11df-93be-07cc953d7b99",
	20006: "0f96695e-d954-4f6f-85c1-2ef1eae6f764",
	20007: "e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6",
}

// space is the name space of the derived identifiers (RFC 9562 section 5.5);
// it must never change, since peers of different releases compare them.
var space = [16]byte{0x6b, 0x1d, 0x9a, 0x52, 0x0e, 0x3c, 0x4f, 0x77, 0x8a, 0x21, 0x5d, 0xc4, 0x90, 0x16, 0xe8, 0x3f}

var catalogue = build(clusterEntries, systemEntries, serviceEntries, ownEntries)

func build(lists ...[]entry) map[int]engine.Alarm {
	all := make(map[int]engine.Alarm)
	for _, e := range slices.Concat(lists...) {
		if _, double := all[e.id]; double {
			panic(fmt.Sprintf("alarm %d is listed twice", e.id))
		}
		all[e.id] = engine.Alarm{
			ID: e.id, UUID: uuid(e.id), Severity: e.severity,
			Title: e.title, Detail: e.detail, Remedy: e.remedy,
		}
	}
	return all
}

// uuid is the published identifier of a kind, or a version 5 UUID of its number.
func uuid(id int) string {
	if u := published[id]; u != "" {
		return u
	}
	h := sha1.New()
	h.Write(space[:])
	h.Write([]byte("alarm/" + strconv.Itoa(id)))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	x := hex.EncodeToString(u)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// Kind returns the catalogue entry with the given number.
func Kind(id int) (engine.Alarm, bool) {
	a, ok := catalogue[id]
	return a, ok
}

// Kinds returns the whole catalogue in the order of the numbers.
func Kinds() []engine.Alarm {
	return slices.SortedFunc(maps.Values(catalogue), func(a, b engine.Alarm) int { return a.ID - b.ID })
}
