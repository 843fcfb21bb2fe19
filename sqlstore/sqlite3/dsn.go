package sqlite3

import (
	"net/url"
	"strings"
)

// busyTimeout is how long a connection waits for a lock, in milliseconds, when
// its name does not say: mattn's default.
const busyTimeout = "5000"

// translate turns a data source name of mattn's into one of modernc's: the
// abbreviations _fk, _journal, _sync, _query_only and _busy_timeout become
// pragmas, everything else goes on as it is.
func translate(name string) (string, error) {
	path, query, given := strings.Cut(name, "?")
	if !given {
		return path + "?_pragma=busy_timeout(" + busyTimeout + ")", nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", err
	}
	wait, pragmas, out := busyTimeout, []string(nil), url.Values{}
	for key, v := range values {
		switch key {
		case "_fk", "_foreign_keys":
			pragmas = append(pragmas, "foreign_keys("+flag(v[0])+")")
		case "_journal", "_journal_mode":
			pragmas = append(pragmas, "journal_mode("+v[0]+")")
		case "_sync", "_synchronous":
			pragmas = append(pragmas, "synchronous("+v[0]+")")
		case "_query_only":
			pragmas = append(pragmas, "query_only("+flag(v[0])+")")
		case "_busy_timeout", "_timeout":
			wait = v[0]
		default:
			out[key] = v
		}
	}
	// The wait comes first: the journal mode may have to wait for a lock.
	out["_pragma"] = append([]string{"busy_timeout(" + wait + ")"}, pragmas...)
	return path + "?" + out.Encode(), nil
}

// flag is a truth value of mattn's as SQLite takes it.
func flag(v string) string {
	switch strings.ToLower(v) {
	case "1", "true", "on", "yes":
		return "1"
	}
	return "0"
}
