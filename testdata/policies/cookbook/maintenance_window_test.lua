local MIDNIGHT = 1800230400 -- UTC

local function step(name, hour)
  with_data("maintenance", { from = "17", to = "20" })
  return evaluate({ now = MIDNIGHT + hour * 3600, step = name })
end

function test_inside_the_window() expect.equal(step("restart", 17), nil) expect.equal(step("restart", 19.9), nil) end
function test_before_it() expect.equal(step("restart", 16.5), { action = "wait", seconds = 1800, reason = "maintenance_window" }) end
function test_long_before_it_is_asked_again()
  expect.equal(step("upgrade", 20).seconds, 3600)
  expect.traced("outside")
end
function test_other_steps_do_not_wait() expect.equal(step("save", 3), nil) end
function test_without_hours_nothing_waits()
  with_data("maintenance", {})
  expect.equal(evaluate({ now = MIDNIGHT, step = "restart" }), nil)
  expect.traced("no_window")
end
