//go:build !hexad_nofence

package link

// fenced keeps peers of unequal generations apart. Without it a returning
// primary silently takes over the promoted one (reference/rqlite.md 4).
const fenced = true
