//go:build tools

package main

// The anchor is built from the same module version that hexad embeds.
import _ "github.com/rqlite/rqlite/v8/cmd/rqlited"
