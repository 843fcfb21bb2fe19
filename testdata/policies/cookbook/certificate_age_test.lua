local function pair(days, san)
  local c = fixture("pair")
  c.peers[2].certificate.not_after = c.now + days * 86400
  if san then c.peers[2].certificate.sans = { san } end
  return c
end

function test_thirty_days_are_enough() expect.equal(evaluate(pair(30)), {}) end
function test_less_is_told()
  expect.has_finding(evaluate(pair(29)), "policy.certificate_age.ends_soon", { params = { peer = "192.0.2.2", days = 29 } })
end
function test_wildcards_do_not_matter_in_permissive_mode() expect.equal(evaluate(pair(90, "*.example.com")), {}) end
function test_enforce_is_not_turned_on_over_a_wildcard()
  local c = pair(90, "*.example.com")
  c.occasion, c.proposed.tls_mode = "save", "Enforcing"
  expect.has_finding(evaluate(c), "policy.certificate_age.wildcard", { severity = "error" })
end
function test_where_it_is_on_already_it_is_a_warning()
  local c = pair(90, "*.example.com")
  c.proposed.tls_mode = "Enforcing"
  expect.has_finding(evaluate(c), "policy.certificate_age.wildcard", { severity = "warning" })
end
