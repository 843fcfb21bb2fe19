function test_one_role()
  expect.equal(evaluate(fixture("six")), {})
  expect.equal(evaluate(fixture("join")), {})
end

function test_a_candidate_is_refused()
  local c = fixture("join")
  c.candidate.role = "edge"
  expect.has_finding(evaluate(c), "cluster.role.mixed", {
    severity = "error", peer = "192.0.2.3", params = { peer = "192.0.2.3", theirs = "edge", other = "192.0.2.1", ours = "core" },
  })
end

function test_a_member_is_warned_of()
  local c = fixture("pair")
  c.peers[2].role = "edge"
  expect.has_finding(evaluate(c), "cluster.role.mixed", { severity = "warning", peer = "192.0.2.2" })
end

function test_silent_peers_are_passed_over()
  local c = fixture("pair")
  c.peers[2].role, c.peers[2].reachable = "", false
  expect.equal(evaluate(c), {})
  expect.traced("passed_over")
end
