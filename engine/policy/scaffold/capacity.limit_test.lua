-- Every function test_* is a test. The input holds what the policy looks at.
local function peer(reachable) return { reachable = reachable, calls_capacity = 100, registrations_capacity = 1000 } end

function test_peers_that_answer_count()
  local d = evaluate({ peers = { peer(true), peer(false), peer(true) } })
  expect.equal(d.calls, 200)
  expect.equal(d.counted_peers, 2)
end

function test_none_answers()
  expect.equal(evaluate({ peers = { peer(false) } }), nil)
end

function test_small_machines_are_left_to_the_next_script()
  expect.equal(evaluate({ peers = { { size = "small", reachable = true } } }), nil)
end
