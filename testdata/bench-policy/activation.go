package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"hexad/engine/policy"
)

func newStore(data map[string]any) storage.Store { return inmem.NewFromObject(data) }

const scripts = 200

// activation compiles 200 scripts whose texts were never seen before and brings
// them to where the next question is answered by them.
func activation() (task, error) {
	p, err := policy.New(policy.Options{})
	if err != nil {
		return task{}, err
	}
	generation := 0
	hexad := func(n int) error {
		for range n {
			generation++
			var all []policy.Script
			for i := range scripts {
				all = append(all, luaPolicy(fmt.Sprint("rule_", i), "registration.admit", fmt.Sprintf("  -- %d\n", generation)+twentyLua))
			}
			if err := p.Activate(int64(generation), all, nil); err != nil {
				return err
			}
		}
		return nil
	}
	opa := func(n int) error {
		for range n {
			generation++
			options := []func(*rego.Rego){rego.Query("data.bench.rule_0.answer")}
			for i := range scripts {
				source := strings.Replace(twentyRego, "package bench", fmt.Sprintf("package bench.rule_%d # %d", i, generation), 1)
				options = append(options, rego.Module(fmt.Sprintf("rule_%d.rego", i), source))
			}
			if _, err := rego.New(options...).PrepareForEval(context.Background()); err != nil {
				return err
			}
		}
		return nil
	}
	star := func(n int) error {
		for range n {
			generation++
			for range scripts {
				if _, err := starlarkFunction(fmt.Sprintf("# %d\n", generation) + twentyStarlark); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return task{"activation of 200 scripts", 1, []contestant{{"hexad", hexad}, {"OPA", opa}, {"Starlark", star}}}, nil
}
