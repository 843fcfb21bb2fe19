-- Every function test_* is a test. fixture(name) is a valid input to start from.
function test_the_key_is_there()
  expect.equal(evaluate(fixture("pair")), {})
end

function test_the_key_is_missing()
  local c = fixture("pair")
  c.peers[2].keys = { { family = "turn_relays", count = 1800 } }
  expect.has_finding(evaluate(c), "policy.NAME.missing", { peer = "192.0.2.2" })
end
