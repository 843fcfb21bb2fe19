// Package policy turns Lua scripts into typed decisions, within a budget.
//
// A script is a pure function of one read-only input. It is parsed, checked
// and rewritten on its syntax tree, then compiled once for each revision. Every
// evaluation runs the script from its first line in a pooled state whose
// libraries nothing can change, so that nothing passes from one to the next.
// Instructions, time and bytes are counted; a breached limit cannot be caught.
//
// Source: reference/policy-api.md.
package policy
