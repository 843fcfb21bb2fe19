-- the pair, with what this system measures of the other
local function pair(ms)
  local c = fixture("pair")
  c.peers[2].rtt_ms = ms
  return evaluate(c)
end

function test_near_and_far()
  expect.equal(pair(2), {})
  expect.equal(pair(59.9), {})
  expect.has_finding(pair(60), "cluster.rtt.near_limit", { severity = "warning" })
  expect.has_finding(pair(80), "cluster.rtt.near_limit")
  expect.has_finding(pair(83.9), "cluster.rtt.near_limit")
  expect.has_finding(pair(84.04), "cluster.rtt.over_limit", {
    severity = "warning", params = { peer = "192.0.2.1", other = "192.0.2.2", rtt_ms = "84.0", limit_ms = 80 },
  })
end

function test_a_candidate_is_refused()
  local c = fixture("join")
  c.candidate.rtt_ms = 120
  local found = evaluate(c)
  expect.has_finding(found, "cluster.rtt.over_limit", { severity = "error", peer = "192.0.2.1" })
  expect.equal(#found, 1)
end

function test_a_candidate_near_the_limit_may_join()
  local c = fixture("join")
  c.candidate.rtt_ms = 70
  expect.has_finding(evaluate(c), "cluster.rtt.near_limit", { severity = "warning" })
end

function test_a_candidate_far_from_another_peer()
  local c = fixture("join")
  c.candidate.rtts = { ["192.0.2.2"] = 90 }
  expect.has_finding(evaluate(c), "cluster.rtt.over_limit", { severity = "error", peer = "192.0.2.2" })
end

function test_the_larger_of_both_measurements()
  local c = fixture("join")
  c.candidate.rtts = { ["192.0.2.2"] = 50 }
  c.peers[2].rtts = { ["192.0.2.3"] = 85 }
  expect.has_finding(evaluate(c), "cluster.rtt.over_limit", { peer = "192.0.2.2" })
  c.peers[2].rtts = { ["192.0.2.3"] = 10 }
  expect.equal(evaluate(c), {})
end

function test_other_limits()
  local c = fixture("pair")
  c.limits.rtt_ms = 2
  expect.has_finding(evaluate(c), "cluster.rtt.near_limit")
end

function test_not_measured()
  expect.equal(pair(nil), {})
  expect.traced("not_measured")
end
