local function with(address)
  local c = fixture("pair")
  c.neighbours = { { zone = "Branch", type = "Neighbor", addresses = { "198.51.100.1", address } } }
  return c
end

function test_other_systems()
  expect.equal(evaluate(with("198.51.100.2")), {})
  expect.equal(evaluate(fixture("six")), {})
end

function test_a_peer_by_its_address()
  expect.has_finding(evaluate(with("192.0.2.2")), "cluster.neighbours.is_peer", {
    severity = "warning", peer = "192.0.2.2", params = { peer = "192.0.2.2", zone = "Branch" },
  })
end

function test_a_peer_by_another_of_its_addresses()
  local c = with("203.0.113.2")
  c.peers[2].addresses = { "192.0.2.2", "203.0.113.2" }
  expect.has_finding(evaluate(c), "cluster.neighbours.is_peer")
end

function test_a_peer_by_name()
  local c = with("192.0.2.9")
  c.proposed.peer_addresses = { "192.0.2.1", "B.example.com" }
  c.resolved[3] = { address = "b.example.com", ips = { "192.0.2.9" } }
  expect.has_finding(evaluate(c), "cluster.neighbours.is_peer", { peer = "B.example.com" })
end
