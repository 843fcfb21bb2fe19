-- Every function test_* is a test. fixture(name) is a valid input to start from.
function test_the_company_domain_passes()
  expect.equal(evaluate(fixture("pair")), {})
end

function test_another_domain_is_told()
  local c = fixture("pair")
  c.proposed.name = "cluster.example.net"
  expect.has_finding(evaluate(c), "policy.NAME.domain", { severity = "warning" })
end

function test_no_name_is_no_matter_of_this_policy()
  local c = fixture("pair")
  c.proposed.name = ""
  expect.equal(evaluate(c), {})
  expect.traced("no_name")
end
