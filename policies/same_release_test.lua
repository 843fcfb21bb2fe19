function test_same()
  expect.equal(evaluate(fixture("six")), {})
  expect.equal(evaluate(fixture("join")), {})
end

function test_a_candidate_is_refused()
  local c = fixture("join")
  c.candidate.version = "1.1.0"
  local found = evaluate(c)
  expect.equal(#found, 2)
  expect.has_finding(found, "cluster.release.differs", {
    severity = "error", peer = "192.0.2.3",
    params = { peer = "192.0.2.3", theirs = "1.1.0", other = "192.0.2.1", ours = "1.0.0" },
  })
end

function test_a_member_is_warned_of()
  local c = fixture("pair")
  c.peers[2].version = "1.1.0"
  expect.has_finding(evaluate(c), "cluster.release.differs", {
    severity = "warning", peer = "192.0.2.2",
    params = { peer = "192.0.2.2", theirs = "1.1.0", other = "192.0.2.1", ours = "1.0.0" },
  })
end

function test_silent_peers_are_passed_over()
  local c = fixture("pair")
  c.peers[2].version, c.peers[2].reachable = "", false
  expect.equal(evaluate(c), {})
  expect.traced("passed_over")
end
