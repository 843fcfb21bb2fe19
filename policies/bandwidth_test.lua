local function with(changes, pipe)
  local c = fixture("free")
  for k, v in pairs(changes) do c[k] = v end
  for k, v in pairs(pipe or {}) do c.path[1][k] = v end
  return evaluate(c)
end

function test_what_fits()
  expect.equal(evaluate(fixture("free")), { action = "accept", kbps = 1920 })
end

function test_the_default()
  expect.equal(evaluate(fixture("unlimited")).kbps, 384)
  expect.equal(with({ requested = 0 }).kbps, 384)
end

function test_the_limit_for_each_call()
  expect.equal(with({}, { per_call_max = 1024 }).kbps, 1024)
  expect.traced("limited")
  expect.rejected(with({ downspeed_per_call = false }, { per_call_max = 1024 }), "exceeds_call_capacity")
end

function test_a_full_pipe()
  expect.rejected(evaluate(fixture("full")), "no_bandwidth_left")
  expect.equal(with({}, { used = 9000 }).kbps, 1000)
  expect.rejected(with({ downspeed_total = false }, { used = 9000 }), "no_bandwidth_left")
  expect.rejected(with({}, { used = 12000 }), "no_bandwidth_left")
end

function test_the_lowest_of_several()
  local c = fixture("free")
  c.path[2] = { pipe = "WAN", total = 3000, used = 2500, per_call_max = 0, closed = false }
  expect.equal(evaluate(c).kbps, 500)
end

function test_no_bandwidth_at_all()
  expect.rejected(with({}, { closed = true }), "exceeds_call_capacity")
end

function test_nothing_asked_for()
  expect.rejected(with({ requested = 0, default = 0 }), "nothing_asked_for")
end
