package command

import (
	"context"
	"encoding/json"
	"strings"

	"hexad/engine"
	"hexad/engine/policy"
)

func (t *Table) policyOtherEntries() []*Entry {
	hook := argHook
	hook.Required = true
	name := argScript
	return []*Entry{
		{Group: XCommand, Name: "PolicyHooks", Role: Auditor,
			Help:    engine.Text{EN: "Lists the hooks that scripts can answer", JA: "スクリプトが回答できるフックを一覧表示します"},
			Example: "xCommand PolicyHooks",
			run: func(context.Context, Call) (Result, error) {
				return Result{Data: policy.Hooks(), Lines: policy.Hooks()}, nil
			}},
		{Group: XCommand, Name: "PolicySchema", Role: Auditor, Args: []Argument{hook},
			Help:    engine.Text{EN: "Shows the JSON schemas of a hook's input and answer", JA: "フックの入力と回答の JSON スキーマを表示します"},
			Example: "xCommand PolicySchema Hook: keys.compare", run: policySchema},
		{Group: XCommand, Name: "PolicyNew", Role: Auditor, Args: []Argument{hook, name},
			Help:    engine.Text{EN: "Writes a script of a hook to begin with, and its tests", JA: "フックのスクリプトのひな形とテストを書き出します"},
			Example: `xCommand PolicyNew Hook: call.admit Script: "boardrooms"`,
			run: func(_ context.Context, call Call) (Result, error) {
				s, err := policy.Scaffold(call.Args["Hook"], call.Args["Script"])
				if err != nil {
					return Result{}, err
				}
				lines := append(splitLines(s.Source), "", "-- "+s.Name+"_test.lua")
				return Result{Data: policy.SourceFile{Name: s.Name, Source: s.Source, Tests: s.Tests}, Lines: append(lines, splitLines(s.Tests)...)}, nil
			}},
	}
}

func policySchema(_ context.Context, call Call) (Result, error) {
	input, answer := policy.Schema(call.Args["Hook"])
	if input == nil {
		return Result{}, engine.Errorf(engine.NotFound, "there is no hook %q", call.Args["Hook"]).With("Hook", "one of "+strings.Join(policy.Hooks(), ", "))
	}
	data := map[string]json.RawMessage{"input": input, "answer": answer}
	text, err := json.MarshalIndent(data, "", "  ")
	return Result{Data: data, Lines: splitLines(string(text))}, err
}
