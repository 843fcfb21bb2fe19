// Package routing holds transforms and search rules against an alias.
//
// Rules are compiled once for a configuration revision. Each has a necessary
// condition that an index can look up: the whole alias, a prefix or a suffix,
// for a regular expression the letters that it must begin or end with. A search
// confirms the few rules that the index names, so it takes as long with a
// thousand rules as with ten. Compiled plans never change and are safe for
// concurrent use.
//
// Source: reference 7.1 to 7.3; reference/policy-api.md section 1.
package routing
