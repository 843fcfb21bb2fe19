package engine

import (
	"regexp"
	"strconv"
)

// Key is an option key as the rules see it: a family, and a count for
// licences (0 for a feature).
type Key struct {
	Text   string `json:"text"` // the whole key; secret outside of the peer that has it
	Family string `json:"family"`
	Count  int    `json:"count"`
}

var keyForm = regexp.MustCompile(`^116341([A-Z])(\d{1,5})-(\d{1,3})-[0-9A-F]{8}$`)

// keyFamilies names the families of the letters that are known; the others
// are "option_<letter>". Source: reference 3.3 (form); the transcript of an
// X7.2.1 machine for X, P, G, U, C and Y.
var keyFamilies = map[string]string{
	"X": "non_traversal_calls", "Y": "traversal_calls",
	"W": "rich_media_sessions", "R": "room_registrations", "D": "desktop_registrations",
	"E": "expressway_series", "P": "provisioning", "G": "gateway", "U": "find_me", "C": "ocs", "T": "turn_relays",
	"L": "advanced_networking", "J": "device_provisioning", "A": "advanced_account_security", "H": "h323_sip_interworking",
}

// ParseKey reads an option key of the form 116341<letter><n>-<m>-<8 hex>: n the
// count (00 for a feature), m the index.
//
// Errors: Invalid. Source: reference 3.3.
func ParseKey(text string) (Key, error) {
	m := keyForm.FindStringSubmatch(text)
	if m == nil {
		return Key{}, Errorf(Invalid, "option key %q is not of the form 116341<letter><n>-<m>-<8 hexadecimal digits>", text).
			With("Option Key", "type the key as it was issued, for example 116341W100-1-0A1B2C3D")
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return Key{}, Errorf(Invalid, "option key %q: count %s", text, m[2])
	}
	family := keyFamilies[m[1]]
	if family == "" {
		family = "option_" + m[1]
	}
	return Key{Text: text, Family: family, Count: n}, nil
}
