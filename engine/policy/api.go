package policy

// This file is the map of the package for whoever builds on it: the operators'
// lifecycle, the console, the command line, call control.
//
// # Asking (call control, cluster, procedures)
//
//	p, err := policy.New(policy.Options{Scripts: …, Data: …, Revision: n, Logger: …,
//	        Record: func(Decision), Fail: func(Failure), Pinned: func(engine.PolicyPin), Unpinned: func(engine.PolicyPin),
//	        ZoneEnabled: func(name string) bool})
//	p.SetSituation(engine.Situation{Self: …, Cluster: …}) // whenever facts change
//	p.ValidateCluster, p.CompareKeys, p.Prerequisites, p.PeersChanged, p.Identity
//	p.AdmitRegistration(ctx, engine.RegistrationRequest) engine.Admission
//	p.Admit(ctx, engine.CallRequest)                     engine.Admission
//	p.Transform(ctx, engine.SearchRequest)               engine.Transformed
//	p.Route(ctx, engine.RouteRequest)                    engine.Route
//	p.FindMe(ctx, engine.FindMeRequest)                  engine.FindMeRings
//	p.Bandwidth(ctx, engine.BandwidthRequest)            engine.BandwidthGrant
//	p.Gate(ctx, engine.GateRequest)                      engine.GateAnswer
//	p.Capacity(ctx, engine.CapacityRequest)              engine.Capacity
//	p.ReactToAlarm(ctx, engine.AlarmRequest)             engine.AlarmReaction
//	p.Run(ctx) error // optional: decisions of call hooks are then recorded beside the call, not in it
//
// # Activating (lifecycle)
//
//	p.Activate(number, []Script, data) error // Script: Name Source Tests Mode OnFailure Order Version LastGood Builtin
//	p.Revision() int64
//	p.Status() []ScriptStatus                    // evaluations, failures, p99, pin, last failure
//	p.Pin(script, reason string) error           // by the operator: to the last good version, else the fail-safe
//	p.Unpin(script string) error
//	p.Pins() []engine.PolicyPin
//
// A Script's Version is what the caller calls that text (engine.PolicyDigest);
// LastGood is an earlier Script of the same name that answered well here, nil
// when none is known; a version that this process saw answer is remembered
// without it.
//
// # Trying (check, test, dry run, explain, eval)
//
//	Check(Script, data) []Problem
//	Test([]Script, TestOptions) TestReport
//	p.Evaluate(ctx, hook, inputJSON, Trace{}) (Decision, error)   // active revision, not recorded, not counted
//	c, err := Compile(number, []Script, data)                     // a candidate
//	c.Evaluate(ctx, hook, inputJSON, Trace{Lines: true}) (Decision, error)
//	EvaluateWith(ctx, []Script, data, hook, inputJSON, Trace{}) (Decision, error) // Compile and Evaluate
//
// A Decision's Answer is the JSON of the typed answer (engine.Admission …;
// {"findings": […], "failed": […]} for findings hooks), after composition, engine checks and
// fail-safe; its Steps say what each script did, with why and, on request, the
// lines that ran. Decision.Script is the one that decided.
//
// # Describing (schemas, editor, scaffold, pages)
//
//	Hooks() []string, Describe(hook), Schema(hook), Functions(), Annotations() …
//	Permitted(hook) []OnFailure          // what on_failure may be, "" among it
//	Fixtures(hook) map[string][]byte     // valid inputs as JSON, by name
//	Catalogue(), Keepable()
