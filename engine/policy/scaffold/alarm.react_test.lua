-- Every function test_* is a test. The input holds what the policy looks at.
function test_critical_alarms_are_told()
  local acts = evaluate({ alarm = { severity = "critical", acknowledged = false } })
  expect.equal(acts[1].to, "duty@example.com")
end

function test_others_are_not()
  expect.equal(evaluate({ alarm = { severity = "warning", acknowledged = false } }), {})
end
