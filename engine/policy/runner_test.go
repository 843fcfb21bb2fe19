package policy_test

import (
	"regexp"
	"strings"
	"testing"

	"hexad/engine/policy"
)

func TestRunnerReports(t *testing.T) {
	t.Parallel()
	s := scriptOf("cluster.validate", `if #c.peers > 5 then
  why("many")
  return { { id = "cluster.name.bare", severity = "info" } }
end
c = data("branches").x
return {}`)
	s.Source = strings.Replace(s.Source, "order", `uses = { data = { "branches" } }, order`, 1)
	s.Source = strings.Replace(s.Source, "c = data", "local _x = data", 1)
	s.Tests = `
local function count(n) return #evaluate(fixture(n)) end
function helper() return fixture("pair") end
function test_a_few() expect.equal(count("pair"), 0) end
function test_b_wrong()
  expect.equal(evaluate(helper()), { 1 })
end
function test_c_loop() while true do end end
function test_d_data()
  with_data("branches", { x = "y" })
  evaluate(helper())
  expect.under(500)
  expect.raises(function() error("boom") end, "^runner?.*boom$")
end
function test_e_input_is_read_only()
  local c = helper()
  c.peers = nil
  expect.raises(function() evaluate(c) end, "length")
end
function test_f_schema() expect.has_finding(evaluate(fixture("six")), "cluster.name.bare", { severity = "error" }) end
function test_g_unknown() fixture("nothing") end
function test_h_expectations()
  expect.truthy(1) expect.falsy(nil)
  expect.rejected({ action = "reject", reason = "x" }, "x")
  expect.routed({ action = "route", targets = { { zone = "a" }, { zone = "b" } } }, "a", "b")
  expect.no_finding({}, "x")
  expect.raises(function() expect.truthy(nil) end, "want something true")
  expect.raises(function() expect.falsy(1) end, "want nil or false")
  expect.raises(function() expect.no_finding({ { id = "x" } }, "x") end, "finding x")
  expect.raises(function() expect.rejected({ action = "accept" }) end, "want a reject")
  expect.raises(function() expect.rejected({ action = "reject", reason = "y" }, "x") end, "want \"x\"")
  expect.raises(function() expect.routed({ action = "route", targets = {} }, "a") end, "want %[a%]")
  expect.raises(function() expect.traced("x") end, "no why")
  expect.raises(function() expect.raises(function() end) end, "no error")
  expect.raises(function() expect.under(0) end, "fewer than 0")
end
`
	s.Tests = strings.Replace(s.Tests, `"^runner?.*boom$"`, `"boom$"`, 1)
	report := policy.Test([]policy.Script{s}, policy.TestOptions{Cover: true})
	var out strings.Builder
	if err := report.Write(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"ok    hostile/test_a_few", "FAIL  hostile/test_b_wrong\n      hostile_test:6: got {  }, want { 1 }",
		"FAIL  hostile/test_c_loop\n      hostile_test:8: limit.", "ok    hostile/test_d_data",
		"ok    hostile/test_e_input_is_read_only", "FAIL  hostile/test_f_schema", `no fixture "nothing"`,
		"ok    hostile/test_h_expectations", "cover hostile: 8 of 8 lines", "\n4 passed, 4 failed\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}

	only := policy.Test([]policy.Script{s}, policy.TestOptions{Run: regexp.MustCompile(`hostile/test_a`)})
	if only.Passed != 1 || only.Failed != 0 {
		t.Errorf("with a pattern: %+v", only)
	}
}

func TestRunnerReportsUncoveredLines(t *testing.T) {
	t.Parallel()
	s := scriptOf("cluster.validate", "if c.now < 0 then\n  why('never')\nend\nreturn {}")
	s.Tests = `function test_one() evaluate(fixture("pair")) end`
	report := policy.Test([]policy.Script{s}, policy.TestOptions{Cover: true})
	if got := report.Scripts[0].Uncovered; len(got) != 1 || got[0] != 6 {
		t.Errorf("uncovered %v, want line 6", got)
	}
}

func TestRunnerRefusesBadTestFiles(t *testing.T) {
	t.Parallel()
	for tests, want := range map[string]string{
		`function test_a() end function test_a() end`: "defined already",
		`function evaluate() end`:                     "defined already",
		`leak = 1`:                                    "assignment to global leak",
		`function test_a() policy {} end`:             "unknown name policy",
		`function test_a( end`:                        "syntax error",
	} {
		s := scriptOf("cluster.validate", "return {}")
		s.Tests = tests
		report := policy.Test([]policy.Script{s}, policy.TestOptions{})
		if report.Failed != 1 || len(report.Scripts[0].Problems) == 0 || !strings.Contains(report.Scripts[0].Problems[0].Message, want) {
			t.Errorf("%s: got %+v, want %q", tests, report, want)
		}
	}
}
