local function pair(change)
  local c = fixture("pair")
  for k, v in pairs(change) do c.peers[2][k] = v end
  return evaluate(c)
end

function test_all_differ()
  expect.equal(evaluate(fixture("six")), {})
  expect.equal(evaluate(fixture("join")), {})
end

function test_same_system_name()
  expect.has_finding(pair({ system_name = "PEER1" }), "cluster.names.not_unique", {
    severity = "warning", peer = "192.0.2.2",
    params = { peer = "192.0.2.2", other = "192.0.2.1", what = "system name", value = "PEER1" },
  })
end

function test_same_host_name()
  expect.equal(pair({ host_name = "peer1" })[1].params.what, "host name")
end

function test_same_address()
  local found = pair({ addresses = { "198.51.100.1", "192.0.2.1" } })
  expect.equal(found[1].params.what, "address")
  expect.equal(found[1].params.value, "192.0.2.1")
end

function test_names_that_are_not_set_are_no_duplicates()
  local c = fixture("pair")
  c.self.system_name, c.peers[2].system_name = "", ""
  expect.equal(evaluate(c), {})
end

function test_one_domain()
  expect.has_finding(pair({ domain = "example.net" }), "cluster.names.domain_differs", { severity = "warning" })
  expect.equal(pair({ domain = "EXAMPLE.com" }), {})
end

function test_a_candidate()
  local c = fixture("join")
  c.candidate.host_name, c.candidate.domain = "peer2", "example.net"
  local found = evaluate(c)
  expect.has_finding(found, "cluster.names.not_unique", { severity = "warning", peer = "192.0.2.3" })
  expect.has_finding(found, "cluster.names.domain_differs", { severity = "warning" })
end

function test_a_candidate_with_an_address_of_a_peer()
  local c = fixture("join")
  c.candidate.addresses = { "192.0.2.3", "192.0.2.1" }
  expect.has_finding(evaluate(c), "cluster.names.not_unique", { severity = "error", peer = "192.0.2.3" })
end

function test_silent_peers_are_passed_over()
  expect.equal(pair({ reachable = false, host_name = "peer1" }), {})
  expect.traced("passed_over")
end
