-- Every function test_* is a test. The input holds what the policy looks at.
local function device(a, role, registered) return { alias = a, role = role, registered = registered } end

function test_primary_devices_ring()
  local c = { devices = { device("desk@example.com", "primary", true), device("mobile@example.com", "noanswer", true) } }
  expect.equal(evaluate(c).rings[1].aliases, { "desk@example.com" })
end

function test_without_one_the_next_script_decides()
  expect.equal(evaluate({ devices = { device("desk@example.com", "primary", false) } }), nil)
  expect.traced("no_primary_device")
end
