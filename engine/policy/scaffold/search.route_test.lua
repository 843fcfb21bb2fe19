-- Every function test_* is a test. The input holds what the policy looks at.
local function candidate(zone, state) return { zone = zone, zone_state = state, alias = "anna@example.com" } end

function test_live_zones_come_first()
  local c = { candidates = { candidate("PSTN", "failed"), candidate("Branch", "active") } }
  expect.routed(evaluate(c), "Branch", "PSTN")
  expect.traced("live_first")
end

function test_nothing_to_order()
  expect.equal(evaluate({ candidates = { candidate("Branch", "active") } }), nil)
end
