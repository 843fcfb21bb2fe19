local function pair(class, size)
  local c = fixture("pair")
  c.peers[2].hardware = { class = class, size = size }
  return evaluate(c)
end

function test_same()
  expect.equal(evaluate(fixture("six")), {})
  expect.equal(evaluate(fixture("join")), {})
end

function test_size_differs()
  expect.has_finding(pair("vm", "large"), "cluster.hardware.size_differs", {
    severity = "warning", peer = "192.0.2.2",
    params = { peer = "192.0.2.2", theirs = "large", other = "192.0.2.1", ours = "medium" },
  })
end

function test_class_differs()
  expect.has_finding(pair("container", "medium"), "cluster.hardware.class_differs")
end

function test_an_appliance_pairs_with_medium()
  expect.equal(pair("box", "appliance"), {})
  local c = fixture("join")
  c.candidate.hardware = { class = "box", size = "appliance" }
  expect.equal(evaluate(c), {})
end

function test_an_appliance_does_not_pair_with_large()
  local c = fixture("pair")
  c.self.hardware = { class = "vm", size = "large" }
  c.peers[2].hardware = { class = "box", size = "appliance" }
  expect.has_finding(evaluate(c), "cluster.hardware.size_differs", { severity = "warning" })
end

function test_a_candidate_is_refused()
  local c = fixture("join")
  c.candidate.hardware.size = "small"
  expect.has_finding(evaluate(c), "cluster.hardware.size_differs", { severity = "error", peer = "192.0.2.3" })
end

function test_silent_peers_are_passed_over()
  local c = fixture("pair")
  c.peers[2].hardware, c.peers[2].reachable = { class = "", size = "" }, false
  expect.equal(evaluate(c), {})
  expect.traced("passed_over")
end
