//go:build !hexad_staleread

package config

// fresh makes a reader see a save as soon as it is acknowledged. Without it an
// administrator, or a program, decides on what was before its own save.
const fresh = true
