package policy

import (
	"embed"
	"strings"

	"hexad/engine"
)

//go:embed scaffold/*.lua
var scaffolds embed.FS

// Scaffold returns a new policy of a hook to start from: a commented script
// that works, under the given name, and its tests. It passes the check.
//
// Errors: NotFound (the hook), Invalid (the name).
func Scaffold(hook, name string) (Script, error) {
	if !scriptName.MatchString(name) {
		return Script{}, engine.Errorf(engine.Invalid, "%q is no name of a policy", name).
			With("Name", "use a-z, 0-9 and _, a letter first, 40 characters at most")
	}
	if hookNamed(hook) == nil {
		return Script{}, engine.Errorf(engine.NotFound, "there is no hook %q", hook).
			With("Hook", "the hooks are "+strings.Join(Hooks(), ", "))
	}
	out := Script{Name: name}
	for file, into := range map[string]*string{hook + ".lua": &out.Source, hook + "_test.lua": &out.Tests} {
		text, err := scaffolds.ReadFile("scaffold/" + file)
		if err != nil {
			return Script{}, &engine.Error{Code: engine.Internal, Message: "no scaffold for " + hook, Err: err}
		}
		*into = strings.ReplaceAll(string(text), "NAME", name)
	}
	return out, nil
}
