local function rings(c)
  local out = {}
  for i, ring in ipairs(evaluate(c).rings) do out[i] = table.concat(ring.aliases, " ") end
  return out
end

function test_primary_devices_then_no_answer()
  expect.equal(rings(fixture("office")), { "ann.desk@example.com ann.room@example.com", "ann.mobile@example.com" })
  expect.equal(evaluate(fixture("office")).rings[1].seconds, 30)
end

function test_a_device_in_a_call_is_passed_over()
  local c = fixture("office")
  c.devices[1].in_call = true
  expect.equal(rings(c), { "ann.room@example.com", "ann.mobile@example.com" })
end

function test_all_in_a_call()
  local c = fixture("office")
  c.devices[1].in_call, c.devices[2].in_call = true, true
  expect.equal(rings(c), { "01632960123" })
  expect.traced("all_in_call")
end

function test_all_in_a_call_without_a_busy_device()
  local c = fixture("office")
  c.devices[1].in_call, c.devices[2].in_call = true, true
  table.remove(c.devices, 3)
  expect.equal(rings(c), { "ann.desk@example.com ann.room@example.com", "ann.mobile@example.com" })
end

function test_only_no_answer_devices()
  local c = fixture("office")
  c.devices = { { alias = "voicemail@example.com", role = "noanswer", registered = true, in_call = false } }
  expect.equal(rings(c), { "voicemail@example.com" })
end

function test_nobody()
  expect.equal(evaluate(fixture("empty")), { rings = {} })
end
