// Package policies holds the built-in rules: one .lua file for each policy, its
// tests beside it.
//
// Source: reference/policy-api.md section 10.
package policies

import (
	"embed"
	"io/fs"
	"strings"
)

// FS holds the scripts and their tests.
//
//go:embed *.lua
var FS embed.FS

// Script is one built-in: its name, its source and its tests.
type Script struct {
	Name   string
	Source string
	Tests  string
}

// Builtin lists the built-in scripts by name.
func Builtin() []Script {
	files, err := fs.Glob(FS, "*.lua")
	if err != nil {
		panic(err) // the pattern is constant
	}
	var out []Script
	for _, file := range files {
		name := strings.TrimSuffix(file, ".lua")
		if strings.HasSuffix(name, "_test") {
			continue
		}
		out = append(out, Script{Name: name, Source: read(file), Tests: read(name + "_test.lua")})
	}
	return out
}

func read(file string) string {
	b, err := FS.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(b)
}

// fixed lists the built-ins that a site script of the same name may not
// replace.
var fixed = map[string]bool{"one_role": true, "same_release": true, "peer_identity": true, "factory_reset": true}

// Overridable reports whether a site script may replace the built-in name.
func Overridable(name string) bool { return !fixed[name] }
