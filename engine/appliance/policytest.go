package appliance

import "hexad/engine/policy"

// BuiltinPolicies are the scripts that hexad comes with, with their tests.
func BuiltinPolicies() []policy.Script { return builtin() }
