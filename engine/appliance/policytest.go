package appliance

import (
	"io"
	"regexp"

	"hexad/engine"
	"hexad/engine/policy"
)

// TestPolicies runs the tests of the built-in rules whose "script/test" names
// match pattern ("" for all) and prints a report that closes with "N passed,
// N failed". It reports whether all passed.
//
// Errors: Invalid (the pattern).
func TestPolicies(out io.Writer, pattern string, cover bool) (bool, error) {
	o := policy.TestOptions{Cover: cover}
	if pattern != "" {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return false, engine.Errorf(engine.Invalid, "%q is not a regular expression: %w", pattern, err).With("--run", "for example --run option_keys")
		}
		o.Run = re
	}
	report := policy.Test(builtin(), o)
	return report.Failed == 0, report.Write(out)
}
