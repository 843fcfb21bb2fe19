local function find(hour, weekday, registered)
  return evaluate({
    local_time = { hour = hour, minute = 0, weekday = weekday }, ring_seconds = 25,
    devices = {
      { alias = "desk@example.com", role = "primary", registered = registered ~= false },
      { alias = "mobile@example.com", role = "noanswer", registered = registered ~= false },
      { alias = "assistant@example.com", role = "busy", registered = registered ~= false },
    },
  })
end

function test_in_the_evening_both_ring()
  expect.equal(find(19, 3), { rings = { { aliases = { "desk@example.com", "mobile@example.com" }, seconds = 25 } } })
end
function test_at_the_weekend_too() expect.truthy(find(12, 6)) end
function test_by_day_the_next_script_decides() expect.equal(find(12, 3), nil) end
function test_nobody_is_there() expect.equal(find(22, 3, false), nil) end
