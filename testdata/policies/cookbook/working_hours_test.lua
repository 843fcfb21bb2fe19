local MONDAY = 1800230400 - 9 * 3600 -- 18 January 2027, 00:00 in Japan

local function at(hours, a) return evaluate({ alias = a or "reception@example.com", now = MONDAY + hours * 3600 }) end

function test_open() expect.equal(at(9), nil) expect.equal(at(17.9), nil) end
function test_early_and_late()
  expect.equal(at(8.9).alias, "night-desk@example.com")
  expect.equal(at(18).alias, "night-desk@example.com")
  expect.traced("closed")
end
function test_weekend() expect.truthy(at(5 * 24 + 12)) expect.truthy(at(6 * 24 + 12)) end
function test_others_are_reached_at_any_time() expect.equal(at(3, "anna@example.com"), nil) end
